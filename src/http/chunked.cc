#include "http/chunked.h"

#include <algorithm>
#include <charconv>

#include "http/head_parser.h"

namespace miroir::http {
namespace {

constexpr std::size_t kLineMax = 4'096;
constexpr std::size_t kIgnoredBytesMax = 64 * 1024;  // extensions and trailers of one body
constexpr std::size_t kSizeDigitsMax = 16;

std::unexpected<Error> malformed(std::string message) {
  return fail(ErrorCode::kInvalid, std::move(message));
}

}  // namespace

Result<void> ChunkedDecoder::count_ignored(std::size_t bytes) {
  ignored_bytes_ += bytes;
  if (ignored_bytes_ > kIgnoredBytesMax) {
    return malformed("too many extensions or trailers in a chunked body");
  }
  return {};
}

Result<void> ChunkedDecoder::begin_chunk() {
  const std::string_view line = line_;
  const std::size_t digits =
      std::min(line.find_first_not_of("0123456789abcdefABCDEF"), line.size());
  if (digits == 0 || digits > kSizeDigitsMax) return malformed("a chunk size is malformed");
  std::from_chars(line.data(), line.data() + digits, left_, 16);
  // Only an extension may follow, and spaces only before one.
  const std::string_view extension = line.substr(digits);
  const std::size_t start = extension.find_first_not_of(" \t");
  if (!extension.empty() && (start == std::string_view::npos || extension[start] != ';')) {
    return malformed("a chunk size is malformed");
  }
  MIROIR_CHECK(count_ignored(extension.size()));
  if (left_ > room_) return fail(ErrorCode::kTooLarge, "the body is too large");
  room_ -= left_;
  state_ = left_ == 0 ? State::kTrailer : State::kData;
  return {};
}

Result<void> ChunkedDecoder::end_line() {
  if (line_.empty() || line_.back() != '\r') {
    return malformed("a line of a chunked body does not end in CRLF");
  }
  line_.pop_back();
  if (!is_field_value(line_)) return malformed("a control character in a chunked body's framing");
  switch (state_) {
    case State::kSize:
      MIROIR_CHECK(begin_chunk());
      break;
    case State::kDataEnd:
      if (!line_.empty()) return malformed("a chunk is longer than it says");
      state_ = State::kSize;
      break;
    default:
      MIROIR_CHECK(count_ignored(line_.size()));
      if (line_.empty()) state_ = State::kDone;
  }
  line_.clear();
  return {};
}

Result<std::size_t> ChunkedDecoder::feed(std::string_view bytes, std::string& body) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const std::size_t take = std::min<std::uint64_t>(left_, bytes.size() - at);
      body.append(bytes, at, take);
      at += take;
      left_ -= take;
      if (left_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const std::size_t newline = bytes.find('\n', at);
    const std::size_t end = std::min(newline, bytes.size());
    if (line_.size() + (end - at) > kLineMax) {
      return malformed("a line of a chunked body is too long");
    }
    line_.append(bytes, at, end - at);
    at = end;
    if (newline == std::string_view::npos) break;
    ++at;
    MIROIR_CHECK(end_line());
  }
  return at;
}

}  // namespace miroir::http
