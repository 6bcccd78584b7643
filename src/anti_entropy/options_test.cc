#include "anti_entropy/options.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

Result<AntiEntropyOptions> parse(std::string_view text) {
  auto block = YamlBlock::parse(text, "miroir.yaml");
  if (!block) return std::unexpected(block.error());
  AntiEntropyOptions options = parse_anti_entropy(*block);
  MIROIR_CHECK(block->finish());
  return options;
}

std::string refusal(std::string_view text) {
  auto options = parse(text);
  return options ? "accepted" : options.error().message;
}

TEST(AntiEntropyOptionsTest, NamesAndDefaultsAreTheOriginals) {
  const AntiEntropyOptions options =
      parse("schedule: \"every 2h\"\nauto_repair: false\ntie: hash\n").value();
  EXPECT_TRUE(options.enabled);
  EXPECT_EQ(options.schedule, std::chrono::hours(2));
  EXPECT_EQ(options.light_interval, std::chrono::seconds(60));
  EXPECT_EQ(options.max_read_concurrency, 2U);
  EXPECT_EQ(options.fingerprint_batch_size, 1'000U);
  EXPECT_FALSE(options.auto_repair);
  EXPECT_EQ(options.tie, TieRule::kHash);
  EXPECT_EQ(options.foreign_documents, ForeignDocuments::kReport);
  EXPECT_EQ(parse("foreign_documents: adopt").value().foreign_documents, ForeignDocuments::kAdopt);
  EXPECT_EQ(parse("foreign_documents: remove").value().foreign_documents,
            ForeignDocuments::kRemove);
  EXPECT_EQ(options.breaker.share, 0.05);
  EXPECT_EQ(options.breaker.min_documents, 100U);
  EXPECT_EQ(parse("breaker:\n  share: 0.5\n  min_documents: 7\n").value().breaker.min_documents,
            7U);
  EXPECT_EQ(options.names.updated_at, "_miroir_updated_at");
  EXPECT_EQ(parse("enabled: true").value().schedule, std::chrono::hours(6));
}

TEST(AntiEntropyOptionsTest, RefusalsNameLineKeyAndWhatWasExpected) {
  const std::string schedule = refusal("enabled: true\nschedule: \"6 hours\"\n");
  EXPECT_NE(schedule.find("miroir.yaml:2"), std::string::npos) << schedule;
  EXPECT_NE(schedule.find("schedule"), std::string::npos) << schedule;
  for (const char* wrong :
       {"light_interval: 60", "light_interval: 0s", "enabled: yes", "max_read_concurrency: 0",
        "fingerprint_batch_size: many", "auto_repair: 1", "foreign_documents: maybe", "tie: coin",
        "tombstone_retention: 5m", "shards_per_page: 3", "updated_at_field: stamp",
        "updated_at_field: _miroir_slot", "expires_at_field: _miroir_updated_at"}) {
    const std::string message = refusal(wrong);
    EXPECT_NE(message.find("miroir.yaml:1"), std::string::npos) << wrong << " → " << message;
    const std::string key = std::string(wrong).substr(0, std::string_view(wrong).find(':'));
    EXPECT_NE(message.find(key), std::string::npos) << wrong << " → " << message;
  }
  EXPECT_EQ(
      parse("windows: [\"01:00-05:00 Europe/Paris\", \"12:00-13:00\"]\n").value().windows.size(),
      2U);
  EXPECT_NE(refusal("windows: [\"01:00-05:00 Atlantis\"]\n").find("Atlantis"), std::string::npos);
  EXPECT_EQ(parse("shards_per_pass: 7\n").value().shards_per_pass, 7U);
  EXPECT_NE(refusal("breaker:\n  share: 1.5\n").find("breaker.share"), std::string::npos);
}

}  // namespace
}  // namespace miroir
