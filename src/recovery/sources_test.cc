// Which nodes a recovery goes by.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "cluster/state_reasons.h"
#include "recovery/recovery_world_fake.h"

namespace miroir {
namespace {

class RecoverySourcesTest : public RecoveryTest {};

TEST_F(RecoverySourcesTest, ANodeThatWasBehindBeforeItToldIsNotTaken) {
  set_behind("a0", ReplicaState::kStale);
  set_behind("a1", ReplicaState::kJoining);
  const MemoryStore::Tables two_behind = world_.store.snapshot();
  set_behind("b0", ReplicaState::kStale);
  set_behind("b1", ReplicaState::kStale);
  const MemoryStore::Tables all_behind = world_.store.snapshot();
  write("second", 0, 40);
  restart_on(two_behind);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
  EXPECT_EQ(world_.cluster().status("a1").state, ReplicaState::kJoining);
  EXPECT_EQ(world_.cluster().status("b1").state, ReplicaState::kInSync);
  restart_on(all_behind);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_TRUE(all_in_sync()) << "there is nobody to heal them from";
}

}  // namespace
}  // namespace miroir
