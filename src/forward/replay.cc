#include "forward/replay.h"

#include <algorithm>
#include <set>

#include "base/document.h"
#include "cluster/entry_failures.h"
#include "forward/overtaken.h"
#include "forward/plan.h"

namespace miroir {
namespace {

// The lane stands still meanwhile.
constexpr Milliseconds kWaitMax{10'000};
constexpr Milliseconds kWaitStep{20};

// The document with the newer one's members in the place of its own of the same names: what a node
// makes of a PUT.
Result<std::string> merged(std::string_view document, const std::vector<FieldView>& newer) {
  std::set<std::string, std::less<>> keys;
  for (const FieldView& field : newer) keys.insert(field.key);
  std::string out;
  MIROIR_CHECK(
      append_without(out, document, [&](std::string_view key) { return keys.contains(key); }));
  out.pop_back();
  for (const FieldView& field : newer) {
    if (out.size() > 1) out += ',';
    out += field.raw;
  }
  return out + '}';
}

struct Replaying {
  const ForwardContext& context;
  std::function<bool()> interrupted;
  Instant deadline;
  Replay replay;
};

// What is known of it once the fate of its part in each of the shards is, or nothing more can be
// learnt in time.
Async<Result<EntryFailures>> await_fate(Replaying& its, Position position,
                                        std::set<ShardId> shards) {
  const ForwardContext& context = its.context;
  for (;;) {
    MIROIR_CO_TRY(EntryFailures failures,
                  co_await EntryFailures::of(context.log, context.cluster, position));
    const bool awaited = std::ranges::any_of(shards, [&](ShardId shard) {
      return failures.fate(shard) == EntryFailures::Fate::kUnknown && failures.awaited(shard);
    });
    if (!awaited || context.clock.now() >= its.deadline) co_return failures;
    if (its.interrupted())
      co_return fail(ErrorCode::kUnavailable, "the node went away while a repair waited");
    co_await context.clock.sleep_for(kWaitStep);
  }
}

Async<Result<void>> merge(Replaying& its, std::shared_ptr<const Entry> entry,
                          std::vector<BodyRecord> puts) {
  const Topology& topology = its.context.cluster.topology();
  std::set<ShardId> shards;
  for (const BodyRecord& put : puts) shards.insert(topology.shard_of(put.slot));
  MIROIR_CO_TRY(const EntryFailures failures,
                co_await await_fate(its, entry->position, std::move(shards)));
  for (const BodyRecord& put : puts) {
    switch (failures.fate(topology.shard_of(put.slot))) {
      case EntryFailures::Fate::kHappened:
        its.replay.merge(put, entry->stamp);
        break;
      case EntryFailures::Fate::kDidNot:
        break;
      case EntryFailures::Fate::kUnknown:
        its.replay.leave_out(put.id);
        break;
    }
  }
  co_return Result<void>();
}

// Whether there is anything left to replay on.
Async<Result<bool>> replay_entry(Replaying& its, std::shared_ptr<const Entry> entry) {
  if (!has_records(entry->kind)) {
    if (touches_all(entry->kind)) its.replay.leave_out_all();
    co_return !its.replay.empty();
  }
  std::vector<BodyRecord> records;
  auto read =
      co_await its.context.log.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
        if (its.replay.contains(record.id)) records.push_back(std::move(record));
        return {};
      });
  if (!read && read.error().code == ErrorCode::kNotFound) {  // trimmed
    its.replay.leave_out_all();
    co_return false;
  }
  MIROIR_CO_CHECK(read);
  if (entry->kind == EntryKind::kMergeDocuments) {
    if (!records.empty()) MIROIR_CO_CHECK(co_await merge(its, entry, std::move(records)));
  } else {
    for (const BodyRecord& record : records) its.replay.leave_out(record.id);
  }
  co_return !its.replay.empty();
}

}  // namespace

Replay::Replay(std::vector<BodyRecord> copies, FieldNames names) : names_(std::move(names)) {
  for (BodyRecord& copy : copies) {
    std::string id = copy.id;
    copies_.insert_or_assign(std::move(id), std::move(copy));
  }
}

void Replay::merge(const BodyRecord& put, EntryStamp stamp) {
  const auto found = copies_.find(put.id);
  if (found == copies_.end()) return;
  std::string stored;
  append_stored(stored, put.document, fields_of_merge(put.id, stamp, names_), names_);
  const auto fields = top_level_fields(stored);
  const bool vectors =
      fields && std::ranges::find(*fields, "_vectors", &FieldView::key) != fields->end();
  auto document = fields && !vectors ? merged(found->second.document, *fields)
                                     : fail(ErrorCode::kUnsupported, "");
  if (document) {
    found->second.document = std::move(*document);
  } else {
    copies_.erase(found);
  }
}

std::vector<BodyRecord> Replay::take() {
  std::vector<BodyRecord> records;
  for (auto& [id, copy] : copies_) records.push_back(std::move(copy));
  copies_.clear();
  return records;
}

Async<Result<std::vector<BodyRecord>>> replayed(const ForwardContext& context,
                                                std::shared_ptr<const Entry> repair,
                                                std::function<bool()> interrupted) {
  std::vector<BodyRecord> copies;
  MIROIR_CO_CHECK(
      co_await context.log.for_each_record(repair, [&](BodyRecord record) -> Result<void> {
        copies.push_back(std::move(record));
        return {};
      }));
  Replaying its{context, std::move(interrupted), context.clock.now() + kWaitMax,
                Replay(std::move(copies), context.options.names)};
  MIROIR_CO_TRY(const bool known, co_await for_each_overtaking(
                                      context.log, repair, [&](std::shared_ptr<const Entry> entry) {
                                        return replay_entry(its, std::move(entry));
                                      }));
  if (!known) its.replay.leave_out_all();
  co_return its.replay.take();
}

}  // namespace miroir
