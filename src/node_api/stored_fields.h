#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/document.h"
#include "base/hash.h"
#include "base/result.h"

namespace miroir {

// The fields that Miroir stores in every document (DESIGN.md, "Stored fields"), and the alphabet
// that keeps them out of search: octal digits as `!()*;?[]`, fixed width, so that text order is
// numeric order.

// 16-bit hash of the primary key's string form; the unit of placement.
using Slot = std::uint16_t;
Slot slot_of(std::string_view id);

// First and last slot, both included.
struct SlotRange {
  Slot first = 0;
  Slot last = 0xFFFF;
  bool contains(Slot slot) const { return first <= slot && slot <= last; }
  bool is_all() const { return first == 0 && last == 0xFFFF; }
  auto operator<=>(const SlotRange&) const = default;
};

// `_miroir_updated_at`: microseconds since the UNIX epoch of the client's entry that last wrote the
// document. Rises strictly with the position.
using Stamp = std::uint64_t;
inline constexpr Stamp kStampMax = (Stamp{1} << 54) - 1;

inline constexpr int kDigestPositions = 3;
inline constexpr int kDigestSymbols = 100;
// One symbol of 0..99 for each position, from XXH3(id ‖ stamp).
using DigestSymbols = std::array<std::uint8_t, kDigestPositions>;
DigestSymbols digest_of(std::string_view id, Stamp stamp);

// The lowest 48 bits of the content hash.
using Checksum = std::uint64_t;
Checksum checksum_of(const Hash128& content);

// Their names. Stamp and expiry can be renamed in the configuration.
struct FieldNames {
  std::string updated_at = "_miroir_updated_at";
  std::string expires_at = "_miroir_expires_at";
  bool expiry = false;  // documents may expire: clients write and see `expires_at`
};
inline constexpr std::string_view kReservedPrefix = "_miroir_";
inline constexpr std::string_view kSlotField = "_miroir_slot";
inline constexpr std::string_view kBaseField = "_miroir_base";
inline constexpr std::string_view kChecksumField = "_miroir_checksum";
inline constexpr std::array<std::string_view, kDigestPositions> kDigestFields = {
    "_miroir_digest_0", "_miroir_digest_1", "_miroir_digest_2"};
// Whether the field is ours.
bool is_reserved(std::string_view key, const FieldNames& names);
// Whether it is the one of ours that clients write and see all the same.
bool is_expiry(std::string_view key, const FieldNames& names);

// Text forms, without quotes: slot 6, stamps 18, symbol 3, checksum 16 characters.
std::string encode_slot(Slot slot);
std::string encode_stamp(Stamp stamp);
std::string encode_symbol(std::uint8_t symbol);
std::string encode_checksum(Checksum checksum);
std::optional<Slot> decode_slot(std::string_view text);
std::optional<Stamp> decode_stamp(std::string_view text);
std::optional<std::uint8_t> decode_symbol(std::string_view text);
std::optional<Checksum> decode_checksum(std::string_view text);

// The stored fields of one copy, as read. A missing or malformed field is nullopt.
struct StoredFields {
  std::optional<Slot> slot;
  std::optional<Stamp> stamp;
  std::optional<Stamp> base;
  std::optional<Checksum> checksum;
  std::optional<DigestSymbols> digest;
  std::optional<std::int64_t> expires_at;  // milliseconds since epoch
  bool operator==(const StoredFields&) const = default;
};

// An expiry has two texts: the client's, milliseconds since the UNIX epoch or null for none; and the
// stored one, of our alphabet.
Result<std::string> read_expiry(std::string_view client);  // whole, below 2^53; in plain digits
std::optional<std::string> shown_expiry(std::string_view stored);
std::string encode_expiry(std::int64_t milliseconds);  // without quotes, as the others

// Appends a client's document with these fields added, and its expiry, if it has one, as it is
// stored.
void append_stored(std::string& out, std::string_view document, std::vector<StoredField> fields,
                   const FieldNames& names);

// What a whole write stores: everything. What a merge (PUT) stores: slot, stamp, digest, leaving
// base and checksum.
std::vector<StoredField> fields_of_whole_write(std::string_view id, Stamp stamp, Checksum checksum,
                                               const FieldNames& names);
std::vector<StoredField> fields_of_merge(std::string_view id, Stamp stamp, const FieldNames& names);

// A copy of a document, parsed out of what a node answered.
struct DocumentCopy {
  std::string id;
  StoredFields stored;
  std::string
      text;  // as the node answered, stored fields included; empty where only stamps were asked for
};
Result<DocumentCopy> parse_copy(std::string text, std::string_view primary_key,
                                const FieldNames& names);

// The content hash of what a node answered (kNearest), without the stored fields and the expiry.
Result<Hash128> content_hash_of_copy(std::string_view text, const FieldNames& names);

}  // namespace miroir
