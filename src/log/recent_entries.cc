#include "log/recent_entries.h"

namespace miroir {
namespace {

constexpr std::size_t kEntriesMax = 4'096;

}  // namespace

void RecentEntries::add(std::shared_ptr<const Entry> entry) {
  // After a recovery numbers are left out.
  if (!entries_.empty() && entry->position != entries_.back()->position + 1) entries_.clear();
  entries_.push_back(std::move(entry));
  if (entries_.size() > kEntriesMax) entries_.pop_front();
}

void RecentEntries::replace(std::shared_ptr<const Entry> entry) {
  if (!holds(entry->position)) return;
  const Position position = entry->position;
  entries_[position - entries_.front()->position] = std::move(entry);
}

std::shared_ptr<const Entry> RecentEntries::find(Position position) const {
  if (entries_.empty() || position < entries_.front()->position ||
      position > entries_.back()->position) {
    return nullptr;
  }
  return entries_[position - entries_.front()->position];
}

}  // namespace miroir
