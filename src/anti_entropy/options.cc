#include "anti_entropy/options.h"

namespace miroir {
namespace {

std::string field_name(YamlBlock& block, std::string_view key, std::string fallback) {
  std::string name = block.string(key, std::move(fallback));
  const bool plain =
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  if (!name.starts_with(kReservedPrefix) || name.size() == kReservedPrefix.size() || !plain) {
    block.refuse(key, "a field name of a-z, 0-9 and _ that begins with `_miroir_`");
  } else if (name == kSlotField || name == kBaseField || name == kChecksumField ||
             name.starts_with("_miroir_digest_")) {
    block.refuse(key, "a field name that Miroir does not use for something else");
  }
  return name;
}

}  // namespace

AntiEntropyOptions parse_anti_entropy(YamlBlock block) {
  AntiEntropyOptions options;
  options.enabled = block.boolean("enabled", options.enabled);
  options.schedule = block.schedule("schedule", options.schedule);
  options.light_interval = block.duration("light_interval", options.light_interval);
  options.shards_per_pass =
      static_cast<std::uint32_t>(block.integer("shards_per_pass", 0, 0, 65'536));
  for (const std::string& text : block.strings("windows")) {
    if (auto window = Window::parse(text)) {
      options.windows.push_back(*window);
    } else {
      block.refuse("windows", "times like \"01:00-05:00 Europe/Paris\" (`" + text +
                                  "`: " + window.error().message + ")");
    }
  }
  options.max_read_concurrency = static_cast<std::size_t>(block.integer(
      "max_read_concurrency", static_cast<std::int64_t>(options.max_read_concurrency), 1, 64));
  options.fingerprint_batch_size = static_cast<std::size_t>(
      block.integer("fingerprint_batch_size",
                    static_cast<std::int64_t>(options.fingerprint_batch_size), 1, 100'000));
  options.auto_repair = block.boolean("auto_repair", options.auto_repair);
  options.names.updated_at = field_name(block, "updated_at_field", options.names.updated_at);
  options.names.expires_at = field_name(block, "expires_at_field", options.names.expires_at);
  if (options.names.updated_at == options.names.expires_at) {
    block.refuse("expires_at_field", "another name than that of `updated_at_field`");
  }
  options.tombstone_retention = block.duration("tombstone_retention", options.tombstone_retention);
  if (options.tombstone_retention < std::chrono::hours(1)) {
    block.refuse("tombstone_retention", "at least 1h");
  }
  YamlBlock breaker = block.block("breaker");
  options.breaker.share = breaker.number("share", options.breaker.share, 0, 1);
  options.breaker.min_documents = static_cast<std::uint64_t>(breaker.integer(
      "min_documents", static_cast<std::int64_t>(options.breaker.min_documents), 0, 1'000'000'000));
  options.audit_retention = block.duration("audit_retention", options.audit_retention);
  const std::string foreign =
      block.one_of("foreign_documents", "report", {"report", "adopt", "remove"});
  if (foreign == "adopt") options.foreign_documents = ForeignDocuments::kAdopt;
  if (foreign == "remove") options.foreign_documents = ForeignDocuments::kRemove;
  options.tie = block.one_of("tie", "quarantine", {"quarantine", "hash"}) == "hash"
                    ? TieRule::kHash
                    : TieRule::kQuarantine;
  return options;
}

}  // namespace miroir
