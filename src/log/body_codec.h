#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "log/entry.h"

namespace miroir {

// How records lie in a piece: one after another as slot, checksum, the sizes of id and document
// (little-endian, 2 + 8 + 4 + 4 bytes), id, document; the whole compressed.

inline constexpr std::size_t kPieceBytes = 1 << 20;  // a piece is closed once it holds as much

void append_record(std::string& piece, const BodyRecord& record);
std::string close_piece(std::string_view piece);
// kCorrupt: not what close_piece made. An error of `each` ends it.
Result<void> read_piece(std::string_view stored,
                        const std::function<Result<void>(BodyRecord)>& each);

}  // namespace miroir
