#include "anti_entropy/window.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

WallTime utc(int year, unsigned month, unsigned day, int hour, int minute) {
  return WallTime(std::chrono::sys_days(std::chrono::year(year) / std::chrono::month(month) /
                                        std::chrono::day(day)) +
                  std::chrono::hours(hour) + std::chrono::minutes(minute));
}

TEST(WindowTest, WithoutAPlaceItIsUtc) {
  const Window window = Window::parse("01:00-05:30").value();
  EXPECT_FALSE(window.contains(utc(2026, 1, 10, 0, 59)));
  EXPECT_TRUE(window.contains(utc(2026, 1, 10, 1, 0)));
  EXPECT_TRUE(window.contains(utc(2026, 1, 10, 5, 29)));
  EXPECT_FALSE(window.contains(utc(2026, 1, 10, 5, 30)));
}

TEST(WindowTest, SummerAndWinterOfAPlaceCount) {
  const Window window = Window::parse("01:00-05:00 Europe/Paris").value();
  EXPECT_TRUE(window.contains(utc(2026, 1, 10, 0, 0)));   // 01:00, winter
  EXPECT_FALSE(window.contains(utc(2026, 1, 10, 4, 0)));  // 05:00
  EXPECT_TRUE(window.contains(utc(2026, 7, 9, 23, 0)));   // 01:00, summer
  EXPECT_FALSE(window.contains(utc(2026, 7, 10, 3, 0)));  // 05:00
  const Window india = Window::parse("00:00-01:00 Asia/Kolkata").value();
  EXPECT_TRUE(india.contains(utc(2026, 1, 10, 18, 30)));
}

TEST(WindowTest, ItMayPassMidnight) {
  const Window night = Window::parse("22:00-02:00 UTC").value();
  EXPECT_TRUE(night.contains(utc(2026, 1, 10, 23, 0)));
  EXPECT_TRUE(night.contains(utc(2026, 1, 10, 1, 59)));
  EXPECT_FALSE(night.contains(utc(2026, 1, 10, 2, 0)));
  EXPECT_TRUE(Window::parse("12:00-24:00").value().contains(utc(2026, 1, 10, 23, 59)));
  EXPECT_TRUE(Window::parse("00:00-00:00").value().contains(utc(2026, 1, 10, 12, 0)));
}

TEST(WindowTest, NextOpeningIsTheFirstOfAny) {
  const std::vector<Window> windows{Window::parse("01:00-05:00").value(),
                                    Window::parse("12:00-12:30").value()};
  EXPECT_EQ(next_opening(windows, utc(2026, 1, 10, 6, 10)), utc(2026, 1, 10, 12, 0));
  EXPECT_EQ(next_opening(windows, utc(2026, 1, 10, 12, 10)), utc(2026, 1, 10, 12, 10));
  EXPECT_EQ(next_opening(windows, utc(2026, 1, 10, 12, 30)), utc(2026, 1, 11, 1, 0));
  EXPECT_EQ(next_opening({}, utc(2026, 1, 10, 6, 10)), utc(2026, 1, 10, 6, 10));
}

TEST(WindowTest, WindowThatASpringNightLeavesOutOpensTheNextDay) {
  // 02:00-03:00 does not exist in Paris on 29 March 2026.
  const std::vector<Window> windows{Window::parse("02:00-03:00 Europe/Paris").value()};
  EXPECT_EQ(next_opening(windows, utc(2026, 3, 28, 12, 0)), utc(2026, 3, 30, 0, 0));
}

TEST(WindowTest, WhatIsNoWindowIsRefused) {
  for (const char* wrong :
       {"", "01:00", "1:00-5:00", "01:00-25:00", "01:60-02:00", "24:00-01:00", "01:00–05:00",
        "01:00-05:00 Europe/Atlantis", "01:00-05:00 ", "01:00-24:30"}) {
    EXPECT_FALSE(Window::parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace miroir
