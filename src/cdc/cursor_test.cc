#include "cdc/cursor.h"

#include <gtest/gtest.h>

namespace miroir::cdc {
namespace {

TEST(CursorTest, NamesAnEntryOrAnEventOfIt) {
  EXPECT_EQ(to_string({12, Cursor::kWhole}), "12");
  EXPECT_EQ(to_string({12, 1}), "12-0");
  EXPECT_EQ(parse_cursor("12").value(), (Cursor{12, Cursor::kWhole}));
  EXPECT_EQ(parse_cursor("12-0").value(), (Cursor{12, 1}));
  EXPECT_EQ(parse_cursor("0").value().next(), 1U);
  EXPECT_EQ(parse_cursor("12-7").value().next(), 12U);
}

TEST(CursorTest, AnythingElseIsRefused) {
  for (const char* wrong : {"", "-", "-1", "12-", "1-2-3", " 1", "1 ", "+1", "x", "0x1", "1.5",
                            "18446744073709551616", "9223372036854775807"}) {
    EXPECT_FALSE(parse_cursor(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace miroir::cdc
