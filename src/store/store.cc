#include "store/store.h"

#include <iterator>

#include "base/assert.h"

namespace miroir {

Batch& Batch::put(Table table, std::string key, std::string value) {
  changes_.push_back({Change::Kind::kPut, table, std::move(key), std::move(value), std::nullopt});
  return *this;
}

Batch& Batch::erase(Table table, std::string key) {
  changes_.push_back({Change::Kind::kErase, table, std::move(key), {}, std::nullopt});
  return *this;
}

Batch& Batch::erase_range(Table table, std::string first, std::string end) {
  changes_.push_back(
      {Change::Kind::kEraseRange, table, std::move(first), std::move(end), std::nullopt});
  return *this;
}

Batch& Batch::expect(Table table, std::string key, std::optional<std::string> value) {
  changes_.push_back({Change::Kind::kExpect, table, std::move(key), {}, std::move(value)});
  return *this;
}

void Batch::append(Batch other) {
  changes_.insert(changes_.end(), std::make_move_iterator(other.changes_.begin()),
                  std::make_move_iterator(other.changes_.end()));
}

std::string key_of(std::uint64_t number) {
  std::string key(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (8 * (7 - i)) & 0xFF);
  return key;
}

std::uint64_t number_of(std::string_view key) {
  MIROIR_ASSERT(key.size() >= 8);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(key[i]);
  return number;
}

std::string key_join(std::string_view first, std::string_view second) {
  std::string key(first);
  key += '\0';
  key += second;
  return key;
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace miroir
