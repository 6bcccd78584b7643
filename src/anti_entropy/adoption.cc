#include "anti_entropy/adoption.h"

#include <algorithm>

#include "base/document.h"

namespace miroir::anti_entropy {

Result<std::string> text_to_adopt(const Copy& copy, const FieldNames& names, bool embedders) {
  MIROIR_TRY(const auto fields, top_level_fields(copy.text));
  std::vector<StoredField> expiry;
  for (const FieldView& field : fields) {
    if (!is_expiry(field.key, names)) continue;
    if (auto stored = shown_expiry(field.value)) {
      expiry.push_back({names.expires_at, std::move(*stored)});
    } else {
      MIROIR_TRY(std::string written, read_expiry(field.value));
      expiry.push_back({names.expires_at, std::move(written)});
    }
  }
  std::string bare;
  MIROIR_CHECK(append_without(bare, copy.text,
                              [&](std::string_view key) { return is_reserved(key, names); }));
  std::string text;
  append_spliced(text, bare, expiry);
  return text_to_write(text, embedders);
}

std::vector<Handled> leave_unadoptable(const Tools& tools, const IndexUnderTest& index,
                                       Settled& settled) {
  std::vector<Handled> left;
  std::vector<Judged> still;
  for (Judged& judged : settled.documents) {
    Result<std::string> text;
    if (judged.decision.action == Action::kAdopt) {
      text = text_to_adopt(*winner_of(judged.copies, judged.decision), tools.options.names,
                           index.embedders);
    }
    if (text) {
      still.push_back(std::move(judged));
    } else {
      left.push_back({.judged = std::move(judged),
                      .read_at = settled.read_at,
                      .repaired = false,
                      .outcome = "cannot be adopted: " + text.error().message});
    }
  }
  settled.documents = std::move(still);
  return left;
}

Result<std::vector<BodyRecord>> adopted_records(const std::vector<Judged>& documents,
                                                const FieldNames& names, bool embedders) {
  std::vector<BodyRecord> records;
  for (const auto& [copies, knowledge, decision] : documents) {
    if (decision.action != Action::kAdopt) continue;
    const Copy& winner = *winner_of(copies, decision);
    MIROIR_TRY(std::string text, text_to_adopt(winner, names, embedders));
    records.push_back({.slot = slot_of(copies.id),
                       .checksum = checksum_of(winner.content),
                       .id = copies.id,
                       .document = std::move(text)});
  }
  return records;
}

bool is_adopted(const Judged& before, const Judged& after, const std::set<Stamp>& stamps) {
  const Copy& winner = *winner_of(before.copies, before.decision);
  return std::ranges::all_of(after.copies.owners, [&](const Copy& copy) {
    return copy.present() && copy.stored.stamp && stamps.contains(*copy.stored.stamp) &&
           copy.checksum_holds() && copy.content == winner.content;
  });
}

}  // namespace miroir::anti_entropy
