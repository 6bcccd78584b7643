// Chunked bodies against a slow reference that has all bytes at once: however they arrive, the
// body, its end and whether it is refused are the same. Input: a byte for the sizes in which they
// arrive, and the bytes.
#include <algorithm>
#include <functional>
#include <optional>

#include "base/hash.h"
#include "base/random.h"
#include "fuzz/fuzz.h"
#include "http/chunked.h"

namespace miroir::http {
namespace {

using fuzz::expect;

constexpr std::uint64_t kSizeMax = 5'000;

struct Decoded {
  bool failed = false;
  bool done = false;
  std::size_t taken = 0;  // where it did not fail
  std::string body;
  std::string describe() const {
    return std::string(failed ? "failed"
                       : done ? "done"
                              : "open") +
           " after " + std::to_string(taken) + ": " + body;
  }
};

Decoded fed(std::string_view bytes, const std::function<std::size_t()>& size) {
  Decoded decoded;
  ChunkedDecoder decoder(kSizeMax);
  while (!decoder.done() && decoded.taken < bytes.size()) {
    const std::string_view part = bytes.substr(decoded.taken, size());
    const auto taken = decoder.feed(part, decoded.body);
    if (!taken) return {.failed = true, .done = false, .taken = 0, .body = ""};
    expect(*taken == part.size() || decoder.done(), "only an end leaves bytes", bytes);
    decoded.taken += *taken;
  }
  decoded.done = decoder.done();
  expect(decoded.body.size() <= kSizeMax, "never more than was allowed", bytes);
  return decoded;
}

// Line by line; nullopt: it refuses. Bounds on what is ignored are left to the tests of the
// decoder.
std::optional<Decoded> reference(std::string_view bytes) {
  Decoded decoded;
  std::size_t at = 0;
  // A whole line without its end; nullopt where it is not there yet.
  const auto line = [&]() -> std::optional<std::string_view> {
    const std::size_t end = bytes.find('\n', at);
    if (end == bytes.npos) return std::nullopt;
    const std::string_view all = bytes.substr(at, end - at);
    at = end + 1;
    return all;
  };
  const auto is_clean = [](std::string_view text) {
    return text.ends_with('\r') &&
           std::ranges::all_of(text.substr(0, text.size() - 1),
                               [](unsigned char c) { return c == '\t' || (c >= 32 && c != 127); });
  };
  const auto open = [&] {
    decoded.taken = bytes.size();
    return decoded;
  };
  std::uint64_t total = 0;
  while (true) {
    const auto size_line = line();
    if (!size_line) return open();
    if (!is_clean(*size_line)) return std::nullopt;
    std::uint64_t size = 0;
    std::size_t digits = 0;
    while (std::isxdigit(static_cast<unsigned char>((*size_line)[digits])) != 0) {
      size = size * 16 + static_cast<std::uint64_t>(
                             std::stoi(std::string(1, (*size_line)[digits]), nullptr, 16));
      if (++digits > 16) return std::nullopt;
    }
    std::size_t rest = digits;
    while ((*size_line)[rest] == ' ' || (*size_line)[rest] == '\t') ++rest;
    const char after = (*size_line)[rest];
    if (digits == 0 || (after != ';' && !(after == '\r' && rest == digits))) return std::nullopt;
    if (size > kSizeMax - total) return std::nullopt;
    total += size;
    if (size == 0) break;
    const std::size_t there = std::min<std::size_t>(size, bytes.size() - at);
    decoded.body += bytes.substr(at, there);
    at += there;
    if (there < size) return open();
    const auto end = line();
    if (!end) return open();
    if (*end != "\r") return std::nullopt;
  }
  while (true) {
    const auto trailer = line();
    if (!trailer) return open();
    if (!is_clean(*trailer)) return std::nullopt;
    if (*trailer == "\r") break;
  }
  decoded.done = true;
  decoded.taken = at;
  return decoded;
}

void check(std::string_view bytes, std::uint64_t seed) {
  Random random(seed);
  const Decoded whole = fed(bytes, [] { return std::string_view::npos; });
  const Decoded single = fed(bytes, [] { return std::size_t{1}; });
  const Decoded pieces = fed(bytes, [&] { return 1 + static_cast<std::size_t>(random.below(9)); });
  // Fed in pieces it may fail before it has seen that the body, as far as it came, is one.
  expect(whole.describe() == single.describe(), "byte by byte", bytes, whole.describe(),
         single.describe());
  expect(whole.describe() == pieces.describe(), "in pieces", bytes, whole.describe(),
         pieces.describe());
  const auto slow = reference(bytes);
  if (bytes.size() < 4'000) {  // beyond, bounds on lines
    expect(whole.failed == !slow, "decoder and reference refuse the same", bytes, whole.describe());
    if (slow)
      expect(whole.describe() == slow->describe(), "the reference's body", bytes, whole.describe(),
             slow->describe());
  }
}

void check_encoded(std::string_view body, std::uint64_t seed) {
  Random random(seed);
  std::string bytes;
  for (std::size_t at = 0; at < body.size();) {
    const std::string_view chunk = body.substr(at, 1 + random.below(40));
    char size[32];
    std::snprintf(size, sizeof size, random.chance(0.5) ? "%zx\r\n" : "%04zX ;ext=1\r\n",
                  chunk.size());
    bytes.append(size).append(chunk).append("\r\n");
    at += chunk.size();
  }
  bytes += random.chance(0.5) ? "0\r\n\r\nnext" : "0\r\nTrailer: x\r\n\r\nnext";
  const Decoded decoded = fed(bytes, [&] { return 1 + static_cast<std::size_t>(random.below(9)); });
  if (body.size() > kSizeMax) return;
  expect(decoded.done && decoded.body == body, "what was encoded", body, bytes);
}

}  // namespace
}  // namespace miroir::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace miroir;
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::text_of(data + 1, size - 1);
  http::check(bytes, data[0]);
  http::check_encoded(bytes, xxh3_64(bytes));
  return 0;
}
