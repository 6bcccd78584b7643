#include "node_api/http_node_client.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <numeric>

#include "base/document.h"
#include "node_api/alike_ids_fake.h"
#include "node_api/exact_copies.h"
#include "node_api/field_names_fake.h"

namespace miroir {
namespace {

// Against a running server: MIROIR_TEST_NODE_URL=http://host:port, its master key in
// MIROIR_TEST_NODE_KEY. The test `node_client` (test/conformance) starts one.
class HttpNodeClientLiveTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* address = std::getenv("MIROIR_TEST_NODE_URL");
    if (address == nullptr) GTEST_SKIP() << "MIROIR_TEST_NODE_URL names no server";
    const char* key = std::getenv("MIROIR_TEST_NODE_KEY");
    client_ = connect(address, key == nullptr ? "masterKeyMasterKey" : key);
    index_ = "test-" + random_.uuid_v4();
    const auto newest = run(client_->newest_task(soon())).value();
    next_ = newest ? newest->uid + 1 : 0;
  }
  std::unique_ptr<HttpNodeClient> connect(const std::string& address, const std::string& key) {
    return HttpNodeClient::create(io_.get_executor(), clock_, random_,
                                  {.id = "n", .address = address, .master_key = key, .names = {}},
                                  metrics_)
        .value();
  }
  template <class T>
  T run(Async<T> call) {
    std::optional<T> result;
    boost::asio::co_spawn(io_, std::move(call), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    io_.restart();
    while (!result) io_.run_one();
    return std::move(*result);
  }
  Instant soon() { return clock_.now() + Seconds(20); }

  // Enqueues, and waits for the end.
  NodeTask done(NodeWrite write, std::string metadata = "m&1") {
    const auto enqueued =
        run(client_->enqueue(std::move(write), next_, std::move(metadata), soon()));
    EXPECT_TRUE(enqueued) << enqueued.error().message;
    const TaskUid uid = next_++;
    for (int i = 0; i < 400; ++i) {
      auto task = run(client_->task(uid, soon())).value();
      if (task && task->ended()) return *task;
      run([](Clock& clock) -> Async<bool> {
        co_await clock.sleep_for(Milliseconds(20));
        co_return true;
      }(clock_));
    }
    ADD_FAILURE() << "task " << uid << " does not end";
    return {};
  }
  void make_index(const std::string& primary_key = "id") {
    EXPECT_EQ(done(CreateIndex{index_, primary_key}).status, "succeeded");
    const Json features =
        Json::object({{"facetSearch", false},
                      {"filter", Json::object({{"equality", true}, {"comparison", true}})}});
    const Json rules = Json::array(
        {Json::object({{"attributePatterns", Json::array({"_miroir_*"})}, {"features", features}}),
         primary_key, "color"});
    EXPECT_EQ(done(UpdateSettings{index_, Json::object({{"filterableAttributes", rules}})}).status,
              "succeeded");
  }
  void write(const std::vector<std::string>& documents, Stamp stamp) {
    std::string ndjson;
    for (const std::string& document : documents) {
      const auto copy = parse_copy(document, "id", kNames).value();
      append_spliced(ndjson, document, fields_of_whole_write(copy.id, stamp, 5, kNames));
      ndjson += '\n';
    }
    EXPECT_EQ(
        done(WriteDocuments{.index_uid = index_, .primary_key = "id", .ndjson = ndjson}).status,
        "succeeded");
  }
  std::uint64_t count(DocumentQuery query) {
    query.index_uid = index_;
    const auto page = run(client_->documents(std::move(query), soon()));
    EXPECT_TRUE(page) << page.error().message;
    return page ? page->total : 0;
  }

  boost::asio::io_context io_;
  SystemClock clock_;
  Random random_ = Random::from_system();
  Metrics metrics_;
  std::unique_ptr<HttpNodeClient> client_;
  std::string index_;
  TaskUid next_ = 0;
};

TEST_F(HttpNodeClientLiveTest, ProbeAcceptsTheNodeAndRefusesAWrongKey) {
  const auto probed = run(client_->probe(soon()));
  EXPECT_TRUE(probed) << probed.error().message;
  const auto newest = run(client_->newest_task(soon())).value();
  EXPECT_EQ(newest ? newest->uid + 1 : 0, next_) << "a probe makes no task";
  auto stranger = connect(std::getenv("MIROIR_TEST_NODE_URL"), "another");
  EXPECT_EQ(run(stranger->probe(soon())).error().code, ErrorCode::kUnavailable);
  EXPECT_NE(metrics_.text().find("miroir_node_errors_total"), std::string::npos);
}

TEST_F(HttpNodeClientLiveTest, SpentNumbersAreConflictsAndTasksAreListedUpwards) {
  next_ += 3;
  make_index();
  EXPECT_EQ(run(client_->enqueue(ClearDocuments{index_}, next_ - 1, "", soon())).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(done(ClearDocuments{index_}).custom_metadata, "m&1");
  const auto all = run(client_->tasks(next_ - 3, next_ - 1, 10, soon())).value();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].type, "indexCreation");
  EXPECT_EQ(all[2].uid, next_ - 1);
  EXPECT_EQ(run(client_->tasks(next_ - 3, next_ - 1, 2, soon()))->back().uid, next_ - 2);
  EXPECT_EQ(run(client_->tasks(next_ - 3, next_ - 3, 9, soon()))->size(), 1u);
  EXPECT_TRUE(run(client_->tasks(next_, next_ + 9, 9, soon()))->empty());
  EXPECT_FALSE(run(client_->task(next_, soon())).value().has_value());
}

