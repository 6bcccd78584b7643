#include "base/content_hash.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <forward_list>
#include <string>
#include <tuple>
#include <vector>

#include "base/document.h"
#include "base/json_scan.h"

namespace miroir {
namespace {

// Every value becomes bytes, hashed with a seed of its type; containers hash the hashes of what
// they hold, at fixed widths. So no two different values have the same bytes under the same seed.
// Members are summed (their order does not count), elements are concatenated (it does).
enum class Seed : std::uint64_t {
  kString,  // 0: XXH3 is quickest there for long inputs
  kNull,
  kBoolean,
  kInteger,
  kDecimal,
  kArray,
  kMember,
  kObject,
};

Hash128 hash_of(Seed seed, std::string_view bytes) {
  return xxh3_128(bytes, static_cast<std::uint64_t>(seed));
}

// Copies of plain values, side by side.
template <class... Values>
Hash128 hash_of_values(Seed seed, const Values&... values) {
  char bytes[(sizeof(Values) + ...)];
  char* at = bytes;
  ((std::memcpy(at, &values, sizeof values), at += sizeof values), ...);
  return hash_of(seed, std::string_view(bytes, sizeof bytes));
}

// Integers by sign and magnitude, so that i64 and u64 meet.
Hash128 hash_integer(bool negative, std::uint64_t magnitude) {
  return hash_of_values(Seed::kInteger, negative, magnitude);
}

Hash128 hash_double(double value) {
  constexpr double kTwoTo64 = 18446744073709551616.0;
  const bool whole = std::isfinite(value) && value == std::trunc(value);
  if (whole && std::abs(value) < kTwoTo64 && value >= -9223372036854775808.0) {
    return hash_integer(value < 0, static_cast<std::uint64_t>(std::abs(value)));
  }
  return hash_of_values(Seed::kDecimal, value);
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
  using Skip = std::function<bool(std::string_view)>;

  Hasher(std::string_view text, DecimalReading reading) : scanner_(text), reading_(reading) {}

  Result<Hash128> document(const Skip& skip) {
    scanner_.skip_space();
    if (scanner_.peek() != '{') return scanner_.error("expected an object");
    MIROIR_TRY(const Hash128 hash, object(skip, 1));
    scanner_.skip_space();
    if (!scanner_.at_end()) return scanner_.error("trailing text");
    return hash;
  }

 private:
  struct Member {
    std::string_view key;
    std::size_t place;
    Hash128 value;
    bool operator<(const Member& other) const {
      return std::tie(key, place) < std::tie(other.key, other.place);
    }
  };

  Result<Hash128> value(int depth) {
    scanner_.skip_space();
    const char first = scanner_.peek();
    if ((first == '{' || first == '[') && depth > kJsonDepthMax)
      return scanner_.error("nested too deeply");
    if (first == '{') return object(nullptr, depth);
    if (first == '[') return array(depth);
    MIROIR_TRY(const std::string_view text, scanner_.scalar());
    switch (first) {
      case '"':
        if (text.find('\\') != text.npos) return hash_of(Seed::kString, unescape_string(text));
        return hash_of(Seed::kString, text.substr(1, text.size() - 2));
      case 't':
      case 'f':
        return hash_of(Seed::kBoolean, text);
      case 'n':
        return hash_of(Seed::kNull, "");
      default:
        return hash_number(text, reading_);
    }
  }

  Result<Hash128> array(int depth) {
    scanner_.take('[');
    std::string elements;
    scanner_.skip_space();
    bool more = !scanner_.take(']');
    while (more) {
      MIROIR_TRY(const Hash128 element, value(depth + 1));
      elements.append(reinterpret_cast<const char*>(&element), sizeof element);
      scanner_.skip_space();
      more = scanner_.take(',');
      if (!more && !scanner_.take(']')) return scanner_.error("expected `,` or `]`");
    }
    return hash_of(Seed::kArray, elements);
  }

  Result<Hash128> object(const Skip& skip, int depth) {
    scanner_.take('{');
    std::vector<Member> members;
    members.reserve(16);
    std::forward_list<std::string> unescaped;  // keys that had escapes
    scanner_.skip_space();
    bool more = !scanner_.take('}');
    while (more) {
      scanner_.skip_space();
      MIROIR_TRY(std::string_view key, scanner_.string());
      if (key.find('\\') != key.npos) {
        key = unescaped.emplace_front(unescape_string(key));
      } else {
        key = key.substr(1, key.size() - 2);
      }
      scanner_.skip_space();
      if (!scanner_.take(':')) return scanner_.error("expected `:`");
      MIROIR_TRY(const Hash128 hash, value(depth + 1));
      if (!skip || !skip(key)) members.push_back({key, members.size(), hash});
      scanner_.skip_space();
      more = scanner_.take(',');
      if (!more && !scanner_.take('}')) return scanner_.error("expected `,` or `}`");
    }
    return fold(members);
  }

  static Hash128 fold(std::vector<Member>& members) {
    // Of a key given twice the last counts: the last of its run.
    std::sort(members.begin(), members.end());
    Hash128 sum;
    std::uint64_t count = 0;
    std::string bytes;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i + 1 < members.size() && members[i + 1].key == members[i].key) continue;
      const Hash128& value = members[i].value;
      bytes.assign(reinterpret_cast<const char*>(&value), sizeof value);
      bytes += members[i].key;
      sum += hash_of(Seed::kMember, bytes);
      ++count;
    }
    return hash_of_values(Seed::kObject, count, sum.low, sum.high);
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
