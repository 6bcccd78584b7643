#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "base/document.h"
#include "base/json_scan.h"
#include "base/random.h"

namespace miroir {
namespace {

struct Reading {
  std::string_view text;
  std::string_view answer;
};

// What a real node answered for documents with these numbers. The first half differs from the
// nearest double.
constexpr Reading kSeenOnANode[] = {
    {"-912459.3248760339", "-912459.324876034"},
    {"1.1139327532708263e-212", "1.1139327532708264e-212"},
    {"2.4745687862941087e-42", "2.474568786294109e-42"},
    {"-1.2613672881750225e-274", "-1.2613672881750223e-274"},
    {"119329.13352538443315291932451", "119329.13352538444"},
    {"-1844674407370955161723.4e-300", "-1.8446744073709554e-279"},
    {"411E+187", "4.1099999999999997e+189"},
    {"6.0533123219135064e+41", "6.053312321913507e+41"},
    {"3.271416979690659e-180", "3.2714169796906593e-180"},
    {"8.1657193487810439910e240", "8.165719348781045e+240"},
    {"0.9377726235121155", "0.9377726235121157"},
    {"2.3046378678619483e+111", "2.3046378678619485e+111"},
    {"1757290396285454230e96", "1.7572903962854545e+114"},
    {"0.00000055739241412316221793372280075", "5.573924141231621e-7"},
    {"794247.44693268804860281", "794247.4469326881"},
    {"5.107E-240", "5.106999999999999e-240"},
    {"11e29", "1.0999999999999999e+30"},
    {"1844674407370955161533.51776e-300", "1.8446744073709554e-279"},
    {"-1.581147652441937e+272", "-1.581147652441937e+272"},
    {"939334101577148356", "939334101577148356"},
    {"75957106029721669e4", "7.595710602972167e+20"},
    {"475859.130146764779360279", "475859.1301467648"},
    {"-8.401526871151908E-321", "-8.4e-321"},
    {"0.000000000000158879", "1.58879e-13"},
    {"18446744073709551615", "18446744073709551615"},
    {"18446744073709551616", "1.8446744073709552e+19"},
    {"-9223372036854775809", "-9.223372036854776e+18"},
    {"1e16", "1e+16"},
    {"1e300", "1e+300"},
    {"1e-5", "0.00001"},
    {"1e-6", "1e-6"},
    {"1e2", "100.0"},
    {"1e-999", "0.0"},
    {"-0", "-0.0"},
};

TEST(NodeDecimalTest, ReadsAndPrintsAsARealNode) {
  for (const auto& [text, answer] : kSeenOnANode) {
    const auto read = parse_json(text, DecimalReading::kNode);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(to_text(*read), answer) << text;
  }
}

TEST(NodeDecimalTest, NearestReadingDiffers) {
  EXPECT_NE(read_as_node("411E+187"), nearest_double("411E+187"));
  EXPECT_EQ(nearest_double("411E+187"), 411E+187);
}

TEST(NodeDecimalTest, WhatANodeRefusesIsInfinite) {
  for (const char* text : {"1e999", "1.7976931348623158e308", "179769313486231570000e288",
                           "1e99999999999", "-577509e401"}) {
    EXPECT_TRUE(std::isinf(read_as_node(text))) << text;
  }
  EXPECT_EQ(read_as_node("0e99999999999"), 0);
  EXPECT_EQ(read_as_node("1e-99999999999"), 0);
}

std::string digits(Random& random, std::uint64_t count) {
  std::string text;
  for (std::uint64_t i = 0; i < count; ++i) text += static_cast<char>('0' + random.below(10));
  return text;
}

std::string any_decimal(Random& random) {
  const std::string sign = random.chance(0.5) ? "-" : "";
  switch (random.below(4)) {
    case 0:
      return sign + std::to_string(random.below(100'000)) + "." +
             digits(random, 1 + random.below(24));
    case 1:
      return sign + std::to_string(1 + random.below(9)) + "." +
             digits(random, 1 + random.below(22)) + "e" +
             std::to_string(static_cast<int>(random.below(630)) - 325);
    case 2:
      return sign + "0." + std::string(random.below(20), '0') +
             digits(random, 1 + random.below(25));
    default:
      return sign + std::to_string(random.next()) + digits(random, random.below(5)) + "e-" +
             std::to_string(random.below(340));
  }
}

TEST(NodeDecimalTest, EveryValueANodeCanHoldHasATextThatItReadsBack) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < 500; ++i) {
      const std::string given = any_decimal(random);
      const double held = read_as_node(given);
      if (!std::isfinite(held)) continue;
      const std::string text = text_for_node(held);
      if (read_as_node(text) != held) RC_FAIL(given + " is held as " + text);
      if (!is_number_text(text)) RC_FAIL(text + " is no number");
    }
  }));
}

TEST(NodeDecimalTest, ShortestTextIsKeptWhereItReadsBack) {
  EXPECT_EQ(text_for_node(0.5), "0.5");
  EXPECT_EQ(text_for_node(100), "100.0");
  EXPECT_EQ(text_for_node(-0.0), "-0.0");
  EXPECT_NE(text_for_node(4.1099999999999997e+189), "4.1099999999999997e+189");
}

}  // namespace
}  // namespace miroir
