#include "log/recent_entries.h"

namespace miroir {
namespace {

constexpr std::size_t kEntriesMax = 4'096;
constexpr std::size_t kBytesMax = 16UL << 20;

}  // namespace

void RecentEntries::add(std::shared_ptr<const Entry> entry, std::size_t bytes) {
  // After a recovery numbers are left out.
  if (!entries_.empty() && entry->position != entries_.back().entry->position + 1) {
    entries_.clear();
    bytes_ = 0;
  }
  entries_.push_back({std::move(entry), bytes});
  bytes_ += bytes;
  keep_within_bounds();
}

void RecentEntries::replace(std::shared_ptr<const Entry> entry, std::size_t bytes) {
  if (!holds(entry->position)) return;
  Recent& recent = entries_[entry->position - entries_.front().entry->position];
  bytes_ = bytes_ - recent.bytes + bytes;
  recent = {std::move(entry), bytes};
  keep_within_bounds();
}

void RecentEntries::keep_within_bounds() {
  while (entries_.size() > 1 && (entries_.size() > kEntriesMax || bytes_ > kBytesMax)) {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
  }
}

std::shared_ptr<const Entry> RecentEntries::find(Position position) const {
  if (entries_.empty() || position < entries_.front().entry->position ||
      position > entries_.back().entry->position) {
    return nullptr;
  }
  return entries_[position - entries_.front().entry->position].entry;
}

}  // namespace miroir
