// Of a document that was merged into about when it expired, the log tells whether it outlived that.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class OutlivedExpiryTest : public ReconcilerTest {
 protected:
  void SetUp() override {
    ReconcilerTest::SetUp();
    read();
  }
  // What is to expire.
  void read() {
    expired = document(owner("id7"), "id7");
    read_at = world.log().head();
  }
  void put(const std::string& value) {
    world.write(kIndex, {"id7"}, value, EntryKind::kMergeDocuments);
    settle();
  }
  // What was read.
  void expire() {
    Entry entry;
    entry.origin = Origin::kTtlExpire;
    entry.kind = EntryKind::kDeleteDocuments;
    entry.index_uid = kIndex;
    entry.arguments = Json::object({{"readAt", read_at}});
    const auto copy = parse_copy(to_text(expired), "id", FieldNames());
    ASSERT_TRUE(copy && copy->stored.stamp);
    world.append_records(std::move(entry), {{slot_of("id7"), *copy->stored.stamp, "id7", ""}});
    settle();
  }
  void lose(std::size_t group) { owner("id7", group).delete_directly(kIndex, "id7"); }
  void expect_on_all(bool whole) {
    for (const std::size_t group : {0U, 1U}) {
      const Json its = document(owner("id7", group), "id7");
      EXPECT_EQ(its.find("v") != nullptr, whole) << to_text(its);
      EXPECT_EQ(member(its, "m"), Json("second")) << to_text(its);
    }
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  }
  // Where one has it still, behind Miroir's back.
  void expect_not_right(const Json& dead) {
    owner("id7").write_directly(kIndex, "id7", dead);
    put("second");
    run_pass(PassKind::kDeep);
    expect_on_all(false);
  }

  Json expired;
  Position read_at = 0;
};

TEST_F(OutlivedExpiryTest, WhoMergedIntoItBeforeAndAfterIsRightAndNotWhoHadLostIt) {
  lose(1);
  put("first");
  expire();
  put("second");
  run_pass(PassKind::kDeep);
  expect_on_all(true);
}

TEST_F(OutlivedExpiryTest, WhatWasMergedIntoItAfterwardsAloneDoesNotCount) {
  expire();
  expect_not_right(expired);
}

TEST_F(OutlivedExpiryTest, NorDoesAPutThatWasReadWithIt) {
  put("first");
  expired = document(owner("id7"), "id7");
  expire();
  expect_not_right(expired);
}

TEST_F(OutlivedExpiryTest, NorDoesAPutThatFailedOnAllOwners) {
  world.fail_tasks({"documentAdditionOrUpdate"});
  put("first");
  world.fail_tasks({});
  expire();
  run_pass(PassKind::kDeep);  // after which nothing of the failure is held against anybody
  expect_not_right(expired);
}

TEST_F(OutlivedExpiryTest, NorWhoHadLostItWhereItOutlivedTwo) {
  lose(1);
  put("none");
  expire();
  read();
  put("first");
  expire();
  put("second");
  run_pass(PassKind::kDeep);
  expect_on_all(true);
}

// It had been deleted before what expired was made.
TEST_F(OutlivedExpiryTest, NorIsWhoMissedAnEarlierDeleteRightForThat) {
  const Json dead = expired;
  world.remove(kIndex, {"id7"});
  put("none");
  read();
  put("first");
  expire();
  expect_not_right(dead);
}

TEST_F(OutlivedExpiryTest, NorWhoMissedAnEarlierExpiry) {
  const Json dead = expired;
  expire();
  put("none");
  read();
  put("first");
  expire();
  expect_not_right(dead);
}

}  // namespace
}  // namespace miroir
