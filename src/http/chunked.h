#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace miroir::http {

// Decodes a chunked body as its bytes arrive. Extensions are ignored, trailers dropped; a body
// beyond `size_max` is kTooLarge, anything malformed kInvalid.
class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(std::uint64_t size_max) : size_max_(size_max) {}

  // Appends what `bytes` hold of the body to `body`; returns how many of them were taken. Not all
  // are where the body has ended: the rest belongs to the next message.
  Result<std::size_t> feed(std::string_view bytes, std::string& body);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer, kDone };
  static constexpr std::size_t kLineMax = 4'096;

  Result<void> end_line();

  std::uint64_t size_max_;
  State state_ = State::kSize;
  std::string line_;
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace miroir::http
