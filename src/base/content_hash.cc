#include "base/content_hash.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/document.h"
#include "base/json_scan.h"

namespace miroir {
namespace {

// Every value becomes a tagged byte string, hashed; containers hash the hashes of what they hold,
// so that no two different values share an encoding. Members are summed (order does not count),
// elements are concatenated (it does).
enum class Tag : char {
  kNull = 'n',
  kTrue = 't',
  kFalse = 'f',
  kInteger = 'i',
  kDecimal = 'd',
  kString = 's',
  kArray = 'a',
  kObject = 'o'
};

Hash128 hash_of(Tag tag, std::string_view bytes) {
  std::string tagged(1, static_cast<char>(tag));
  tagged += bytes;
  return xxh3_128(tagged);
}

void append_bytes(std::string& out, const auto& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Integers by sign and magnitude, so that i64 and u64 meet.
Hash128 hash_integer(bool negative, std::uint64_t magnitude) {
  std::string bytes(1, negative ? '-' : '+');
  append_bytes(bytes, magnitude);
  return hash_of(Tag::kInteger, bytes);
}

Hash128 hash_double(double value) {
  constexpr double kTwoTo64 = 18446744073709551616.0;
  const bool whole = std::isfinite(value) && value == std::trunc(value);
  if (whole && std::abs(value) < kTwoTo64 && value >= -9223372036854775808.0) {
    return hash_integer(value < 0, static_cast<std::uint64_t>(std::abs(value)));
  }
  std::string bytes;
  append_bytes(bytes, value);
  return hash_of(Tag::kDecimal, bytes);
}

Hash128 hash_number(std::string_view text, DecimalReading reading) {
  if (is_integer_text(text)) {
    const bool negative = text.starts_with('-');
    const std::string_view digits = negative ? text.substr(1) : text;
    std::uint64_t magnitude = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude);
    const bool fits =
        parsed.ec == std::errc() && (!negative || magnitude <= (std::uint64_t{1} << 63));
    if (fits) return hash_integer(negative && magnitude != 0, magnitude);
  }
  return hash_double(reading == DecimalReading::kNode ? read_as_node(text) : nearest_double(text));
}

class Hasher {
 public:
  Hasher(std::string_view text, DecimalReading reading) : scanner_(text), reading_(reading) {}

  Result<Hash128> document(const std::function<bool(std::string_view)>& skip) {
    MIROIR_TRY(const Hash128 hash, object(skip, 1));
    scanner_.skip_space();
    if (!scanner_.at_end()) return scanner_.error("trailing text");
    return hash;
  }

 private:
  static constexpr std::uint64_t kKeySeed = 0x6D69726F6972;  // keys and values are hashed apart

  Result<Hash128> object(const std::function<bool(std::string_view)>& skip, int depth) {
    scanner_.skip_space();
    if (!scanner_.take('{')) return scanner_.error("expected an object");
    std::vector<std::pair<std::string, Hash128>> members;
    scanner_.skip_space();
    bool more = !scanner_.take('}');
    while (more) {
      scanner_.skip_space();
      MIROIR_TRY(const std::string_view quoted, scanner_.string());
      std::string key = unescape_string(quoted);
      scanner_.skip_space();
      if (!scanner_.take(':')) return scanner_.error("expected `:`");
      MIROIR_TRY(const Hash128 value, this->value(depth + 1));
      if (!skip || !skip(key)) members.emplace_back(std::move(key), value);
      scanner_.skip_space();
      more = scanner_.take(',');
      if (!more && !scanner_.take('}')) return scanner_.error("expected `,` or `}`");
    }
    return fold(std::move(members));
  }

  static Hash128 fold(std::vector<std::pair<std::string, Hash128>> members) {
    // Of a key given twice the last counts: a stable sort leaves it the last of its run.
    std::ranges::stable_sort(members, {}, &std::pair<std::string, Hash128>::first);
    Hash128 sum;
    std::uint64_t count = 0;
    std::string bytes;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i + 1 < members.size() && members[i + 1].first == members[i].first) continue;
      bytes.clear();
      append_bytes(bytes, xxh3_64(members[i].first, kKeySeed));
      append_bytes(bytes, members[i].second.low);
      append_bytes(bytes, members[i].second.high);
      bytes += members[i].first;
      sum += xxh3_128(bytes);
      ++count;
    }
    bytes.clear();
    append_bytes(bytes, count);
    append_bytes(bytes, sum.low);
    append_bytes(bytes, sum.high);
    return hash_of(Tag::kObject, bytes);
  }

  Result<Hash128> array(int depth) {
    scanner_.take('[');
    std::string bytes;
    scanner_.skip_space();
    bool more = !scanner_.take(']');
    while (more) {
      MIROIR_TRY(const Hash128 element, value(depth + 1));
      append_bytes(bytes, element.low);
      append_bytes(bytes, element.high);
      scanner_.skip_space();
      more = scanner_.take(',');
      if (!more && !scanner_.take(']')) return scanner_.error("expected `,` or `]`");
    }
    return hash_of(Tag::kArray, bytes);
  }

  Result<Hash128> value(int depth) {
    if (depth > kJsonDepthMax) return scanner_.error("nested too deeply");
    scanner_.skip_space();
    const char first = scanner_.peek();
    if (first == '{') return object(nullptr, depth);
    if (first == '[') return array(depth);
    MIROIR_TRY(const std::string_view text, scanner_.value());
    switch (first) {
      case '"':
        return hash_of(Tag::kString, unescape_string(text));
      case 't':
        return hash_of(Tag::kTrue, "");
      case 'f':
        return hash_of(Tag::kFalse, "");
      case 'n':
        return hash_of(Tag::kNull, "");
      default:
        return hash_number(text, reading_);
    }
  }

  JsonScanner scanner_;
  DecimalReading reading_;
};

}  // namespace

Result<Hash128> content_hash(std::string_view document, DecimalReading reading,
                             const std::function<bool(std::string_view key)>& skip) {
  return Hasher(document, reading).document(skip);
}

}  // namespace miroir
