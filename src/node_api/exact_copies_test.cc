#include "node_api/exact_copies.h"

#include "node_api/alike_ids_fake.h"
#include "node_api/simulated_node_test.h"

namespace miroir {
namespace {

class ExactCopiesTest : public SimulatedNodeFixture {
 protected:
  void hold(const std::string& id, Stamp stamp) {
    std::string text;
    append_spliced(text, R"({"id":")" + id + R"("})", fields_of_merge(id, stamp, names_));
    node_.write_directly("i", id, parse_json(text).value());
  }
  std::set<std::string> inseparable(const std::vector<std::string>& ids, Stamp stamp) {
    DeleteExactCopies write{.index_uid = "i", .primary_key = "id", .copies = {}};
    for (const std::string& id : ids) write.copies.push_back({id, slot_of(id), stamp});
    return run(inseparable_copies(client_, std::move(write), names_, clock_.now() + Seconds(9)))
        .value();
  }

  const FieldNames names_;
};

TEST_F(ExactCopiesTest, CopyIsNotSeparableFromOneThatDiffersInCaseOnly) {
  const auto [one, other] = alike_ids();
  hold(one, 5);
  hold("plain", 5);
  EXPECT_TRUE(inseparable({one, "plain"}, 5).empty());
  hold(other, 6);
  EXPECT_TRUE(inseparable({one, "plain"}, 5).empty()) << "another version";
  hold(other, 5);
  EXPECT_EQ(inseparable({one, "plain"}, 5), std::set{one});
  EXPECT_TRUE(inseparable({one, other}, 5).empty()) << "both are to go";
}

TEST_F(ExactCopiesTest, AsManyAsWereAskedForAreNotTheSame) {
  const auto [one, other] = alike_ids();
  hold(one, 5);
  EXPECT_EQ(inseparable({other}, 5), std::set{other}) << "it is gone, and the other is there";
}

TEST_F(ExactCopiesTest, LongIdsAreSeparableUnlessTheyBeginAlike) {
  const auto [one, other] = alike_long_ids();
  hold(one, 5);
  EXPECT_TRUE(inseparable({one}, 5).empty());
  hold(other, 5);
  EXPECT_EQ(inseparable({one}, 5), std::set{one});
  EXPECT_TRUE(inseparable({one, other}, 5).empty());
}

}  // namespace
}  // namespace miroir
