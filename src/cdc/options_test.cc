#include "cdc/options.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

Result<CdcOptions> parse(std::string_view text) {
  auto block = YamlBlock::parse(text, "miroir.yaml");
  if (!block) return std::unexpected(block.error());
  CdcOptions options = parse_cdc(*block);
  MIROIR_CHECK(block->finish());
  return options;
}

TEST(CdcOptionsTest, NamesAndDefaultsAreTheOriginals) {
  const CdcOptions defaults = parse("enabled: true").value();
  EXPECT_TRUE(defaults.enabled);
  EXPECT_FALSE(CdcOptions().enabled);
  EXPECT_TRUE(defaults.sinks.empty());
  EXPECT_EQ(defaults.retention, std::chrono::hours(24));
  EXPECT_FALSE(defaults.emit_ttl_deletes);
  EXPECT_FALSE(defaults.emit_internal_writes);

  const CdcOptions options =
      parse(
          "retention: 2h\nemit_ttl_deletes: true\nemit_internal_writes: true\nsinks:\n"
          "  - {id: audit, url: \"http://10.0.0.1:8080/changes?x=1\", secret: s, bodies: false}\n"
          "  - {id: mirror, url: \"http://mirror\", secret: t}\n")
          .value();
  EXPECT_EQ(options.retention, std::chrono::hours(2));
  EXPECT_TRUE(options.emit_ttl_deletes);
  EXPECT_TRUE(options.emit_internal_writes);
  ASSERT_EQ(options.sinks.size(), 2U);
  EXPECT_EQ(options.sinks[0].id, "audit");
  EXPECT_EQ(options.sinks[0].url, "http://10.0.0.1:8080/changes?x=1");
  EXPECT_EQ(options.sinks[0].secret, "s");
  EXPECT_FALSE(options.sinks[0].bodies);
  EXPECT_TRUE(options.sinks[1].bodies);
}

TEST(CdcOptionsTest, RefusalsNameLineAndKey) {
  for (const auto& [text, key] : std::vector<std::pair<std::string, std::string>>{
           {"retention: 1", "retention"},
           {"sinks: {id: a}", "sinks"},
           {"sinks: [{url: \"http://a\", secret: s}]", "id"},
           {"sinks: [{id: a, secret: s}]", "url"},
           {"sinks: [{id: a, url: \"http://a\"}]", "secret"},
           {"sinks: [{id: a, url: \"http://a\", secret: \"\"}]", "secret"},
           {"sinks: [{id: a, url: \"https://a\", secret: s}]", "url"},
           {"sinks: [{id: a, url: \"http://a/b c\", secret: s}]", "url"},
           {"sinks: [{id: a, url: \"http://a\", secret: s, body: true}]", "body"},
           {"sinks: [{id: a, url: \"http://a\", secret: s}, {id: a, url: \"http://b\", secret: s}]",
            "id"},
           {"emit_deletes: true", "emit_deletes"}}) {
    const auto options = parse(text);
    ASSERT_FALSE(options) << text;
    EXPECT_NE(options.error().message.find("miroir.yaml:1"), std::string::npos) << text;
    EXPECT_NE(options.error().message.find(key), std::string::npos) << options.error().message;
  }
}

}  // namespace
}  // namespace miroir
