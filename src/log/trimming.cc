#include <algorithm>
#include <set>

#include "log/durable_log.h"
#include "log/rows.h"

namespace miroir {
namespace {

constexpr std::size_t kTrimmedAtOnce = 256;
constexpr Position kForgetMax = 100'000;  // entries that one commit takes away

}  // namespace

Async<Result<void>> DurableLog::trim(Position everywhere, Position here, Position ended) {
  // It may be less than before: disks go back.
  applied_everywhere_ = everywhere;
  applied_here_ = here;
  ended_ = std::max(ended_, ended);
  if (trimming_) co_return Result<void>();
  trimming_ = true;
  struct Done {
    bool& trimming;
    ~Done() { trimming = false; }
  } const done{trimming_};
  MIROIR_CO_CHECK(co_await views_->bodies->sweep());
  MIROIR_CO_CHECK(co_await trim_bodies());
  if (head() > options_.tasks_kept)
    MIROIR_CO_CHECK(
        co_await forget_entries(std::min({views_->trimmed, head() - options_.tasks_kept, ended})));
  show_metrics();
  co_return Result<void>();
}

// Applied bodies are kept too, for nodes that come back from an older disk and for those who read
// the log's changes, as long as there is time and room. What a node that is away lacks, or a reader
// may want, goes last; neither makes the log refuse writes.
bool DurableLog::may_go(const Entry& entry, std::uint64_t bytes_kept) const {
  if (entry.position > applied_here_) return false;
  if (entry.body == 0) return true;
  const auto now = static_cast<EntryStamp>(clock_.wall_now().time_since_epoch().count());
  const auto older_than = [&](Microseconds age) {
    return entry.stamp + static_cast<std::uint64_t>(age.count()) <= now;
  };
  if (older_than(std::max(options_.retention_age, options_.stream_age))) return true;
  const bool wanted = !older_than(options_.stream_age) || entry.position > applied_everywhere_;
  return bytes_kept > options_.retention_bytes - options_.retention_bytes / (wanted ? 20 : 10);
}

Async<Result<void>> DurableLog::trim_bodies() {
  const Position last = std::min(applied_here_, head());
  for (bool more = true; more && views_->trimmed < last;) {
    const Position first = views_->trimmed + 1;
    MIROIR_CO_TRY(const auto page, co_await entries(first, kTrimmedAtOnce));
    Appender::Proposal proposal;
    Position trimmed = first - 1;
    std::uint64_t kept = bytes();
    for (const std::shared_ptr<const Entry>& entry : page) {
      more = may_go(*entry, kept);
      if (!more) break;
      trimmed = entry->position;
      if (entry->body == 0) continue;
      Bodies::erase(entry->body, proposal.batch);
      proposal.body_bytes -= static_cast<std::int64_t>(entry->body_stored);
      kept -= entry->body_stored;
    }
    if (trimmed < first) co_return Result<void>();
    proposal.batch.put(Table::kMeta, std::string(kTrimmedRow), key_of(trimmed));
    proposal.settled = [views = views_, trimmed](bool durable) {
      if (durable) views->trimmed = trimmed;
    };
    MIROIR_CO_CHECK(co_await appender_.commit(std::move(proposal)));
  }
  co_return Result<void>();
}

std::set<Position> DurableLog::referred_to() const {
  const std::vector<Position> tainted = taints_.positions();
  std::set<Position> positions(tainted.begin(), tainted.end());
  const auto add = [&](const IndexState& index) {
    positions.insert({index.incarnation, index.settings_version});
    for (const IndexState::Clear& clear : index.clears) positions.insert(clear.position);
  };
  for (const auto& [uid, index] : catalogue().indexes()) add(index);
  for (const auto& [incarnation, index] : catalogue().dropped()) {
    add(index);
    positions.insert(index.dropped_at);
  }
  for (const auto& [node, progress] : progress_) positions.insert(progress.acknowledged);
  return positions;
}

Async<Result<std::set<Position>>> DurableLog::operations(Position first, Position last) {
  std::set<Position> positions;
  while (first <= last) {
    MIROIR_CO_TRY(const auto page, co_await entries(first, kTrimmedAtOnce));
    if (page.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : page)
      if (entry->position <= last && is_operation(*entry)) positions.insert(entry->position);
    first = page.back()->position + 1;
  }
  co_return positions;
}

// Entries beyond the tasks that are kept go as a whole, with what is recorded beside them, except
// those that something still refers to, and operations on indexes and keys.
Async<Result<void>> DurableLog::forget_entries(Position last) {
  if (last <= views_->forgotten) co_return Result<void>();
  last = std::min(last, views_->forgotten + kForgetMax);
  MIROIR_CO_TRY(std::set<Position> kept, co_await operations(views_->forgotten + 1, last));
  const bool has_operations = !kept.empty();
  kept.merge(referred_to());

  Appender::Proposal proposal;
  for (Position first = views_->forgotten + 1; first <= last;) {
    const auto stop = kept.lower_bound(first);
    const Position end = stop == kept.end() ? last + 1 : std::min(*stop, last + 1);
    for (const Table table : {Table::kEntry, Table::kTask, Table::kOutcome})
      proposal.batch.erase_range(table, key_of(first), key_of(end));
    first = end + 1;
  }
  proposal.batch.put(Table::kMeta, std::string(kForgottenRow), key_of(last));
  proposal.settled = [views = views_, last](bool durable) {
    if (durable) views->forgotten = last;
  };
  MIROIR_CO_CHECK(co_await appender_.commit(std::move(proposal)));
  if (!has_operations) co_return Result<void>();
  co_return co_await forget_operations();
}

// The oldest beyond `operations_kept`.
Async<Result<void>> DurableLog::forget_operations() {
  const std::size_t kept_max = options_.operations_kept + referred_to().size();
  MIROIR_CO_TRY(const auto rows, co_await store_.scan(Table::kEntry, "",
                                                      key_of(views_->forgotten + 1), kept_max * 2));
  const std::set<Position> referred = referred_to();
  std::vector<Position> operations;
  for (const Row& row : rows) {
    MIROIR_CO_TRY(const Entry entry, decode_entry(row.value));
    if (is_operation(entry) && !referred.contains(entry.position))
      operations.push_back(entry.position);
  }
  if (operations.size() <= options_.operations_kept) co_return Result<void>();
  operations.resize(operations.size() - options_.operations_kept);
  Appender::Proposal proposal;
  for (const Position position : operations) {
    for (const Table table : {Table::kEntry, Table::kTask, Table::kOutcome})
      proposal.batch.erase_range(table, key_of(position), key_of(position + 1));
  }
  const Position last = operations.back();
  proposal.batch.put(Table::kMeta, std::string(kOperationsForgottenRow), key_of(last));
  proposal.settled = [views = views_, last](bool durable) {
    if (durable) views->operations_forgotten = last;
  };
  MIROIR_CO_CHECK(co_await appender_.commit(std::move(proposal)));
  co_return co_await forget_pasts();
}

// What operations exchanged that are older than all entries that somebody may still ask about.
Async<Result<void>> DurableLog::forget_pasts() {
  if (exchange_due_) co_return Result<void>();
  Position before = views_->operations_forgotten + 1;
  for (const Position position : taints_.positions())
    if (position != Taint::kUnnamed) before = std::min(before, position);
  const std::vector<TakenBack> those = catalogue().pasts().forgettable(before);
  if (those.empty()) co_return Result<void>();
  Batch batch;
  for (const TakenBack& one : those) batch.erase(Table::kMeta, taken_back_row(one));
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  appender_.forget_pasts(those);
  co_return Result<void>();
}

}  // namespace miroir
