// The canonical hash against the slow reference: it takes what the reference takes, is the same for
// every way to write a document, and for two documents exactly where their canonical texts are.
// Input: one text, or two with a byte 0xFF between them.
#include "base/content_hash.h"

#include <algorithm>

#include "base/reference_json_fake.h"
#include "fuzz/fuzz.h"

namespace miroir {
namespace {

using fuzz::expect;

struct Hashed {
  Hash128 hash;
  std::string canonical;
};

std::optional<Hashed> check(std::string_view text, DecimalReading reading) {
  const auto hash = content_hash(text, reading, nullptr);
  auto reference = reference_parse(text, reading);
  const bool document = reference && reference->value.type == ReferenceValue::Type::kObject &&
                        reference->depth <= kJsonDepthMax;
  expect(hash.has_value() == document, "hash and reference take the same texts", text);
  if (!document) return std::nullopt;

  Random random(xxh3_64(text));
  ReferenceWriter writer(random, reading);
  const std::string other = writer.text(reference->value);
  const auto again = content_hash(other, reading, nullptr);
  expect(again && *again == *hash, "another way to write it hashes alike", text, other);

  const auto skip = [](std::string_view key) { return key.starts_with('_'); };
  std::erase_if(reference->value.members, [&](const auto& member) { return skip(member.first); });
  const auto skipped = content_hash(text, reading, skip);
  const std::string without = writer.text(reference->value);
  expect(skipped && *skipped == *content_hash(without, reading, nullptr),
         "what is skipped does not count", text, without);
  return Hashed{*hash, canonical(reference_parse(text, reading)->value)};
}

}  // namespace
}  // namespace miroir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace miroir;
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t cut = std::min(input.find('\xFF'), size);
  for (const DecimalReading reading : {DecimalReading::kNode, DecimalReading::kNearest}) {
    const std::string_view one = input.substr(0, cut);
    const auto hashed = check(one, reading);
    if (!hashed || cut == size) continue;
    const std::string_view other = input.substr(cut + 1);
    const auto hashed_too = check(other, reading);
    if (!hashed_too) continue;
    fuzz::expect((hashed->hash == hashed_too->hash) == (hashed->canonical == hashed_too->canonical),
                 "hashes are equal exactly where the canonical texts are", one, other);
  }
  return 0;
}
