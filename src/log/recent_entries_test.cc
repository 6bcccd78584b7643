#include "log/recent_entries.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

std::shared_ptr<const Entry> at(Position position) {
  Entry entry;
  entry.position = position;
  return std::make_shared<const Entry>(std::move(entry));
}

TEST(RecentEntriesTest, LargeOnesPushOutThoseBeforeThemButNeverTheNewest) {
  constexpr std::size_t kLarge = 10UL << 20;
  RecentEntries recent;
  recent.add(at(1), 100);
  recent.add(at(2), kLarge);
  EXPECT_TRUE(recent.holds(1));
  recent.add(at(3), kLarge);
  EXPECT_FALSE(recent.holds(2));
  EXPECT_TRUE(recent.holds(3));
  recent.add(at(4), 100);
  EXPECT_TRUE(recent.holds(3));
  recent.replace(at(4), kLarge);
  EXPECT_FALSE(recent.holds(3));
  EXPECT_TRUE(recent.holds(4));
  recent.add(at(5), 10 * kLarge);
  EXPECT_TRUE(recent.holds(5));
  EXPECT_FALSE(recent.holds(4));
}

TEST(RecentEntriesTest, TheyAreWithoutGaps) {
  RecentEntries recent;
  recent.add(at(1), 16UL << 20);
  recent.add(at(7), 100);
  EXPECT_FALSE(recent.holds(1));
  recent.add(at(8), 100);
  EXPECT_TRUE(recent.holds(7)) << "what is gone no longer counts";
}

}  // namespace
}  // namespace miroir
