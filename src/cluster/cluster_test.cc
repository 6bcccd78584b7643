#include "cluster/cluster.h"

#include <gtest/gtest.h>

#include "log/log_process_fake.h"
#include "node_api/simulated_node_client_fake.h"

namespace miroir {
namespace {

class ClusterTest : public testing::Test {
 protected:
  ClusterTest() {
    std::map<std::string, std::unique_ptr<NodeClient>> clients;
    clients["a"] = std::make_unique<SimulatedNodeClient>(node_, clock_, random_, network_);
    cluster_ = std::make_unique<Cluster>(*Topology::make({{"a", "http://a", 0}}, 1),
                                         std::move(clients), process_.log(), clock_,
                                         process_.metrics(), process_.io().get_executor());
  }
  bool set_state(ReplicaState state, const std::string& why) {
    return process_.run(cluster_->set_state("a", state, why)).has_value();
  }
  std::string durable_state() { return process_.log().progress().at("a").state; }

  MemoryStore store_;
  SimulatedClock clock_;
  LogProcess process_{store_, clock_};
  Random random_{1};
  SimulatedNetwork network_;
  SimulatedNode node_{clock_, 1, {}};
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(ClusterTest, AStateThatCouldNotBeSavedIsSavedWhenItIsSetAgain) {
  ASSERT_TRUE(process_.run(cluster_->join("a", {}, ReplicaState::kInSync)));
  store_.fill_disk(true);
  EXPECT_FALSE(set_state(ReplicaState::kStale, "an older disk"));
  EXPECT_EQ(cluster_->status("a").state, ReplicaState::kStale) << "it is not read meanwhile";
  EXPECT_FALSE(set_state(ReplicaState::kStale, "an older disk"));
  store_.fill_disk(false);
  EXPECT_TRUE(set_state(ReplicaState::kStale, "an older disk"));
  EXPECT_EQ(durable_state(), "stale");
  const std::uint64_t commits = store_.commits();
  EXPECT_TRUE(set_state(ReplicaState::kStale, "an older disk"));
  EXPECT_EQ(store_.commits(), commits);
}

}  // namespace
}  // namespace miroir
