// How many nodes are read at a time.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class ReadConcurrencyTest : public ReconcilerTest {
 protected:
  ReadConcurrencyTest() : ReconcilerTest(eight_nodes()) {}

  static ForwardWorld::Options eight_nodes() {
    ForwardWorld::Options options;
    options.nodes_per_group = 4;
    options.shards = 32;
    return options;
  }

  void allow(std::size_t reads) {
    stop_reconciler();
    options.max_read_concurrency = reads;
    start_reconciler();
  }

  // Something for every kind of repair.
  void damage() {
    write(0, 200, "again");
    const Json old = document(owner("id0"), "id0");
    world.remove(kIndex, {"id0"});
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    owner("id0").write_directly(kIndex, "id0", old);
    owner("id1").corrupt(kIndex, "id1", "v", "flipped");
    for (int i = 2; i < 20; ++i)
      owner("id" + std::to_string(i)).delete_directly(kIndex, "id" + std::to_string(i));
    for (auto& [name, each] : world.nodes)
      each->write_directly(kIndex, "id20", document(owner("id20"), "id20"));
  }

  // The most that a pass of each kind read at once.
  std::size_t most_at_once() {
    damage();
    world.reads.most = 0;
    EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 20U);
    const std::size_t most = world.reads.most;
    world.reads.most = 0;
    EXPECT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 1U);
    EXPECT_EQ(world.reads.most, most);
    return most;
  }

  // Reads a node again and again, as sweeps do, until it is told to stop.
  Async<void> read_beside() {
    while (!stop_beside) {
      auto permit = co_await reconciler->reads().acquire();
      DocumentQuery query;
      query.index_uid = kIndex;
      query.limit = 1;
      own_read = true;
      const Instant deadline = world.clock.now() + Seconds(10);
      auto page = co_await world.cluster().client("a0").documents(std::move(query), deadline);
      EXPECT_TRUE(page);
    }
    beside_ended = true;
  }

  bool own_read = false;  // the next that the world sees is no pass's
  bool stop_beside = false;
  bool beside_ended = false;
};

TEST_F(ReadConcurrencyTest, PassesReadAsManyNodesAtATimeAsTheyMay) {
  for (const std::size_t allowed : {1U, 2U, 5U}) {
    allow(allowed);
    EXPECT_EQ(most_at_once(), allowed);
  }
}

// Whatever a pass reads waits for its turn, and nobody waits for more than a page of each node.
TEST_F(ReadConcurrencyTest, OthersHaveTheirTurns) {
  allow(1);
  damage();
  std::size_t most_in_a_row = 0;
  std::size_t in_a_row = 0;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    const bool page = !query.slots.empty() && query.fields.empty();
    in_a_row = std::exchange(own_read, false) ? 0 : in_a_row + (page ? 1 : 0);
    most_in_a_row = std::max(most_in_a_row, in_a_row);
  };
  world.reads.most = 0;
  tasks->spawn("reads beside", read_beside());
  EXPECT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 21U);
  stop_beside = true;
  ASSERT_TRUE(world.run_until([&] { return beside_ended; }));
  EXPECT_EQ(world.reads.most, 1U);
  EXPECT_GT(most_in_a_row, 0U);
  EXPECT_LE(most_in_a_row, world.nodes.size());
}

}  // namespace
}  // namespace miroir
