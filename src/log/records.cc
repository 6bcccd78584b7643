#include <algorithm>

#include "log/durable_log.h"
#include "log/rows.h"

namespace miroir {

// What is recorded beside the entries: each a row of its own, which no entry's place depends on.

Async<Result<void>> DurableLog::record_failures(Places where, Json error) {
  const std::string text = to_text(error);
  Batch batch;
  for (const auto& [position, node] : where)
    batch.put(Table::kOutcome, outcome_row(position, node), text);
  co_return co_await store_.commit(std::move(batch));
}

Async<Result<std::map<std::string, Json>>> DurableLog::failures(Position position) {
  std::map<std::string, Json> failures;
  MIROIR_CO_CHECK(co_await for_each_row(
      store_, Table::kOutcome, key_of(position), [&](const Row& row) -> Result<void> {
        MIROIR_TRY(failures[row.key.substr(8)], parse_json(row.value));
        return {};
      }));
  co_return failures;
}

Async<Result<void>> DurableLog::save_progress(std::map<std::string, NodeProgress> rows) {
  Batch batch;
  for (const auto& [node, progress] : rows) batch.put(Table::kNode, node, encode(progress));
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  Position settled = 0;
  for (auto& [node, progress] : rows) {
    settled = std::max(settled, progress.settled);
    progress_[node] = std::move(progress);
  }
  co_return co_await bury_dropped(settled);
}

Async<Result<void>> DurableLog::bury_dropped(Position settled) {
  Batch batch;
  std::vector<Position> gone;
  for (const auto& [incarnation, index] : catalogue().dropped()) {
    if (index.decided_by > settled) continue;
    Tombstones::drop(incarnation, batch);
    batch.erase(Table::kMeta, dropped_row(incarnation));
    gone.push_back(incarnation);
  }
  if (gone.empty()) co_return Result<void>();
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  for (const Position incarnation : gone) {
    appender_.bury(incarnation);
    views_->tombstones.dropped(incarnation);
  }
  show_metrics();
  co_return Result<void>();
}

Async<Result<void>> DurableLog::add_taints(std::vector<Taint> taints, Position then) {
  const Semaphore::Permit permit = co_await one_exchange_.acquire();
  for (Taint& taint : taints) taint.incarnation = kept_under(*this, taint.incarnation, then);
  co_return co_await taints_.add(std::move(taints));
}

Async<Result<void>> DurableLog::clear_taints(std::vector<Taint> taints) {
  return taints_.clear(std::move(taints));
}

Async<Result<void>> DurableLog::untaint(Position position, std::set<std::string> ids) {
  return taints_.withdraw(position, std::move(ids));
}

bool DurableLog::tainted(Position incarnation, const std::string& id,
                         const std::string& node) const {
  return taints_.contains(incarnation, id, node);
}

std::optional<Taint> DurableLog::taint(Position incarnation, const std::string& id,
                                       const std::string& node) const {
  return taints_.get(incarnation, id, node);
}

std::vector<Taint> DurableLog::taints(Position incarnation) const {
  return taints_.of(incarnation);
}

std::vector<Taint> DurableLog::index_taints() const { return taints_.of_indexes(); }

Async<Result<std::optional<Tombstone>>> DurableLog::tombstone(Position incarnation, std::string id,
                                                              std::optional<EntryStamp> below) {
  return views_->tombstones.find(store_, incarnation, std::move(id), below);
}

Async<Result<std::vector<std::string>>> DurableLog::deleted_by(Position incarnation,
                                                               Position position) {
  const Semaphore::Permit permit = co_await one_exchange_.acquire();
  co_return co_await Tombstones::written_by(store_, kept_under(*this, incarnation, position),
                                            position);
}

std::uint64_t DurableLog::tombstone_count(const std::string& index_uid) const {
  const IndexState* index = catalogue().index(index_uid);
  return index == nullptr ? 0 : views_->tombstones.count(index->incarnation);
}

Async<Result<void>> DurableLog::void_tombstones(Position incarnation, Position position,
                                                std::vector<std::string> ids) {
  const Semaphore::Permit permit = co_await one_exchange_.acquire();
  MIROIR_CO_CHECK(co_await views_->tombstones.make_void(
      store_, kept_under(*this, incarnation, position), position, std::move(ids)));
  show_metrics();
  co_return Result<void>();
}

Async<Result<void>> DurableLog::collect_tombstones(Position incarnation, Position before) {
  const Semaphore::Permit permit = co_await one_exchange_.acquire();
  MIROIR_CO_CHECK(co_await views_->tombstones.collect(store_, incarnation, before));
  show_metrics();
  co_return Result<void>();
}

EntryStamp DurableLog::horizon(Position incarnation) const {
  return views_->tombstones.horizon(incarnation);
}

Async<Result<void>> DurableLog::end_task(Position task, TaskEnd end) {
  const bool canceled = end.status == "canceled";
  MIROIR_CO_TRY(auto before, co_await store_.get(Table::kTask, key_of(task)));
  if (before && is_forgotten_task(*before)) co_return Result<void>();
  Batch batch;
  batch.expect(Table::kTask, key_of(task), std::move(before));
  batch.put(Table::kTask, key_of(task), encode(end));
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  if (canceled) views_->metrics.count_canceled();
  co_return Result<void>();
}

Async<Result<std::optional<TaskEnd>>> DurableLog::task_end(Position task) {
  MIROIR_CO_TRY(const auto row, co_await store_.get(Table::kTask, key_of(task)));
  if (!row || is_forgotten_task(*row)) co_return std::optional<TaskEnd>();
  MIROIR_CO_TRY(TaskEnd end, decode_task_end(*row));
  co_return end;
}

Async<Result<std::map<Position, std::optional<TaskEnd>>>> DurableLog::task_ends(Position first,
                                                                                Position last) {
  std::map<Position, std::optional<TaskEnd>> ends;
  MIROIR_CO_TRY(const auto rows, co_await store_.scan(Table::kTask, key_of(first), key_of(last + 1),
                                                      last - first + 1, false));
  for (const Row& row : rows) {
    std::optional<TaskEnd>& end = ends[number_of(row.key)];
    if (is_forgotten_task(row.value)) continue;
    MIROIR_CO_TRY(end, decode_task_end(row.value));
  }
  co_return ends;
}

Async<Result<std::optional<TaskEnd::FailedParts>>> DurableLog::failed_parts(Position task) {
  MIROIR_CO_TRY(const auto row, co_await store_.get(Table::kTask, key_of(task)));
  if (!row) co_return std::optional<TaskEnd::FailedParts>();
  MIROIR_CO_TRY(TaskEnd::FailedParts parts, decode_failed_parts(*row));
  co_return parts;
}

Async<Result<void>> DurableLog::forget_tasks(std::vector<Position> tasks) {
  if (tasks.empty()) co_return Result<void>();
  const auto [first, last] = std::ranges::minmax(tasks);
  std::map<Position, TaskEnd::FailedParts> parts;
  MIROIR_CO_CHECK(co_await for_each_row_between(
      store_, Table::kTask, key_of(first), key_of(last + 1), [&](const Row& row) -> Result<void> {
        MIROIR_TRY(auto failed, decode_failed_parts(row.value));
        if (!failed.empty()) parts[number_of(row.key)] = std::move(failed);
        return {};
      }));
  Batch batch;
  for (const Position task : tasks)
    batch.put(Table::kTask, key_of(task), encode_forgotten(parts[task]));
  co_return co_await store_.commit(std::move(batch));
}

Async<Result<std::shared_ptr<const Entry>>> kept_entry(Log& log, Position position) {
  auto entry = co_await log.entry(position);
  if (!entry && entry.error().code == ErrorCode::kNotFound) co_return nullptr;
  co_return entry;
}

Async<Result<Position>> first_where(Log& log, std::function<bool(const Entry&)> is_so) {
  Position first = log.forgotten() + 1;
  Position last = log.head() + 1;
  while (first < last) {
    const Position middle = first + (last - first) / 2;
    MIROIR_CO_TRY(const auto entries, co_await log.entries(middle, 1));
    if (entries.empty() || is_so(*entries.front())) {
      last = middle;
    } else {
      first = entries.front()->position + 1;
    }
  }
  co_return first;
}

Position kept_under(const Log& log, Position incarnation, Position position) {
  return log.catalogue().pasts().owner(incarnation, position, log.exchanged());
}

Async<Result<std::set<std::string>>> names_not_taken_away(Log& log, Taint taint) {
  std::set<std::string> names;
  for (const Position position : taint.failed) {
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(log, position));
    if (entry != nullptr) names.merge(names_taken_away(*entry));
  }
  co_return names;
}

}  // namespace miroir
