#pragma once

#include <bitset>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace miroir::node {

// One word of a text.
struct Word {
  std::string text;   // NFKD without marks, lower case
  std::size_t first;  // bytes of the source that it stands for
  std::size_t end;
};

// Cuts texts into words: runs of letters and digits; Han, Hiragana and Katakana one character each.
// Everything else separates, so a text made only of separators has no words.
class Words {
 public:
  Words() = default;
  // With the settings' separatorTokens and nonSeparatorTokens (those of one character).
  explicit Words(const Json& settings);

  std::vector<Word> of(std::string_view text) const;
  // Appends the words of `text` to `out`, a space after each: `of` without the places.
  void append(std::string& out, std::string_view text) const;

 private:
  template <class Emit>
  void cut(std::string_view text, Emit emit) const;
  bool is_word_character(std::int32_t character) const;

  std::vector<std::string> separators_;
  std::bitset<128> extra_word_characters_;
};

}  // namespace miroir::node
