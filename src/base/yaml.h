#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace miroir {

// A typed reader of one YAML mapping. Each room parses its own block: it takes its keys, and
// finish() then refuses whatever was not taken, given twice, of the wrong type or impossible, with
// file, line, key and what was expected: "miroir.yaml:12: anti_entropy.schedule: expected a
// schedule like \"every 6h\", got \"6 hours\"". The first error is kept; later calls do nothing and
// return the default, so a block reads as a list of keys.
class YamlBlock {
 public:
  // The whole document, which must be a mapping. `file` is only for messages.
  static Result<YamlBlock> parse(std::string_view text, std::string file);

  bool has(std::string_view key) const;
  std::string string(std::string_view key, std::string fallback);
  std::optional<std::string> optional_string(std::string_view key);
  std::string required_string(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t lowest,
                       std::int64_t highest);
  double number(std::string_view key, double fallback, double lowest, double highest);
  Microseconds duration(std::string_view key, Microseconds fallback);  // "60s"
  Microseconds schedule(std::string_view key, Microseconds fallback);  // "every 6h"
  std::uint64_t bytes(std::string_view key,
                      std::uint64_t fallback);  // "20GiB" or a number of bytes
  Milliseconds milliseconds(std::string_view key, Milliseconds fallback,
                            Milliseconds lowest = Milliseconds{1});
  std::string one_of(std::string_view key, std::string fallback, std::vector<std::string> allowed);
  std::vector<std::string> strings(std::string_view key);
  YamlBlock block(std::string_view key);                // empty where missing
  std::vector<YamlBlock> blocks(std::string_view key);  // a sequence of mappings
  // Marks a key wrong for a reason of the caller's own.
  void refuse(std::string_view key, std::string expected);

  // The first error of this block and of all blocks taken from it, or unknown keys.
  Result<void> finish();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace miroir
