#include "log/durable_log.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "log/catalogue_codec.h"
#include "log/rows.h"

namespace miroir {
namespace {

Result<std::shared_ptr<const Entry>> decode_shared(std::string_view row) {
  MIROIR_TRY(Entry entry, decode_entry(row));
  return std::make_shared<const Entry>(std::move(entry));
}

// Most entries: no index and no tombstone comes or goes with them.
bool only_writes_documents(const Entry& entry) {
  return entry.kind == EntryKind::kWriteDocuments || entry.kind == EntryKind::kMergeDocuments;
}

// The incarnation of which nothing is left; after a drop it is once it is buried.
Position ended_by(const Entry& entry) {
  if (entry.born_failed || entry.kind != EntryKind::kAdoptIndex) return 0;
  const Json* replaces = entry.arguments.find("replaces");
  return replaces != nullptr && replaces->is_integer() ? replaces->as_uint64() : 0;
}

}  // namespace

Async<Result<std::unique_ptr<Log>>> Log::open(Store& store, Clock& clock, Metrics& metrics,
                                              Executor executor, LogOptions options) {
  return DurableLog::open(store, clock, metrics, std::move(executor), options);
}

DurableLog::DurableLog(Store& store, Clock& clock, Executor executor, LogOptions options,
                       Appender::Head head, std::shared_ptr<Views> views)
    : store_(store),
      clock_(clock),
      options_(options),
      views_(std::move(views)),
      appender_(store, clock, executor, std::move(head)),
      taints_(store, executor),
      one_exchange_(executor, 1) {}

Async<Result<std::unique_ptr<Log>>> DurableLog::open(Store& store, Clock& clock, Metrics& metrics,
                                                     Executor executor, LogOptions options) {
  MIROIR_CO_TRY(auto bodies, co_await Bodies::open(store, clock));
  auto views = std::make_shared<Views>(std::move(bodies), Tombstones(), RecentEntries(),
                                       LogMetrics(metrics));
  MIROIR_CO_TRY(views->trimmed,
                co_await load_number(store, Table::kMeta, std::string(kTrimmedRow)));
  MIROIR_CO_TRY(views->forgotten,
                co_await load_number(store, Table::kMeta, std::string(kForgottenRow)));
  MIROIR_CO_TRY(views->operations_forgotten,
                co_await load_number(store, Table::kMeta, std::string(kOperationsForgottenRow)));
  MIROIR_CO_CHECK(co_await views->tombstones.load(store));

  Appender::Head head;
  MIROIR_CO_TRY(head.catalogue, co_await CatalogueCodec::load(store));
  MIROIR_CO_TRY(head.body_bytes,
                co_await load_number(store, Table::kMeta, std::string(kBodyBytesRow)));
  MIROIR_CO_TRY(const auto newest, co_await store.scan(Table::kEntry, "", "", 1, true));
  if (!newest.empty()) {
    MIROIR_CO_TRY(const Entry entry, decode_entry(newest.front().value));
    head.position = entry.position;
    head.stamp = entry.stamp;
    head.run = entry.run;
    head.catalogue.found_at(head.position);
  }
  std::unique_ptr<DurableLog> log(new DurableLog(store, clock, std::move(executor), options,
                                                 std::move(head), std::move(views)));
  MIROIR_CO_CHECK(co_await log->load());
  co_return std::unique_ptr<Log>(std::move(log));
}

Async<Result<void>> DurableLog::load() {
  MIROIR_CO_CHECK(co_await taints_.load());
  MIROIR_CO_CHECK(
      co_await for_each_row(store_, Table::kNode, "", [&](const Row& row) -> Result<void> {
        MIROIR_TRY(progress_[row.key], decode_progress(row.value));
        return {};
      }));
  MIROIR_CO_TRY(exchanged_, co_await load_number(store_, Table::kMeta, std::string(kExchangedRow)));
  MIROIR_CO_CHECK(co_await exchange_pasts());
  show_metrics();
  co_return Result<void>();
}

void DurableLog::show_metrics() const {
  views_->metrics.show(appender_.head());
  views_->metrics.show(catalogue(), views_->tombstones);
}

Async<Result<Body>> DurableLog::write_body(std::function<Result<std::optional<BodyRecord>>()> next,
                                           WhenFull when_full) {
  if (when_full == WhenFull::kRefuse) MIROIR_CO_CHECK(co_await refuse_if_full());
  co_return co_await views_->bodies->write(std::move(next));
}

void DurableLog::discard(const Body& body) { views_->bodies->discard(body.id); }

Async<Result<void>> DurableLog::refuse_if_full() {
  if (bytes() < options_.retention_bytes) co_return Result<void>();
  MIROIR_CO_CHECK(co_await trim(applied_everywhere_, applied_here_, ended_));
  if (bytes() < options_.retention_bytes) co_return Result<void>();
  co_return fail(ErrorCode::kUnavailable,
                 "the log is full: it keeps " + std::to_string(bytes()) + " of " +
                     std::to_string(options_.retention_bytes) +
                     " bytes (log.retention.bytes) for nodes that have not applied them");
}

Async<Result<std::vector<Entry>>> DurableLog::append(Judge judge, WhenFull when_full,
                                                     Voided voided) {
  if (when_full == WhenFull::kRefuse) MIROIR_CO_CHECK(co_await refuse_if_full());
  if (exchange_due_) {
    const Semaphore::Permit permit = co_await one_exchange_.acquire();
    if (exchange_due_) MIROIR_CO_CHECK(co_await exchange_pasts());
  }
  co_return co_await append_judged(std::move(judge), std::move(voided));
}

// Others wait until it is made: a drop behind it would take what is not its index's yet.
Async<Result<void>> DurableLog::take_back(Judge judge) {
  const Semaphore::Permit permit = co_await one_exchange_.acquire();
  exchange_due_ = true;
  const auto appended = co_await append_judged(std::move(judge));
  MIROIR_CO_CHECK(co_await exchange_pasts());
  if (!appended) co_return std::unexpected(appended.error());
  co_return Result<void>();
}

Async<Result<std::vector<Entry>>> DurableLog::append_judged(Judge judge, Voided voided) {
  MIROIR_CO_TRY(std::vector<Entry> entries,
                judge(appender_.tentative_catalogue(), appender_.next_position()));
  if (entries.empty()) co_return entries;
  MIROIR_CO_TRY(Appender::Proposal proposal, propose(entries));
  for (const auto& [position, node] : voided.where)
    proposal.batch.put(Table::kOutcome, outcome_row(position, node),
                       to_text(voided.outcome(entries.front().position)));
  MIROIR_CO_CHECK(co_await appender_.commit(std::move(proposal)));
  if (std::ranges::all_of(entries, only_writes_documents)) {
    views_->metrics.show(appender_.head());
  } else {
    show_metrics();
  }
  co_return entries;
}

Result<Appender::Proposal> DurableLog::propose(std::vector<Entry>& entries) {
  for (Entry& entry : entries) {
    if (entry.body == 0) continue;
    const PendingBody* body = views_->bodies->pending(entry.body);
    if (body == nullptr) {
      return fail(ErrorCode::kConflict, "the body was appended already, or waited too long");
    }
    entry.body_stored = body->stored;
  }
  appender_.number(entries);

  Appender::Proposal proposal;
  std::map<Position, std::uint64_t> deleted;  // by incarnation
  std::vector<Position> dropped;
  std::vector<std::size_t> sizes;
  for (const Entry& entry : entries) {
    proposal.batch.append(appender_.apply(entry));
    if (entry.body != 0) {
      views_->bodies->adopt(entry.body, proposal.batch);
      proposal.body_bytes += static_cast<std::int64_t>(entry.body_stored);
      deleted[entry.incarnation] +=
          add_tombstones(entry, *views_->bodies->pending(entry.body), proposal.batch);
    }
    if (const Position ended = ended_by(entry); ended != 0) {
      Tombstones::drop(ended, proposal.batch);
      dropped.push_back(ended);
    }
    std::string row = encode(entry);
    sizes.push_back(row.size());
    proposal.batch.put(Table::kEntry, key_of(entry.position), std::move(row));
    proposal.entries.push_back(std::make_shared<const Entry>(entry));
  }
  proposal.settled = [views = views_, deleted = std::move(deleted), dropped = std::move(dropped),
                      added = proposal.entries, sizes = std::move(sizes)](bool durable) {
    for (const auto& entry : added)
      if (entry->body != 0) views->bodies->adopted(entry->body, durable);
    if (!durable) return;
    for (const auto& [incarnation, rows] : deleted) views->tombstones.added(incarnation, rows);
    for (const Position incarnation : dropped) views->tombstones.dropped(incarnation);
    for (std::size_t i = 0; i < added.size(); ++i) {
      if (!added[i]->task_type.empty() && added[i]->task == added[i]->position)
        views->metrics.count_enqueued();
      views->recent.add(added[i], sizes[i]);
    }
  };
  return proposal;
}

std::uint64_t DurableLog::add_tombstones(const Entry& entry, const PendingBody& body,
                                         Batch& batch) const {
  if (entry.kind != EntryKind::kDeleteDocuments || entry.born_failed || entry.target) return 0;
  // A delete by filter may be resolved after the index was dropped.
  const Position incarnation = kept_under(*this, entry.incarnation, entry.position);
  if (appender_.tentative_catalogue().there_or_dropped(incarnation) == nullptr) return 0;
  // What expired is dead as it was: whatever was written since lives.
  const bool of_expiry = names_exact_stamps(entry);
  std::unordered_set<std::string_view> documents;  // some may be named twice
  for (const auto& [id, slot, exact_stamp] : body.deletes) {
    documents.insert(id);
    Tombstones::add({.incarnation = incarnation,
                     .id = id,
                     .slot = slot,
                     .position = entry.position,
                     .stamp = of_expiry ? exact_stamp : entry.stamp,
                     .of_expiry = of_expiry},
                    batch);
  }
  return documents.size();
}

Async<Result<std::shared_ptr<const Entry>>> DurableLog::entry(Position position) {
  if (auto recent = views_->recent.find(position)) co_return recent;
  if (position > head()) co_return fail(ErrorCode::kNotFound, "the log is not there yet");
  MIROIR_CO_TRY(const auto row, co_await store_.get(Table::kEntry, key_of(position)));
  if (!row) {
    co_return fail(ErrorCode::kNotFound,
                   "entry " + std::to_string(position) + " is not in the log any more");
  }
  co_return decode_shared(*row);
}

Async<Result<std::vector<std::shared_ptr<const Entry>>>> DurableLog::entries(Position first,
                                                                             std::size_t limit) {
  std::vector<std::shared_ptr<const Entry>> found;
  if (views_->recent.holds(first)) {
    while (found.size() < limit) {
      auto recent = views_->recent.find(first + found.size());
      if (!recent) break;
      found.push_back(std::move(recent));
    }
    co_return found;
  }
  if (first > head()) co_return found;
  MIROIR_CO_TRY(const auto rows, co_await store_.scan(Table::kEntry, key_of(first),
                                                      key_of(head() + 1), limit, false));
  for (const Row& row : rows) {
    MIROIR_CO_TRY(auto entry, decode_shared(row.value));
    found.push_back(std::move(entry));
  }
  co_return found;
}

Async<Result<void>> DurableLog::for_each_record(std::shared_ptr<const Entry> entry,
                                                std::function<Result<void>(BodyRecord)> each) {
  if (entry->body == 0) co_return Result<void>();
  if (entry->position <= views_->trimmed) {
    co_return fail(ErrorCode::kNotFound,
                   "the body of entry " + std::to_string(entry->position) + " was trimmed");
  }
  co_return co_await views_->bodies->read(*entry, std::move(each));
}

Async<Result<void>> DurableLog::resolve(Position position, Body ids,
                                        std::vector<std::uint32_t> shards) {
  const Semaphore::Permit permit = co_await one_exchange_.acquire();
  MIROIR_CO_TRY(const auto before, co_await entry(position));
  const PendingBody* body = views_->bodies->pending(ids.id);
  if (before->kind != EntryKind::kDeleteByFilter || before->born_failed || body == nullptr) {
    co_return fail(ErrorCode::kConflict,
                   "entry " + std::to_string(position) + " is not waiting for these ids");
  }
  Entry resolved = *before;
  resolved.kind = EntryKind::kDeleteDocuments;
  resolved.body = ids.id;
  resolved.body_pieces = ids.pieces;
  resolved.body_bytes = ids.bytes;
  resolved.body_stored = body->stored;
  resolved.records = ids.records;
  resolved.shards = std::move(shards);

  Appender::Proposal proposal;
  views_->bodies->adopt(ids.id, proposal.batch);
  proposal.body_bytes = static_cast<std::int64_t>(resolved.body_stored);
  const std::uint64_t rows = add_tombstones(resolved, *body, proposal.batch);
  const Position incarnation = kept_under(*this, resolved.incarnation, position);
  proposal.settled = [views = views_, rows, incarnation, adopted = ids.id](bool durable) {
    views->bodies->adopted(adopted, durable);
    if (durable) views->tombstones.added(incarnation, rows);
  };
  co_return co_await change_entry(std::move(resolved), std::move(proposal));
}

Async<Result<void>> DurableLog::fail_entry(Position position, meili::ApiError error) {
  MIROIR_CO_TRY(const auto before, co_await entry(position));
  Entry failed = *before;
  failed.born_failed = std::move(error);
  // Clients see it failed from now on, before anybody counts.
  if (Json* deleted = failed.task_details.find("deletedDocuments")) *deleted = Json(0);
  co_return co_await change_entry(std::move(failed), {});
}

// One commit each, with the row that says that it was made.
Async<Result<void>> DurableLog::exchange_pasts() {
  std::vector<TakenBack> due = catalogue().pasts().all();
  std::erase_if(due, [&](const TakenBack& one) { return one.at <= exchanged_ || one.other == 0; });
  for (const TakenBack& one : due) {
    Batch batch;
    batch.put(Table::kMeta, std::string(kExchangedRow), key_of(one.at));
    MIROIR_CO_TRY(
        const Tombstones::Exchange exchange,
        co_await views_->tombstones.exchange(store_, one.index, one.other, one.failed, batch));
    MIROIR_CO_CHECK(co_await taints_.exchange(one.index, one.other, one.failed, std::move(batch)));
    views_->tombstones.exchanged(exchange, one.index, one.other);
    exchanged_ = one.at;
  }
  exchange_due_ = false;
  co_return Result<void>();
}

Async<Result<void>> DurableLog::change_entry(Entry changed, Appender::Proposal proposal) {
  std::string row = encode(changed);
  const std::size_t size = row.size();
  proposal.batch.put(Table::kEntry, key_of(changed.position), std::move(row));
  proposal.settled = [views = views_, others = std::move(proposal.settled), size,
                      entry = std::make_shared<const Entry>(std::move(changed))](bool durable) {
    if (others) others(durable);
    if (durable) views->recent.replace(entry, size);
  };
  MIROIR_CO_CHECK(co_await appender_.commit(std::move(proposal)));
  show_metrics();
  co_return Result<void>();
}

}  // namespace miroir
