// Documents that nobody held a version of become one on all owners, unless the log says otherwise.
#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

class AdoptionTest : public ::testing::Test {
 protected:
  explicit AdoptionTest(ForwardWorld::Options given = options()) : world_(71, std::move(given)) {
    world_.start();
    world_.create_index("books");
    read_at_ = world_.write("books", {"1"}, "a");
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  }

  static ForwardWorld::Options options() {
    ForwardWorld::Options given;
    given.nodes_per_group = 1;
    return given;
  }

  void adopt(const std::vector<std::string>& ids) {
    Entry entry;
    entry.origin = Origin::kAntiEntropy;
    entry.kind = EntryKind::kWriteDocuments;
    entry.index_uid = "books";
    entry.arguments = Json::object({{"readAt", read_at_}});
    std::vector<BodyRecord> records;
    for (const std::string& id : ids)
      records.push_back({slot_of(id), 0, id, R"({"id":")" + id + R"(","v":"adopted"})"});
    world_.append_records(std::move(entry), std::move(records));
  }
  std::map<std::string, std::string> on_b0() {
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    return world_.documents_of_group(1, "books");
  }

  ForwardWorld world_;
  Position read_at_ = 0;
};

TEST_F(AdoptionTest, WriteInBetweenIsNotOverwritten) {
  world_.write("books", {"3"}, "a client's");
  world_.write("books", {"5"}, "a client's", EntryKind::kMergeDocuments);
  adopt({"3", "4", "5"});
  const auto documents = on_b0();
  EXPECT_NE(documents.at("3").find("a client's"), std::string::npos);
  EXPECT_NE(documents.at("4").find("adopted"), std::string::npos);
  EXPECT_EQ(documents.at("5").find("adopted"), std::string::npos);
  EXPECT_EQ(documents, world_.documents_of_group(0, "books"));
}

class ForgetfulAdoptionTest : public AdoptionTest {
 protected:
  ForgetfulAdoptionTest() : AdoptionTest(options()) {}
  static ForwardWorld::Options options() {
    ForwardWorld::Options given = AdoptionTest::options();
    given.log.retention_age = Microseconds(0);
    given.log.tasks_kept = 3;
    return given;
  }
};

TEST_F(ForgetfulAdoptionTest, NothingIsAdoptedOverALogThatForgotWhatCameBetween) {
  const Position overtaking = world_.write("books", {"3"}, "a client's");
  for (int n = 0; n < 5; ++n) world_.await_task(world_.write("books", {"2"}, std::to_string(n)));
  ASSERT_TRUE(world_.run_until([&] { return world_.log().forgotten() >= overtaking; }));
  world_.crash();  // the newest entries are still in memory
  world_.start();
  adopt({"3", "4"});
  const auto documents = on_b0();
  EXPECT_NE(documents.at("3").find("a client's"), std::string::npos);
  EXPECT_FALSE(documents.contains("4"));
}

TEST_F(AdoptionTest, NoDoubtOfWhatIsLeftOutEnds) {
  SimulatedNode& node = *world_.nodes.at("b0");
  node.fail_tasks([](const NodeTask&) { return std::optional<std::string>("internal"); });
  world_.write("books", {"3"}, "a client's");
  on_b0();
  node.fail_tasks(nullptr);
  ASSERT_TRUE(world_.log().tainted(1, "3", "b0"));
  adopt({"3", "4"});
  EXPECT_TRUE(on_b0().contains("4"));
  EXPECT_TRUE(world_.log().tainted(1, "3", "b0"));
}

}  // namespace
}  // namespace miroir
