#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

class StandstillTest : public ::testing::Test {
 protected:
  StandstillTest() : world_(72, {}) {
    world_.start();
    world_.create_index("books");
    world_.write("books", {"1"}, "a");
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    before_ = world_.documents_of_group(0, "books");
  }
  Semaphore::Permit stand_still(Milliseconds at_most) {
    return world_.process->forwarders->stand_still(at_most);
  }
  bool nothing_was_sent() {
    world_.run_for(Seconds(5));
    return world_.documents_of_group(0, "books") == before_ &&
           world_.documents_of_group(1, "books") == before_;
  }

  ForwardWorld world_;
  std::map<std::string, std::string> before_;
};

TEST_F(StandstillTest, NothingIsSentUntilTheLastOfThemIsOver) {
  std::optional first = stand_still(Seconds(600));
  std::optional second = stand_still(Seconds(600));
  world_.write("books", {"1"}, "b");
  EXPECT_TRUE(nothing_was_sent());
  first.reset();
  EXPECT_TRUE(nothing_was_sent());
  second.reset();
  EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_FALSE(nothing_was_sent());
}

TEST_F(StandstillTest, WhatWasAppendedBeforeIsSent) {
  const Position before = world_.write("books", {"1"}, "b");
  const auto standing = stand_still(Seconds(600));
  world_.write("books", {"1"}, "c");
  world_.run_for(Seconds(5));
  for (const NodeConfig& node : world_.topology().nodes())
    EXPECT_EQ(world_.cluster().status(node.id).done, before);
}

TEST_F(StandstillTest, ItEndsByItself) {
  const auto standing = stand_still(Seconds(8));
  world_.write("books", {"1"}, "b");
  EXPECT_TRUE(nothing_was_sent());
  EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
}

}  // namespace
}  // namespace miroir
