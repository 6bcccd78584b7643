#include "http/chunked.h"

#include <algorithm>
#include <charconv>

namespace miroir::http {

Result<void> ChunkedDecoder::end_line() {
  if (line_.empty() || line_.back() != '\r') {
    return fail(ErrorCode::kInvalid, "a line of a chunked body does not end in CRLF");
  }
  line_.pop_back();
  if (line_.find('\r') != std::string::npos) {
    return fail(ErrorCode::kInvalid, "a stray CR in a chunked body");
  }
  if (state_ == State::kDataEnd) {
    if (!line_.empty()) return fail(ErrorCode::kInvalid, "a chunk is longer than it says");
    state_ = State::kSize;
  } else if (state_ == State::kTrailer) {
    trailer_bytes_ += line_.size() + 2;
    if (trailer_bytes_ > 16 * kLineMax) return fail(ErrorCode::kInvalid, "trailers are too long");
    if (line_.empty()) state_ = State::kDone;
  } else {
    const std::size_t end = std::min(line_.find_first_of("; \t"), line_.size());
    const auto parsed = std::from_chars(line_.data(), line_.data() + end, left_, 16);
    if (end == 0 || parsed.ec != std::errc() || parsed.ptr != line_.data() + end) {
      return fail(ErrorCode::kInvalid, "a chunk size is malformed");
    }
    state_ = left_ == 0 ? State::kTrailer : State::kData;
  }
  line_.clear();
  return {};
}

Result<std::size_t> ChunkedDecoder::feed(std::string_view bytes, std::string& body) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const std::uint64_t take = std::min<std::uint64_t>(left_, bytes.size() - at);
      if (body.size() + left_ > size_max_)
        return fail(ErrorCode::kTooLarge, "the body is too large");
      body.append(bytes, at, take);
      at += take;
      left_ -= take;
      if (left_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const std::size_t newline = bytes.find('\n', at);
    const std::size_t end = std::min(newline, bytes.size());
    line_.append(bytes, at, end - at);
    if (line_.size() > kLineMax)
      return fail(ErrorCode::kInvalid, "a line of a chunked body is too long");
    at = end;
    if (newline == std::string_view::npos) break;
    ++at;
    MIROIR_CHECK(end_line());
  }
  return at;
}

}  // namespace miroir::http
