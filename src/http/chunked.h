#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace miroir::http {

// Decodes a chunked body as its bytes arrive. Extensions are ignored, trailers dropped, and both
// bounded; a body beyond `size_max` is kTooLarge as soon as a chunk announces it, anything
// malformed kInvalid. After an error the decoder is not fed again.
class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(std::uint64_t size_max) : room_(size_max) {}

  // Appends what `bytes` hold of the body to `body`; returns how many of them were taken. Not all
  // are where the body has ended: the rest belongs to the next message.
  Result<std::size_t> feed(std::string_view bytes, std::string& body);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer, kDone };

  Result<void> end_line();
  Result<void> begin_chunk();
  Result<void> count_ignored(std::size_t bytes);

  State state_ = State::kSize;
  std::string line_;
  std::uint64_t room_;      // of the body, not yet announced by a chunk
  std::uint64_t left_ = 0;  // of this chunk
  std::size_t ignored_bytes_ = 0;
};

}  // namespace miroir::http
