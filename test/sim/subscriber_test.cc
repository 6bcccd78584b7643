#include "sim/subscriber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace miroir::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string delivery(const std::string& cursor, const std::string& id) {
  return R"({"events":[{"cursor":")" + cursor +
         R"(","origin":"client","kind":"write","index":"books","id":")" + id + R"("}]})";
}

Change write(Position position, const std::string& id) {
  return {.position = position, .kind = "write", .index = "books", .id = id, .body = ""};
}

TEST(SubscriberTest, WhatIsToldAgainCountsOnce) {
  Subscriber subscriber;
  subscriber.take(delivery("3-0", "w1"));
  subscriber.take(delivery("3-1", "w2"));
  subscriber.take(delivery("3-0", "w1"));
  EXPECT_THAT(subscriber.take_wrong(), IsEmpty());
  EXPECT_EQ(subscriber.changes(), (std::vector{write(3, "w1"), write(3, "w2")}));
}

TEST(SubscriberTest, OtherOrderAndOtherWordsAreFound) {
  Subscriber subscriber;
  subscriber.take(delivery("3-1", "w1"));
  subscriber.take(delivery("3-0", "w2"));
  EXPECT_THAT(subscriber.take_wrong(), ElementsAre(HasSubstr("out of order")));
  subscriber.take(delivery("3-1", "w3"));
  EXPECT_THAT(subscriber.take_wrong(), ElementsAre(HasSubstr("tells otherwise")));
}

TEST(SubscriberTest, WhatWasToldOfALostLogIsVoid) {
  Subscriber subscriber;
  subscriber.take(delivery("3-0", "w1"));
  subscriber.take(delivery("4-0", "w2"));
  subscriber.log_went_back(3, {2});
  subscriber.take(delivery("4-0", "w3"));
  EXPECT_THAT(subscriber.take_wrong(), IsEmpty());
  EXPECT_EQ(subscriber.changes(), (std::vector{write(3, "w1"), write(4, "w3")}));
}

TEST(SubscriberTest, OnlyOfWhatALostLogLeftOpenAnotherEndIsTold) {
  Subscriber subscriber;
  subscriber.take(delivery("2-0", "w1"));
  subscriber.take(delivery("3-0", "w1"));
  subscriber.log_went_back(3, {2});
  subscriber.take(delivery("2-0", "w2"));
  EXPECT_THAT(subscriber.take_wrong(), IsEmpty());
  subscriber.take(delivery("3-0", "w2"));
  EXPECT_THAT(subscriber.take_wrong(), ElementsAre(HasSubstr("tells otherwise")));
}

TEST(SubscriberTest, MissingAndInventedChangesAreFound) {
  EXPECT_THAT(check_told({write(1, "w1")}, {write(1, "w1")}), IsEmpty());
  EXPECT_THAT(check_told({}, {write(1, "w1")}), ElementsAre(HasSubstr("does not tell")));
  EXPECT_THAT(check_told({write(1, "w1"), write(1, "w1")}, {write(1, "w1")}),
              ElementsAre(HasSubstr("did not happen")));
}

}  // namespace
}  // namespace miroir::sim
