#include "ttl/options.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

Result<TtlOptions> parse(const std::string& text) {
  MIROIR_TRY(YamlBlock document, YamlBlock::parse("ttl:\n" + text, "miroir.yaml"));
  TtlOptions options = parse_ttl(document.block("ttl"));
  MIROIR_CHECK(document.finish());
  return options;
}

TEST(TtlOptionsTest, NothingExpiresUnlessItIsSaid) {
  const auto options = parse("  {}\n");
  ASSERT_TRUE(options);
  EXPECT_FALSE(options->enabled);
  EXPECT_EQ(options->policy, (TtlPolicy{Seconds(300), 10'000}));
}

TEST(TtlOptionsTest, AnIndexHasWhatIsSaidOfItBeforeWhatIsSaidOfAll) {
  const auto options = parse(
      "  enabled: true\n  sweep_interval_s: 60\n"
      "  per_index_overrides: [{index: sessions, max_deletes_per_sweep: 5}]\n");
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_TRUE(options->enabled);
  EXPECT_EQ(apply(options->policy, options->per_index.at("sessions")), (TtlPolicy{Seconds(60), 5}));
}

TEST(TtlOptionsTest, WhatCannotBeIsRefused) {
  for (const char* wrong : {"  sweep_interval_s: 0\n", "  max_deletes_per_sweep: 0\n",
                            "  sweep: 5\n", "  per_index_overrides: [{sweep_interval_s: 5}]\n",
                            "  per_index_overrides: [{index: a, interval: 5}]\n",
                            "  per_index_overrides: [{index: \"a b\"}]\n",
                            "  per_index_overrides: [{index: a}, {index: a}]\n"}) {
    EXPECT_FALSE(parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace miroir
