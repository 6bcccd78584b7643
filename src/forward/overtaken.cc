#include "forward/overtaken.h"

#include <algorithm>

#include "forward/plan.h"

namespace miroir {
namespace {

constexpr std::size_t kPage = 256;

Async<Result<void>> note(Log& log, std::shared_ptr<const Entry> entry, Overtaken& overtaken) {
  if (!has_records(entry->kind)) {
    overtaken.all |= entry->kind == EntryKind::kClearDocuments ||
                     entry->kind == EntryKind::kDropIndex ||
                     entry->kind == EntryKind::kDeleteByFilter;
    co_return Result<void>();
  }
  auto read = co_await log.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
    overtaken.ids.insert(std::move(record.id));
    return {};
  });
  if (!read && read.error().code == ErrorCode::kNotFound) {
    overtaken.all = true;
    co_return Result<void>();
  }
  co_return read;
}

}  // namespace

Async<Result<Overtaken>> overtaken(Log& log, std::shared_ptr<const Entry> repair) {
  Overtaken overtaken;
  const Json* read_at = repair->arguments.find("readAt");
  Position next = repair->position;
  if (read_at != nullptr && read_at->is_integer())
    next = std::min(next, Position{read_at->as_uint64()} + 1);
  while (next < repair->position && !overtaken.all) {
    MIROIR_CO_TRY(
        const auto entries,
        co_await log.entries(next, std::min<std::size_t>(kPage, repair->position - next)));
    if (entries.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : entries) {
      overtaken.all |= entry->position != next++;  // forgotten
      if (overtaken.all) break;
      if (entry->incarnation != repair->incarnation || entry->born_failed || entry->target)
        continue;
      MIROIR_CO_CHECK(co_await note(log, entry, overtaken));
    }
  }
  overtaken.all |= next < repair->position;
  co_return overtaken;
}

}  // namespace miroir
