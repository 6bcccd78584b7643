#include "cdc/webhook.h"

#include "http/loopback_test.h"

namespace miroir::cdc {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using WebhookTest = http::LoopbackTest;

TEST(WebhookUrlTest, IsAnAddressAndAPath) {
  EXPECT_EQ(parse_webhook_url("http://a:80/b/c?d=/e").value().address, "http://a:80");
  EXPECT_EQ(parse_webhook_url("http://a:80/b/c?d=/e").value().target, "/b/c?d=/e");
  EXPECT_EQ(parse_webhook_url("http://[::1]:80").value().target, "/");
  EXPECT_EQ(parse_webhook_url("http://a?b").value().target, "/?b");
  for (const char* wrong : {"", "a", "http://", "http:///x", "https://a/", "http://u:p@a/",
                            "http://a/ ", "http://a/#b", "http://a/\r\nX: y"}) {
    EXPECT_FALSE(parse_webhook_url(wrong)) << wrong;
  }
}

// As any subscriber can compute it: printf '1767225600.{}' | openssl dgst -sha256 -hmac secret
TEST(WebhookSignatureTest, CoversTimeAndBody) {
  const WallTime now(std::chrono::microseconds(1'767'225'600'999'999));
  const std::string signature = sign("secret", now, "{}");
  EXPECT_EQ(signature,
            "t=1767225600,v1=fa7eaa06bf97d7815f3f456e97cde70c9e50cb005f01660c8d10b10c21964887");
  EXPECT_NE(sign("secret", now, "{ }"), signature);
  EXPECT_NE(sign("other", now, "{}"), signature);
  EXPECT_NE(sign("secret", now + Seconds(1), "{}"), signature);
}

TEST_F(WebhookTest, PostsAndTellsTheStatus) {
  std::vector<std::string> heard;
  http::ScriptedServer server(executor(), [&](http::RawPeer& peer, int) -> Async<void> {
    for (const char* status : {"204 No Content", "500 Oops"}) {
      heard.push_back(co_await peer.hear("{}"));
      co_await peer.say(std::string("HTTP/1.1 ") + status + "\r\nContent-Length: 0\r\n\r\n");
    }
  });
  auto webhook = open_webhook(executor(), clock_, server.url() + "/hook?a=b").value();
  EXPECT_EQ(run(webhook->post({{"X-Y", "z"}}, "{}", in(Seconds(30)))).value(), 204);
  EXPECT_EQ(run(webhook->post({{"X-Y", "z"}}, "{}", in(Seconds(30)))).value(), 500);
  EXPECT_EQ(server.connections(), 1);
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_THAT(heard[0], StartsWith("POST /hook?a=b HTTP/1.1\r\n"));
  EXPECT_THAT(heard[0], HasSubstr("X-Y: z\r\n"));
  run(server.stop());
  EXPECT_FALSE(run(webhook->post({}, "{}", in(Seconds(30)))));
}

}  // namespace
}  // namespace miroir::cdc
