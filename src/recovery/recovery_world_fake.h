#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/state_reasons.h"
#include "forward/forward_world_fake.h"
#include "recovery/recovery.h"

namespace miroir {

// A world with a recovery and an index; its store can be put back.
class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() : world_(5, {}) {
    start();
    world_.create_index("books");
    write("first", 0, 40);
  }

  void start() {
    world_.start();
    recovery_ =
        std::make_unique<Recovery>(world_.log(), world_.cluster(), world_.clock, FieldNames());
    boost::asio::co_spawn(*world_.process->io, recovery_->run(), boost::asio::detached);
    bool looked = false;
    boost::asio::co_spawn(*world_.process->io,
                          world_.process->forwarders->look_at_all(world_.clock.now() + Seconds(5)),
                          [&](std::exception_ptr) { looked = true; });
    ASSERT_TRUE(world_.run_until([&] { return looked; }));
  }

  // Miroir dies, and finds this instead of its store.
  void restart_on(MemoryStore::Tables disk) {
    world_.crash();
    recovery_.reset();
    world_.store.restore(std::move(disk));
    start();
  }

  void write(const std::string& value, int first, int end) {
    std::vector<std::string> ids;
    for (int n = first; n < end; ++n) ids.push_back("id" + std::to_string(n));
    const TaskEnd ended = world_.await_task(world_.write("books", ids, value));
    ASSERT_EQ(ended.status, "succeeded") << to_text(ended.error);
  }

  void set_behind(const std::string& node, ReplicaState state) {
    const std::string why = "the log no longer holds what it missed";
    ASSERT_TRUE(world_.await(world_.cluster().set_state(node, state, why)));
  }

  // Without all the nodes.
  bool is_recovered() const {
    return world_.cluster().status("b0").state == ReplicaState::kInSync &&
           awaiting_recovery(world_.cluster()).empty();
  }

  bool each_shard_has_a_source() const {
    for (const NodeConfig& node : world_.topology().nodes()) {
      if (!world_.cluster().shards_without_source(node.id).empty()) return false;
    }
    return true;
  }

  bool all_in_sync() const {
    for (const NodeConfig& node : world_.topology().nodes()) {
      if (world_.cluster().status(node.id).state != ReplicaState::kInSync) return false;
    }
    return true;
  }

  std::map<std::string, std::map<std::string, std::string>> everything() {
    std::map<std::string, std::map<std::string, std::string>> all;
    for (auto& [name, node] : world_.nodes) all[name] = node->documents("books");
    return all;
  }

  mutable ForwardWorld world_;
  std::unique_ptr<Recovery> recovery_;
};

}  // namespace miroir
