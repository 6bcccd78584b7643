#include "log/body_codec.h"

#include <concepts>
#include <limits>

#include "base/assert.h"
#include "base/compress.h"

namespace miroir {
namespace {

// One document may be as large as a request; nothing we wrote is larger.
constexpr std::size_t kPieceBytesMax = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kHeaderBytes = 2 + 8 + 4 + 4;

template <std::unsigned_integral I>
void append_number(std::string& out, I number) {
  for (std::size_t i = 0; i < sizeof(I); ++i)
    out += static_cast<char>(static_cast<unsigned char>(std::uint64_t{number} >> (8 * i)));
}

template <std::unsigned_integral I>
I take_number(std::string_view& text) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(I); ++i)
    number |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  text.remove_prefix(sizeof(I));
  return static_cast<I>(number);
}

}  // namespace

void append_record(std::string& piece, const BodyRecord& record) {
  MIROIR_ASSERT(record.id.size() <= kPieceBytesMax && record.document.size() <= kPieceBytesMax);
  append_number(piece, record.slot);
  append_number(piece, record.checksum);
  append_number(piece, static_cast<std::uint32_t>(record.id.size()));
  append_number(piece, static_cast<std::uint32_t>(record.document.size()));
  piece += record.id;
  piece += record.document;
}

std::string close_piece(std::string_view piece) { return compress(piece); }

Result<void> read_piece(std::string_view stored,
                        const std::function<Result<void>(BodyRecord)>& each) {
  MIROIR_TRY(const std::string piece, decompress(stored, kPieceBytesMax));
  std::string_view rest = piece;
  while (!rest.empty()) {
    if (rest.size() < kHeaderBytes) return fail(ErrorCode::kCorrupt, "a body's piece is cut off");
    BodyRecord record;
    record.slot = take_number<EntrySlot>(rest);
    record.checksum = take_number<std::uint64_t>(rest);
    const std::size_t id = take_number<std::uint32_t>(rest);
    const std::size_t document = take_number<std::uint32_t>(rest);
    if (rest.size() < id + document) return fail(ErrorCode::kCorrupt, "a body's piece is cut off");
    record.id = rest.substr(0, id);
    record.document = rest.substr(id, document);
    rest.remove_prefix(id + document);
    MIROIR_CHECK(each(std::move(record)));
  }
  return {};
}

}  // namespace miroir
