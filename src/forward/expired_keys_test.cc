#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"
#include "meili/task.h"

namespace miroir {
namespace {

class ExpiredKeysTest : public testing::Test {
 protected:
  ExpiredKeysTest() : world_(9, ForwardWorld::Options()) {
    world_.start();
    world_.create_index("books");
  }

  void put_key(const std::string& uid, WallTime expires) {
    Entry entry;
    entry.kind = EntryKind::kPutKey;
    entry.arguments =
        Json::object({{"uid", uid}, {"name", "n"}, {"expiresAt", to_rfc3339(expires)}});
    world_.append(std::move(entry));
  }
  // More than a lane takes refusals in a row.
  void put_keys(WallTime expires) {
    for (const char* uid : {"1", "2", "3", "4", "5", "6"}) put_key(uid, expires);
  }
  bool all_done() {
    return world_.run_until([this] { return world_.all_done(); }, Seconds(60));
  }

  ForwardWorld world_;
};

TEST_F(ExpiredKeysTest, ALaneDoesNotSendWhatNodesTakeNoMore) {
  SimulatedNode& away = *world_.nodes.at("b0");
  away.options().down = true;
  put_keys(world_.clock.wall_now() + Seconds(60));
  world_.run_for(Seconds(120));
  EXPECT_EQ(world_.nodes.at("a0")->disk().keys.size(), 6U);
  put_key("1", world_.clock.wall_now() - Seconds(60));  // a client renamed it
  away.options().down = false;
  EXPECT_TRUE(all_done());
  EXPECT_TRUE(away.disk().keys.empty());
}

TEST_F(ExpiredKeysTest, ALaneIsNotStoppedByKeysThatExpiredByTheNodesClock) {
  world_.nodes.at("b0")->options().clock_offset = Seconds(3'600);
  put_keys(world_.clock.wall_now() + Seconds(60));
  EXPECT_TRUE(all_done());
  EXPECT_FALSE(world_.cluster().status("b0").stopped);
}

}  // namespace
}  // namespace miroir
