#include "demo/checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <mutex>
#include <thread>

#include "http/server.h"

namespace miroir::demo {
namespace {

// A node that can only be read: GET /indexes/{uid}/documents, page by page.
class ReadOnlyNode final : public http::Handler {
 public:
  void set(std::vector<Json> documents) {
    const std::lock_guard lock(mutex_);
    documents_ = std::move(documents);
  }
  void fail_with(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }

  Async<std::optional<http::Response>> admit(const http::RequestHead&) override {
    co_return std::nullopt;
  }
  Async<http::Response> handle(http::Request request) override {
    std::size_t offset = 0;
    std::size_t limit = 20;
    for (const auto& [name, value] : http::parse_query(request.query)) {
      if (name == "offset") offset = std::stoul(value);
      if (name == "limit") limit = std::stoul(value);
    }
    const std::lock_guard lock(mutex_);
    if (status_ != 200)
      co_return http::json_response(status_, R"({"message":"broken","code":"internal"})");
    Json results = Json::array();
    for (std::size_t i = offset; i < documents_.size() && i - offset < limit; ++i)
      results.push_back(documents_[i]);
    co_return http::json_response(
        200, to_text(Json::object({{"results", std::move(results)},
                                   {"total", Json(std::uint64_t{documents_.size()})}})));
  }
  http::Response refuse(int status, std::string message) override {
    return {status, {}, std::move(message)};
  }