TEST_F(HttpNodeClientLiveTest, DocumentsAreFoundByEveryCondition) {
  make_index();
  std::vector<std::string> documents;
  for (int i = 0; i < 60; ++i)
    documents.push_back("{\"id\":" + std::to_string(i) + ",\"color\":\"red\"}");
  write(documents, 1'700'000'000'000'000);
  done(WriteDocuments{
      .index_uid = index_, .primary_key = "id", .ndjson = R"({"id":"alien","color":"b\"l"})"});
  EXPECT_EQ(count({}), 61u);
  EXPECT_EQ(count({.unmarked = true}), 1u);
  // What lies between two slots is in a range that ends there; what lies outside, in none.
  const std::string between = encode_slot(0x7FFF) + "5";
  const auto with_slot = [&](const std::string& id, const std::string& slot) {
    done(WriteDocuments{.index_uid = index_,
                        .primary_key = "id",
                        .ndjson = R"({"id":")" + id + R"(","_miroir_digest_0":"!!!",)" +
                                  R"("_miroir_digest_1":"!!!","_miroir_digest_2":"(;*",)" +
                                  R"("_miroir_slot":)" + slot + "}"});
    const std::vector<std::uint64_t> found = {count({.ids = {id}, .slots = {{0, 0x7FFF}}}),
                                              count({.ids = {id}, .slots = {{0x8000, 0xFFFF}}}),
                                              count({.ids = {id}, .unmarked = true})};
    done(DeleteDocuments{index_, {id}});
    return found;
  };
  using Found = std::vector<std::uint64_t>;
  EXPECT_EQ(with_slot("x", '"' + between + '"'), (Found{1, 0, 0}));
  EXPECT_EQ(with_slot("x", '"' + encode_slot(0x8000) + '"'), (Found{0, 1, 0}));
  for (const std::string slot : {"\"zz\"", "\"12345\"", "\"(]]]]]!\"", "\"\"", "7", "null", "{}"})
    EXPECT_EQ(with_slot("x", slot), (Found{0, 0, 1})) << slot;
  EXPECT_EQ(count({.ids = {"1", "2", "none"}}), 2u);
  EXPECT_EQ(count({.filter = Json("color = 'b\"l'")}), 1u);
  std::uint64_t low = 0;
  for (int i = 0; i < 60; ++i) low += slot_of(std::to_string(i)) < 0x8000 ? 1 : 0;
  EXPECT_EQ(count({.slots = {{0, 0x7FFF}}}), low);
  EXPECT_EQ(count({.slots = {{0, 0x7FFE}, {0x7FFF, 0x9000}, {0x9001, 0xFFFF}}}), 60u);
  EXPECT_EQ(count({.slots = {{slot_of("7"), slot_of("7")}}}), 1u);
  DocumentQuery symbols{.ids = {"7"}};
  for (std::size_t i = 0; i < kDigestPositions; ++i)
    symbols.symbols[i] = {digest_of("7", 1'700'000'000'000'000)[i]};
  EXPECT_EQ(count(symbols), 1u);
  DocumentQuery page{.index_uid = index_, .ids = {"7"}, .fields = {"id", "color"}};
  EXPECT_EQ(run(client_->documents(page, soon()))->documents[0], R"({"id":7,"color":"red"})");

  std::vector<SlotRange> ranges(1);
  for (unsigned first = 0; first < 0x10000; first += 0x80)
    ranges.push_back({static_cast<Slot>(first), static_cast<Slot>(first + 0x7F)});
  const auto digests = run(client_->digests(index_, ranges, soon()));
  ASSERT_TRUE(digests) << digests.error().message;
  ASSERT_EQ(digests->size(), 513u) << "more than one request";
  EXPECT_EQ(digests->front().documents(), 60u);
  EXPECT_EQ(std::accumulate(digests->begin() + 1, digests->end(), DigestCounts(),
                            [](DigestCounts sum, const DigestCounts& next) { return sum += next; }),
            digests->front());
}

TEST_F(HttpNodeClientLiveTest, ConditionalDeletesTakeOnlyTheExactCopy) {
  make_index();
  const std::string characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const std::string longest(511, 'x');
  const auto quoted = [](const std::string& id) { return "{\"id\":\"" + id + "\"}"; };
  write({quoted(characters), quoted(longest), quoted("abc"), quoted("ABC"), "{\"id\":-7}"}, 10);
  const auto erase = [&](const std::string& id, std::optional<Stamp> stamp) {
    const NodeTask task =
        done(DeleteExactCopies{index_, "id", {{id, slot_of(id), stamp}, {"gone", 1, 1}}});
    EXPECT_EQ(task.status, "succeeded") << to_text(task.error);
    const Json* deleted = task.details.find("deletedDocuments");
    return deleted == nullptr ? -1 : deleted->as_int64();
  };
  EXPECT_EQ(erase(characters, 11), 0);
  EXPECT_EQ(erase(characters, 10), 1);
  EXPECT_EQ(erase(longest, 9), 0);
  EXPECT_EQ(erase(longest, 10), 1);
  EXPECT_EQ(erase("abc", 10), 1) << "not ABC";
  EXPECT_EQ(erase("-7", 10), 1);
  done(WriteDocuments{.index_uid = index_, .primary_key = "id", .ndjson = quoted("alien")});
  EXPECT_EQ(erase("ABC", std::nullopt), 0) << "it has a stamp";
  EXPECT_EQ(erase("alien", 10), 0);
  EXPECT_EQ(erase("alien", std::nullopt), 1);
  EXPECT_EQ(count({.ids = {"ABC"}}), 1u);
  EXPECT_EQ(count({}), 1u);
}

TEST_F(HttpNodeClientLiveTest, CopiesThatADeleteWouldNotTellApartAreFoundBefore) {
  for (const auto& [one, other] : {alike_ids(), alike_long_ids()}) {
    index_ += "x";
    make_index();
    write({"{\"id\":\"" + one + "\"}", "{\"id\":\"" + other + "\"}", "{\"id\":\"plain\"}"}, 10);
    const DeleteExactCopies alone{
        index_, "id", {{one, slot_of(one), 10}, {"plain", slot_of("plain"), 10}}};
    EXPECT_EQ(run(inseparable_copies(*client_, alone, kNames, soon())).value(), std::set{one});
    const DeleteExactCopies both{
        index_, "id", {{one, slot_of(one), 10}, {other, slot_of(one), 10}}};
    EXPECT_TRUE(run(inseparable_copies(*client_, both, kNames, soon())).value().empty());
    // What would happen.
    EXPECT_EQ(*done(alone).details.find("deletedDocuments"), Json(3));
  }
}

TEST_F(HttpNodeClientLiveTest, IndexesSwapRenameAndVanish) {
  make_index();
  const std::string other = index_ + "-b";
  EXPECT_EQ(done(CreateIndex{other, std::nullopt}).status, "succeeded");
  EXPECT_EQ(done(SwapIndexes{{{index_, other, false}}}).status, "succeeded");
  const auto find = [&](const std::string& uid) -> std::optional<NodeIndex> {
    for (const NodeIndex& index : run(client_->indexes(soon())).value()) {
      if (index.uid == uid) return index;
    }
    return std::nullopt;
  };
  EXPECT_EQ(find(other)->primary_key, "id");
  EXPECT_EQ(run(client_->index(other, soon()))->primary_key, "id");
  EXPECT_EQ(run(client_->index(other, soon()))->created_at, find(other)->created_at);
  EXPECT_EQ(find(index_)->primary_key, std::nullopt);
  EXPECT_EQ(done(UpdateIndex{index_, "key", std::nullopt}).status, "succeeded");
  EXPECT_EQ(find(index_)->primary_key, "key");
  EXPECT_EQ(done(UpdateIndex{index_, std::nullopt, index_ + "-c"}).status, "succeeded");
  EXPECT_FALSE(find(index_));
  EXPECT_EQ(done(SwapIndexes{{{index_ + "-c", index_ + "-d", true}}}).status, "succeeded");
  EXPECT_TRUE(find(index_ + "-d"));
  EXPECT_EQ(done(DropIndex{index_ + "-d"}).status, "succeeded");
  EXPECT_EQ(done(DropIndex{other}).status, "succeeded");
  EXPECT_EQ(run(client_->settings(other, soon())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(client_->index(other, soon())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(client_->digests(other, {{}}, soon())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(client_->documents({.index_uid = other}, soon())).error().code,
            ErrorCode::kNotFound);
}

TEST_F(HttpNodeClientLiveTest, SettingsKeysDryRunsAndForgetting) {
  make_index();
  done(UpdateSettings{index_, Json::object({{"stopWords", Json::array({"the"})}})});
  EXPECT_EQ(*run(client_->settings(index_, soon()))->find("stopWords"), Json::array({"the"}));

  const std::string uid = random_.uuid_v4();
  const auto key = [&](const char* name) {
    return Json::object({{"uid", uid},
                         {"name", name},
                         {"description", nullptr},
                         {"actions", Json::array({"search"})},
                         {"indexes", Json::array({"*"})},
                         {"expiresAt", nullptr},
                         {"key", "ignored"}});
  };
  for (const char* name : {"first", "second"}) {
    const auto put = run(client_->put_key(key(name), soon()));
    EXPECT_TRUE(put) << put.error().message;
  }
  const auto named = [&] {
    std::string name;
    for (const Json& one : run(client_->keys(soon())).value()) {
      if (*one.find("uid") == Json(uid)) name = one.find("name")->as_string();
    }
    return name;
  };
  EXPECT_EQ(named(), "second");
  EXPECT_TRUE(run(client_->delete_key(uid, soon())));
  EXPECT_TRUE(run(client_->delete_key(uid, soon()))) << "idempotent";
  EXPECT_EQ(named(), "");

  const http::ClientRequest bad{"PATCH",
                                "/indexes/" + index_ + "/settings",
                                {{"Content-Type", "application/json"}},
                                R"({"rankingRules":["nonsense"]})"};
  EXPECT_EQ(run(client_->dry_run(bad, soon()))->status, 400);
  EXPECT_EQ(run(client_->read({"GET", "/indexes/" + index_, {}, {}}, soon()))->status, 200);
  EXPECT_EQ(run(client_->newest_task(soon())).value()->uid, next_ - 1) << "nothing was enqueued";

  const TaskUid kept = next_ - 1;
  const TaskUid oldest = run(client_->tasks(0, next_, 1, soon())).value().front().uid;
  EXPECT_EQ(done(ForgetTasks{oldest, kept}).status, "succeeded");
  const auto left = run(client_->tasks(0, next_, 1, soon())).value();
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.front().uid, kept);
  EXPECT_EQ(done(DropIndex{index_}).status, "succeeded");
}

TEST_F(HttpNodeClientLiveTest, ADeadNodeIsUnavailable) {
  auto nobody = connect("http://127.0.0.1:1", "k");
  EXPECT_EQ(run(nobody->probe(soon())).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(run(nobody->newest_task(clock_.now() - Seconds(1))).error().code, ErrorCode::kTimeout);
}

}  // namespace
}  // namespace miroir
