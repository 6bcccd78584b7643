#include "cdc/webhook.h"

#include <algorithm>

#include "base/hmac.h"
#include "http/client.h"
#include "http/connect.h"

namespace miroir::cdc {
namespace {

constexpr std::uint64_t kAnswerBytesMax = 1 << 20;

class HttpWebhook final : public Webhook {
 public:
  HttpWebhook(std::unique_ptr<http::Client> client, std::string target)
      : client_(std::move(client)), target_(std::move(target)) {}

  Async<Result<int>> post(http::Headers headers, std::string body, Instant deadline) override {
    auto answer =
        co_await client_->send({"POST", target_, std::move(headers), std::move(body)}, deadline);
    if (!answer) co_return std::unexpected(std::move(answer).error().error);
    co_return answer->status;
  }

 private:
  std::unique_ptr<http::Client> client_;
  std::string target_;
};

}  // namespace

Result<WebhookUrl> parse_webhook_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const std::size_t begin = url.starts_with(kScheme) ? kScheme.size() : 0;
  const std::size_t end = std::min(url.find_first_of("/?", begin), url.size());
  WebhookUrl parsed{std::string(url.substr(0, end)), std::string(url.substr(end))};
  if (!parsed.target.starts_with('/')) parsed.target.insert(0, "/");
  MIROIR_CHECK(http::parse_address(parsed.address));
  const bool printable =
      std::ranges::all_of(parsed.target, [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
  if (!printable) return fail(ErrorCode::kInvalid, "expected a percent-encoded path");
  return parsed;
}

Result<std::unique_ptr<Webhook>> open_webhook(Executor executor, Clock& clock, std::string url) {
  MIROIR_TRY(WebhookUrl parsed, parse_webhook_url(url));
  http::ClientOptions options;
  options.address = std::move(parsed.address);
  options.connections_max = 1;
  options.response_bytes_max = kAnswerBytesMax;
  MIROIR_TRY(auto client, http::Client::create(std::move(executor), clock, std::move(options)));
  return std::make_unique<HttpWebhook>(std::move(client), std::move(parsed.target));
}

std::string sign(std::string_view secret, WallTime now, std::string_view body) {
  const std::string seconds =
      std::to_string(std::chrono::floor<Seconds>(now).time_since_epoch().count());
  std::string text = seconds + ".";
  text += body;
  return "t=" + seconds + ",v1=" + hmac_sha256(secret, text);
}

}  // namespace miroir::cdc