 private:
  std::mutex mutex_;
  std::vector<Json> documents_;
  int status_ = 200;
};

constexpr int kDocuments = 6'000;  // more than a page of the checker's
using Documents = std::vector<Json>;

// Two groups of two nodes; each group holds every document once.
class CheckerTest : public ::testing::Test {
 protected:
  CheckerTest() {
    for (std::size_t i = 0; i < 4; ++i) {
      servers_.push_back(*http::Server::listen(context_.get_executor(), clock_, {}, nodes_[i]));
      boost::asio::co_spawn(context_, servers_.back()->run(), boost::asio::detached);
    }
    thread_ = std::thread([this] { context_.run(); });
    for (std::size_t i = 0; i < 4; ++i) {
      apis_.push_back(std::make_unique<Api>(servers_[i]->url(), ""));
      checked_.push_back({std::string(1, "ab"[i / 2]) + std::to_string(i % 2),
                          static_cast<int>(i / 2), apis_[i].get()});
    }
    Documents all;
    for (int i = 0; i < kDocuments; ++i) {
      all.push_back(Json::object(
          {{"id", "p" + std::to_string(i)}, {"size", i}, {"depends", Json::array({"libc6"})}}));
      model_.put(all.back());
      all.back().set("_miroir_slot", "!!!!!!");
    }
    // Groups need not share documents out in the same way.
    for (std::size_t i = 0; i < all.size(); ++i) {
      held_[i % 2].push_back(all[i]);
      held_[i < 5'500 ? 2 : 3].push_back(all[i]);
    }
  }
  ~CheckerTest() override {
    boost::asio::co_spawn(context_, stop(), boost::asio::detached);
    thread_.join();
  }

  Async<void> stop() {
    for (auto& server : servers_) co_await server->stop(Milliseconds(0));
  }

  // A document of node `node`.
  Json& document(std::size_t node, const std::string& id) {
    return *std::ranges::find_if(held_[node],
                                 [&](const Json& each) { return *each.find("id") == Json(id); });
  }
  void erase(std::size_t node, const std::string& id) {
    std::erase_if(held_[node], [&](const Json& each) { return *each.find("id") == Json(id); });
  }

  Result<Proof> check_all() {
    for (std::size_t i = 0; i < 4; ++i) nodes_[i].set(held_[i]);
    return check(checked_, "packages", model_);
  }
  std::vector<std::string> wrong() {
    auto proof = check_all();
    if (!proof) return {proof.error().message};
    EXPECT_EQ(proof->wrong_count, proof->wrong.size());
    return proof->wrong;
  }

  boost::asio::io_context context_{1};
  SystemClock clock_;
  ReadOnlyNode nodes_[4];
  std::vector<std::unique_ptr<http::Server>> servers_;
  std::thread thread_;
  std::vector<std::unique_ptr<Api>> apis_;
  std::vector<CheckedNode> checked_;
  Documents held_[4];
  Model model_;
};

TEST_F(CheckerTest, EqualReplicasPass) {
  const auto proof = check_all();
  ASSERT_TRUE(proof) << proof.error().message;
  EXPECT_EQ(proof->wrong_count, 0u);
  EXPECT_EQ(proof->documents_read, 2u * kDocuments);
}

TEST_F(CheckerTest, TheOrderOfMembersIsNoDamage) {
  Json& one = document(2, "p2");
  one = Json::object({{"depends", *one.find("depends")}, {"size", 2.0}, {"id", "p2"}});
  EXPECT_EQ(wrong(), std::vector<std::string>{});
}

TEST_F(CheckerTest, ALostDocumentIsFound) {
  erase(3, "p5999");
  EXPECT_EQ(wrong(), std::vector<std::string>{"p5999 is missing from group 1"});
}

TEST_F(CheckerTest, ADocumentLostInEveryGroupIsFound) {
  erase(0, "p0");
  erase(2, "p0");
  EXPECT_EQ(wrong(),
            (std::vector<std::string>{"p0 is missing from group 0", "p0 is missing from group 1"}));
}

TEST_F(CheckerTest, ADeletedDocumentThatIsBackIsFound) {
  model_.remove("p1");
  erase(1, "p1");
  EXPECT_EQ(wrong(), std::vector<std::string>{"p1 on b0 was deleted, or never written"});
}

TEST_F(CheckerTest, ADocumentThatNobodyWroteIsFound) {
  held_[0].push_back(Json::object({{"id", "stranger"}}));
  EXPECT_EQ(wrong(), std::vector<std::string>{"stranger on a0 was deleted, or never written"});
}

TEST_F(CheckerTest, ChangedContentIsFoundWhereverItIs) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& its) { its.set("size", 5'998); },
      [](Json& its) { its.set("depends", Json::array({"libc6", "x"})); },
      [](Json& its) { its.erase("size"); }, [](Json& its) { its.set("extra", Json()); },
      [](Json& its) { its.set("size", "5999"); }};
  const Json before = document(3, "p5999");
  for (const auto& change : changes) {
    document(3, "p5999") = before;
    change(document(3, "p5999"));
    EXPECT_EQ(wrong(), std::vector<std::string>{"p5999 on b1 is not what was acknowledged"});
  }
}

TEST_F(CheckerTest, ADocumentOnTwoNodesOfOneGroupIsFound) {
  held_[1].push_back(document(0, "p0"));
  EXPECT_EQ(wrong(), std::vector<std::string>{"p0 is on a0 and on a1 of one group"});
}

TEST_F(CheckerTest, ADocumentThatANodeShowsTwiceIsFound) {
  held_[0].push_back(document(0, "p0"));
  EXPECT_EQ(wrong(), std::vector<std::string>{"p0 is on a0 and on a0 of one group"});
}

TEST_F(CheckerTest, ADocumentWithoutAnIdIsFound) {
  held_[2].push_back(Json::object({{"size", 1}}));
  EXPECT_EQ(wrong(), std::vector<std::string>{"node b0 holds a document without an id"});
}

TEST_F(CheckerTest, AnEmptyNodeIsFoundAndOnlyTheFirstSentencesAreKept) {
  held_[3].clear();
  const auto proof = check_all();
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->wrong_count, 500u);
  EXPECT_EQ(proof->wrong.size(), 20u);
}

TEST_F(CheckerTest, ANodeThatCannotBeReadIsNoProof) {
  nodes_[1].fail_with(500);
  EXPECT_FALSE(check_all());
}

TEST_F(CheckerTest, NoNodesAreNoProof) { EXPECT_FALSE(check({}, "packages", model_)); }

TEST(ModelTest, TheLastWriteCountsAndADeleteTakesItAway) {
  Model model;
  model.put(Json::object({{"id", "a"}, {"v", 1}}));
  model.put(Json::object({{"id", "a"}, {"v", 2}}));
  EXPECT_EQ(*model.documents().at("a").find("v"), Json(2));
  model.remove("a");
  EXPECT_TRUE(model.documents().empty());
}

}  // namespace
}  // namespace miroir::demo
