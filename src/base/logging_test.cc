#include "base/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace miroir {
namespace {

using testing::HasSubstr;

class LoggingTest : public testing::Test {
 protected:
  void TearDown() override { configure_logging(LogLevel::kInfo, LogFormat::kText); }

  template <class Act>
  std::string captured(Act act) {
    testing::internal::CaptureStderr();
    act();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LoggingTest, JsonLineHoldsEventLevelTimeAndFields) {
  configure_logging(LogLevel::kInfo, LogFormat::kJson);
  const std::string line = captured([] {
    log_warning("node is away", {{"node", "a\"1\"\n"},
                                 {"count", 3},
                                 {"share", 0.5},
                                 {"new", true},
                                 {"bytes", std::string("\xFFz\x01", 3)}});
  });
  ASSERT_TRUE(line.ends_with("\n"));
  const auto value = parse_json(line);
  ASSERT_TRUE(value) << line;
  EXPECT_EQ(value->find("event")->as_string(), "node is away");
  EXPECT_EQ(value->find("level")->as_string(), "warning");
  EXPECT_EQ(value->find("time")->as_string().size(), 27u);
  EXPECT_EQ(value->find("node")->as_string(), "a\"1\"\n");
  EXPECT_EQ(value->find("count")->as_int64(), 3);
  EXPECT_EQ(value->find("share")->as_double(), 0.5);
  EXPECT_TRUE(value->find("new")->as_bool());
  EXPECT_EQ(value->find("bytes")->as_string(), "?z\x01");
}

TEST_F(LoggingTest, TextLineIsOneLineWhateverTheFieldsHold) {
  configure_logging(LogLevel::kInfo, LogFormat::kText);
  const std::string line = captured([] { log_info("started", {{"url", "a\nb"}, {"port", 7700}}); });
  EXPECT_THAT(line, HasSubstr("info started url=\"a\\nb\" port=7700\n"));
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
}

TEST_F(LoggingTest, LinesBelowTheLevelAreDropped) {
  configure_logging(LogLevel::kWarning, LogFormat::kText);
  EXPECT_EQ(captured([] {
              log_debug("a");
              log_info("b");
            }),
            "");
  EXPECT_THAT(captured([] { log_error("c"); }), HasSubstr("error c\n"));
}

}  // namespace
}  // namespace miroir
