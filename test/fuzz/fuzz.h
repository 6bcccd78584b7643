#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

// A target is a program with this function: libFuzzer calls it with what it makes up (./dev fuzz),
// main.cc with the files of a corpus (./dev test).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace miroir::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the program where it does not hold: what does not, and the texts that show it.
template <class... Texts>
void expect(bool holds, std::string_view what, const Texts&... texts) {
  if (holds) return;
  std::fprintf(stderr, "\nDOES NOT HOLD: %.*s\n", static_cast<int>(what.size()), what.data());
  const auto show = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fputc('\n', stderr);
  };
  (show(texts), ...);
  std::abort();
}

}  // namespace miroir::fuzz
