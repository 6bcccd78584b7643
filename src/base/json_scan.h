#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace miroir {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Beyond JSON's own grammar: what a node answers with "malformed payload" (seen on a real one).
enum class ScanRules {
  kJson,          // nesting up to kJsonDepthMax
  kNodeDocument,  // up to kDocumentDepthMax, and no number that a node reads as infinite
};
inline constexpr int kDocumentDepthMax = 127;

// A strict walk over JSON text that knows where things stand, which parsers of values do not tell:
// the ground of all work on raw documents (base/document.h). Refuses everything that RFC 8259 does
// not allow, and lone surrogates. Text is expected to be UTF-8; is_utf8 says so.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text, ScanRules rules = ScanRules::kJson)
      : text_(text), rules_(rules) {}

  std::size_t at() const { return at_; }
  bool at_end() const { return at_ == text_.size(); }
  // The next byte, or 0 at the end.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space();
  // Takes this byte if it is next.
  bool take(char expected);
  // Walks over one value, space before it included, and returns its text.
  Result<std::string_view> value();
  // Walks over one string and returns its text, quotes included.
  Result<std::string_view> string();
  // Walks over one value that is neither object nor array and returns its text.
  Result<std::string_view> scalar();
  // An error that names the byte where the scanner stands.
  std::unexpected<Error> error(std::string_view what) const;

 private:
  Result<void> number();
  Result<void> literal(std::string_view word);
  Result<void> escape();

  std::string_view text_;
  ScanRules rules_;
  std::size_t at_ = 0;
};

bool is_utf8(std::string_view text);
// The string that a JSON string's text (quotes included, as scanned) stands for.
std::string unescape_string(std::string_view quoted);

// Whether the text is a number as JSON writes it, and whether it has neither point nor exponent.
bool is_number_text(std::string_view text);
bool is_integer_text(std::string_view text);
// The double nearest to a number's text.
double nearest_double(std::string_view text);

}  // namespace miroir
