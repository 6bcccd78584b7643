#include "forward/overtaken.h"

#include <algorithm>

#include "forward/plan.h"

namespace miroir {
namespace {

constexpr std::size_t kLookedThroughAtOnce = 256;

Async<Result<bool>> note(Log& log, std::shared_ptr<const Entry> entry, Overtaken& overtaken) {
  if (!has_records(entry->kind)) {
    overtaken.all = touches_all(entry->kind);
    co_return !overtaken.all;
  }
  auto read = co_await log.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
    overtaken.ids.insert(std::move(record.id));
    return {};
  });
  if (!read && read.error().code == ErrorCode::kNotFound) {
    overtaken.all = true;
    co_return false;
  }
  MIROIR_CO_CHECK(read);
  co_return true;
}

}  // namespace

bool touches_all(EntryKind kind) {
  return kind == EntryKind::kClearDocuments || kind == EntryKind::kDropIndex ||
         kind == EntryKind::kDeleteByFilter;
}

Async<Result<Overtaken>> overtaken(Log& log, std::shared_ptr<const Entry> entry) {
  Overtaken overtaken;
  MIROIR_CO_TRY(const bool known,
                co_await for_each_overtaking(log, entry, [&](std::shared_ptr<const Entry> other) {
                  return note(log, std::move(other), overtaken);
                }));
  overtaken.all |= !known;
  co_return overtaken;
}

Async<Result<bool>> for_each_overtaking(Log& log, std::shared_ptr<const Entry> entry,
                                        EachOvertaking each) {
  const Json* read_at = entry->arguments.find("readAt");
  Position next = entry->position;
  if (read_at != nullptr && read_at->is_integer())
    next = std::min(next, Position{read_at->as_uint64()} + 1);
  while (next < entry->position) {
    MIROIR_CO_TRY(const auto others,
                  co_await log.entries(
                      next, std::min<std::size_t>(kLookedThroughAtOnce, entry->position - next)));
    if (others.empty()) co_return false;
    for (const std::shared_ptr<const Entry>& other : others) {
      if (other->position != next++) co_return false;
      const Pasts& pasts = log.catalogue().pasts();
      const bool same = pasts.owner(other->incarnation, other->position) ==
                        pasts.owner(entry->incarnation, entry->position);
      if (!same || other->born_failed || other->target) continue;
      MIROIR_CO_TRY(const bool more, co_await each(other));
      if (!more) co_return true;
    }
  }
  co_return true;
}

}  // namespace miroir
