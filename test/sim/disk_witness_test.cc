#include "sim/disk_witness.h"

#include <gtest/gtest.h>

#include "base/simulated_clock_fake.h"
#include "cluster/cluster.h"
#include "cluster/own_tasks.h"

namespace miroir::sim {
namespace {

class DiskWitnessTest : public ::testing::Test {
 protected:
  DiskWitnessTest() {
    for (const NodeConfig& config : topology_.nodes()) {
      nodes_[config.id] =
          std::make_unique<SimulatedNode>(clock_, 1, SimulatedNode::Options{.id = config.id});
      do_entry(config.id, 1);
    }
  }
  void do_entry(const std::string& node, Position position) {
    const TaskUid uid = nodes_[node]->disk().next_uid;
    ASSERT_TRUE(nodes_[node]->enqueue(DeleteDocuments{"books", {"w1"}}, uid,
                                      task_metadata({position, position})));
    nodes_[node]->settle();
  }
  void replace(const std::string& node, SimulatedNode::Disk disk) {
    nodes_[node]->restore(std::move(disk));
  }
  std::size_t wrong(const std::set<std::string>& sources) {
    return witness_.check_sources(sources).size();
  }

  Topology topology_ = *Topology::make({{"a", "http://a", 0}, {"b", "http://b", 1}}, 4);
  SimulatedClock clock_;
  Nodes nodes_;
  DiskWitness witness_{topology_, nodes_};
};

TEST_F(DiskWitnessTest, WhoKeptItsDiskIsASource) {
  witness_.store_copied();
  witness_.store_went_back(2);
  EXPECT_EQ(wrong({"a", "b"}), 0U);
}

TEST_F(DiskWitnessTest, WhoseDiskWasEmptiedIsNoSourceBesideAnother) {
  witness_.store_copied();
  replace("a", {});
  witness_.store_went_back(2);
  EXPECT_EQ(wrong({"a", "b"}), 1U);
  EXPECT_EQ(wrong({"b"}), 0U);
  EXPECT_EQ(wrong({"a"}), 0U) << "there is nobody else";
  replace("b", {});
  witness_.store_went_back(2);
  EXPECT_EQ(wrong({"a", "b"}), 0U) << "both lost theirs";
}

TEST_F(DiskWitnessTest, WhoHasDoneItAgainIsASource) {
  do_entry("a", 2);
  witness_.store_copied();
  replace("a", {});
  do_entry("a", 1);
  witness_.store_went_back(2);
  EXPECT_EQ(wrong({"a", "b"}), 1U) << "a part of it";
  do_entry("a", 3);
  EXPECT_EQ(wrong({"a", "b"}), 1U) << "of another log";
  do_entry("a", 2);
  EXPECT_EQ(wrong({"a", "b"}), 0U);
}

TEST_F(DiskWitnessTest, ADiskFromAfterTheCopyOfTheStoreLacksNothingThatThisKnows) {
  const SimulatedNode::Disk older = nodes_["a"]->snapshot();
  do_entry("a", 2);
  witness_.store_copied();
  const SimulatedNode::Disk younger = nodes_["a"]->snapshot();
  do_entry("a", 3);
  replace("a", younger);
  witness_.store_went_back(2);
  EXPECT_EQ(wrong({"a", "b"}), 0U);
  replace("a", older);
  witness_.store_went_back(2);
  EXPECT_EQ(wrong({"a", "b"}), 1U);
  witness_.store_went_back(std::nullopt);
  EXPECT_EQ(wrong({"a", "b"}), 0U) << "nothing is known";
}

}  // namespace
}  // namespace miroir::sim
