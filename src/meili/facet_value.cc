#include "meili/facet_value.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace miroir::meili {
namespace {

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return lower;
}

// NFKD, then each character's lower case.
std::string fold(std::string_view text) {
  utf8proc_uint8_t* decomposed = nullptr;
  const auto size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &decomposed,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT));
  if (size < 0) return lower_ascii(text);
  std::string folded;
  folded.reserve(static_cast<std::size_t>(size));
  for (utf8proc_ssize_t at = 0; at < size;) {
    utf8proc_int32_t character = 0;
    const auto read = utf8proc_iterate(decomposed + at, size - at, &character);
    if (read <= 0) break;
    at += read;
    std::array<utf8proc_uint8_t, 4> bytes;
    const auto written = utf8proc_encode_char(utf8proc_tolower(character), bytes.data());
    folded.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(written));
  }
  std::free(decomposed);
  return folded;
}

}  // namespace

std::string normalise_facet(std::string_view text) {
  text = trim(text);
  const bool ascii =
      std::ranges::none_of(text, [](char c) { return static_cast<signed char>(c) < 0; });
  return ascii ? lower_ascii(text) : fold(text);
}

std::string number_text(double number) {
  std::array<char, 512> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed);
  return {buffer.data(), end.ptr};
}

}  // namespace miroir::meili
