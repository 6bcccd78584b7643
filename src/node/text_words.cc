#include "node/text_words.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace miroir::node {
namespace {

// Decompositions have at most 18 characters.
constexpr std::size_t kDecomposedMax = 32;

bool is_mark(std::int32_t character) {
  const auto category = utf8proc_category(character);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
         category == UTF8PROC_CATEGORY_ME;
}

bool is_letter_or_digit(std::int32_t character) {
  const auto category = utf8proc_category(character);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

// Scripts without spaces between words.
bool stands_alone(std::int32_t character) {
  return (character >= 0x3041 && character <= 0x30FF) ||
         (character >= 0x3400 && character <= 0x9FFF) ||
         (character >= 0xF900 && character <= 0xFAFF) ||
         (character >= 0x20000 && character <= 0x3FFFF);
}

void append_utf8(std::string& out, std::int32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes;
  const auto size = utf8proc_encode_char(character, bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

// The character in the private use area that stands for an ASCII one that a setting made part of
// words: the database's own cutting at ASCII punctuation must not see it.
constexpr std::int32_t kPrivateUse = 0xE000;

}  // namespace

Words::Words(const Json& settings) {
  if (const Json* tokens = settings.find("separatorTokens"); tokens != nullptr) {
    for (const Json& token : tokens->as_array()) {
      if (!token.as_string().empty()) separators_.push_back(token.as_string());
    }
  }
  if (const Json* tokens = settings.find("nonSeparatorTokens"); tokens != nullptr) {
    for (const Json& token : tokens->as_array()) {
      const std::string& text = token.as_string();
      if (text.size() == 1 && text[0] > ' ')
        extra_word_characters_.set(static_cast<size_t>(text[0]));
    }
  }
}

bool Words::is_word_character(std::int32_t character) const {
  if (character < 128) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') ||
           extra_word_characters_.test(static_cast<std::size_t>(character));
  }
  return is_letter_or_digit(character) || is_mark(character);
}

// Calls emit(word, first, end) for each word; the word's text may be moved from.
template <class Emit>
void Words::cut(std::string_view text, Emit emit) const {
  std::string word;
  std::size_t first = 0;
  const auto flush = [&](std::size_t end) {
    if (!word.empty()) emit(word, first, end);
    word.clear();
  };
  std::size_t at = 0;
  while (at < text.size()) {
    for (const std::string& separator : separators_) {
      if (!text.substr(at).starts_with(separator)) continue;
      flush(at);
      at += separator.size();
      break;
    }
    if (at >= text.size()) break;
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 128) {
      if (!is_word_character(byte)) {
        flush(at++);
        continue;
      }
      if (word.empty()) first = at;
      if (extra_word_characters_.test(byte)) {
        append_utf8(word, kPrivateUse + byte);
      } else {
        word += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : text[at];
      }
      ++at;
      continue;
    }
    std::int32_t character = 0;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    if (size <= 0) {
      flush(at++);
      continue;
    }
    const std::size_t end = at + static_cast<std::size_t>(size);
    if (!is_word_character(character)) {
      flush(at);
      at = end;
      continue;
    }
    if (stands_alone(character)) flush(at);
    if (word.empty()) first = at;
    std::array<utf8proc_int32_t, kDecomposedMax> parts;
    int boundary = 0;
    const auto count = utf8proc_decompose_char(
        character, parts.data(), parts.size(),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT),
        &boundary);
    for (utf8proc_ssize_t i = 0; i < count && i < static_cast<utf8proc_ssize_t>(parts.size());
         ++i) {
      const auto part = parts[static_cast<std::size_t>(i)];
      if (is_mark(part) || !is_word_character(part)) continue;
      append_utf8(word, utf8proc_tolower(part));
    }
    at = end;
    if (stands_alone(character)) flush(at);
  }
  flush(text.size());
}

std::vector<Word> Words::of(std::string_view text) const {
  std::vector<Word> words;
  cut(text, [&](std::string& word, std::size_t first, std::size_t end) {
    words.push_back({std::move(word), first, end});
    word.clear();
  });
  return words;
}

void Words::append(std::string& out, std::string_view text) const {
  cut(text, [&](std::string& word, std::size_t, std::size_t) {
    out += word;
    out += ' ';
  });
}

}  // namespace miroir::node
