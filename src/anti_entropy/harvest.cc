#include "anti_entropy/harvest.h"

#include <algorithm>
#include <limits>
#include <ranges>

#include "cluster/entry_failures.h"
#include "forward/replay.h"

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kPage = 512;
constexpr std::size_t kPutsLookedAt = 64;

bool deletes_by_filter(const Entry& entry) {
  return !entry.born_failed && entry.arguments.find("filter") != nullptr &&
         (entry.kind == EntryKind::kDeleteByFilter || entry.kind == EntryKind::kDeleteDocuments);
}

}  // namespace

Stamp horizon_of(const Log& log, const IndexState& index) {
  // An index that was adopted in recovery is younger than its documents.
  return std::max({log.horizon(index.incarnation), index.created_at, index.clears_forgotten});
}

Copy::TakenOver Harvest::taken_over(const Copy& copy) const {
  if (!copy.present() || copy.in_sync || !copy.stored.stamp ||
      !is_before_recovery(*copy.stored.stamp))
    return Copy::TakenOver::kNo;
  const NodeProgress progress = tools_.cluster.progress(copy.node);
  // Where somebody else wrote to it, or its disk was put back, or ended before the recovery, it may
  // be an older one.
  const NodeProgress::Gap* missed = progress.missed();
  return missed != nullptr && missed->after >= index_.taken_over_by &&
                 tools_.log.forgotten() <= index_.taken_over_by
             ? Copy::TakenOver::kYes
             : Copy::TakenOver::kObscured;
}

Async<Result<void>> Harvest::mark_taken_over(DocumentCopies& copies) {
  if (index_.taken_over_at == 0) co_return Result<void>{};
  for (auto* group : {&copies.owners, &copies.strays})
    for (Copy& copy : *group) MIROIR_CO_CHECK(co_await limit_doubt(copies.id, copy));
  obscure_doubt(copies);
  const IndexState* state = tools_.log.catalogue().by_incarnation(index_.incarnation);
  if (state == nullptr || horizon_of(tools_.log, *state) > index_.taken_over_at)
    co_return Result<void>{};
  for (Copy& copy : copies.owners) {
    if (copy.in_doubt) continue;  // no source, whatever it was
    copy.taken_over = taken_over(copy);
    if (copy.taken_over != Copy::TakenOver::kYes) continue;
    MIROIR_CO_TRY(const bool obscured, co_await filter_delete_after(index_.taken_over_by));
    if (obscured) copy.taken_over = Copy::TakenOver::kObscured;
  }
  co_return Result<void>{};
}

// The failure was by name, and so were later writes: those are this index's. The log of them is
// lost, and nobody else may have them.
Async<Result<void>> Harvest::limit_doubt(const std::string& id, Copy& copy) {
  if (!copy.tainted || !copy.stored.stamp || !is_before_recovery(*copy.stored.stamp))
    co_return Result<void>{};
  MIROIR_CO_TRY(const Stamp index, co_await failed_up_to("", copy.node));
  MIROIR_CO_TRY(const Stamp document, co_await failed_up_to(id, copy.node));
  copy.in_doubt = *copy.stored.stamp <= index;
  copy.tainted = copy.stored.base.value_or(0) <= std::max(index, document);
  co_return Result<void>{};
}

// Who was behind may have missed it: that he does not have it tells nothing.
void Harvest::obscure_doubt(DocumentCopies& copies) const {
  const ShardId shard = tools_.cluster.topology().shard_of(slot_of(copies.id));
  const bool any_behind = std::ranges::any_of(copies.owners, [&](const Copy& copy) {
    return tools_.cluster.progress(copy.node).taken_behind.contains(shard);
  });
  if (!any_behind) return;
  for (Copy& copy : copies.owners)
    if (copy.in_doubt && copy.stored.stamp && is_before_recovery(*copy.stored.stamp))
      copy.taken_over = Copy::TakenOver::kObscured;
}

Async<Result<Stamp>> Harvest::failed_up_to(std::string id, std::string node) {
  const auto taint = tools_.log.taint(index_.incarnation, id, node);
  if (!taint) co_return Stamp{0};
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(tools_.log, taint->newest()));
  co_return entry == nullptr ? std::numeric_limits<Stamp>::max() : entry->stamp;
}

Async<Result<void>> Harvest::ask_log(DocumentCopies& copies) {
  for (Copy& copy : copies.owners) {
    if (!copy.present() || copy.in_sync || copy.in_doubt || !copy.stored.stamp) continue;
    MIROIR_CO_TRY(copy.standing, co_await standing_of(copies.id, copy));
    MIROIR_CO_TRY(copy.is_what_failed, co_await is_what_failed(copies.id, copy));
  }
  co_return Result<void>{};
}

// It failed on some, and was applied by others. Where something newer failed there too, or the
// doubt ended, that may be lost.
Async<Result<bool>> Harvest::is_what_failed(std::string id, Copy copy) {
  const bool whole = copy.checksum_counts();
  MIROIR_CO_TRY(const Write write,
                co_await write_of(id, *copy.stored.stamp,
                                  whole ? EntryKind::kWriteDocuments : EntryKind::kMergeDocuments));
  if (write.position == 0) co_return false;
  if (!whole) {
    MIROIR_CO_TRY(const bool known, co_await is_as_logged(id, copy));
    if (!known) co_return false;
  }
  MIROIR_CO_TRY(const auto failures,
                co_await EntryFailures::of(tools_.log, tools_.cluster, write.position));
  const Topology& topology = tools_.cluster.topology();
  for (const std::string& owner : topology.owners(topology.shard_of(slot_of(id)))) {
    const auto taint = tools_.log.taint(index_.incarnation, id, owner);
    const bool failed = failures.on(owner) != nullptr;
    if (failed != taint.has_value() || (taint && taint->newest() != write.position))
      co_return false;
  }
  MIROIR_CO_TRY(const bool obscured, co_await filter_delete_after(write.position));
  co_return !obscured;
}

Async<Result<bool>> Harvest::find_as_logged(DocumentCopies& copies, Copy winner) {
  bool any = false;
  for (Copy& copy : copies.owners) {
    if (!copy.present() || copy.in_sync || copy.tainted ||
        copy.stored.stamp != winner.stored.stamp || !(copy.stored.base > winner.stored.base))
      continue;
    MIROIR_CO_TRY(bool is_it, co_await is_as_logged(copies.id, copy));
    // What the log lost may be in the winner.
    if (is_it && is_before_recovery(*copy.stored.base)) {
      MIROIR_CO_TRY(is_it, co_await is_of_puts_alone(copies.id, winner, *copy.stored.base));
    }
    copy.is_as_logged = is_it;
    any = any || is_it;
  }
  co_return any;
}

Async<Result<bool>> Harvest::is_of_puts_alone(std::string id, Copy copy, Stamp since) {
  MIROIR_CO_TRY(const auto first, co_await entry_of(since));
  if (first == nullptr) co_return false;
  MIROIR_CO_TRY(const Log::Later later,
                co_await tools_.log.later_writes(index_.incarnation, id, first->position));
  std::vector<Position> puts;
  for (const Position put : later.merges | std::views::reverse | std::views::take(kPutsLookedAt)) {
    puts.insert(puts.begin(), put);
    MIROIR_CO_TRY(const bool is_it, co_await is_made_by(puts, id, copy));
    if (is_it) co_return true;
  }
  co_return false;
}

Async<Result<bool>> Harvest::is_as_logged(std::string id, Copy copy) {
  if (!copy.stored.stamp || !copy.stored.base) co_return false;
  MIROIR_CO_TRY(const auto base, co_await entry_of(*copy.stored.base));
  if (base == nullptr || !is_its(*base) || base->kind != EntryKind::kWriteDocuments ||
      base->born_failed || base->target)
    co_return false;
  MIROIR_CO_TRY(Log::Later later,
                co_await tools_.log.later_writes(index_.incarnation, id, base->position));
  MIROIR_CO_TRY(const bool obscured, co_await filter_delete_after(base->position));
  if (later.overtaken || obscured) co_return false;
  later.merges.insert(later.merges.begin(), base->position);
  co_return co_await is_made_by(std::move(later.merges), id, copy);
}

Async<Result<bool>> Harvest::is_made_by(std::vector<Position> writes, std::string id, Copy copy) {
  MIROIR_CO_TRY(std::vector<BodyRecord> made, co_await made_by(std::move(writes), id));
  if (made.empty()) co_return false;
  const FieldNames& names = tools_.options.names;
  MIROIR_CO_TRY(const DocumentCopy logged,
                parse_copy(std::move(made.front().document), index_.primary_key, names));
  MIROIR_CO_TRY(const Hash128 content, content_of(logged.text, names, DecimalReading::kNode));
  if (logged.stored != copy.stored) co_return false;
  co_return content == copy.content;
}

Async<Result<std::vector<BodyRecord>>> Harvest::made_by(std::vector<Position> writes,
                                                        std::string id) {
  const FieldNames& names = tools_.options.names;
  const ShardId shard = tools_.cluster.topology().shard_of(slot_of(id));
  Replay replay({}, names);
  for (const Position position : writes) {
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(tools_.log, position));
    MIROIR_CO_TRY(const auto failures,
                  co_await EntryFailures::of(tools_.log, tools_.cluster, position));
    const EntryFailures::Fate fate = failures.fate(shard);
    if (fate == EntryFailures::Fate::kDidNot) continue;
    if (fate == EntryFailures::Fate::kUnknown || entry == nullptr)
      co_return std::vector<BodyRecord>();
    const bool merges = entry->kind == EntryKind::kMergeDocuments;
    const auto apply = [&](BodyRecord record) -> Result<void> {
      if (record.id != id) return {};
      if (merges && position != writes.front()) {
        replay.merge(record, entry->stamp);
        return {};
      }
      std::string text;
      append_stored(text, record.document,
                    merges ? fields_of_merge(id, entry->stamp, names)
                           : fields_of_whole_write(id, entry->stamp, record.checksum, names),
                    names);
      record.document = std::move(text);
      replay = Replay({std::move(record)}, names);
      return {};
    };
    auto read = co_await tools_.log.for_each_record(entry, apply);
    if (!read && read.error().code == ErrorCode::kNotFound) co_return std::vector<BodyRecord>();
    MIROIR_CO_CHECK(read);
  }
  co_return replay.take();
}

Async<Result<Copy::Standing>> Harvest::standing_of(std::string id, Copy copy) {
  const bool whole = copy.stored.base == copy.stored.stamp;
  MIROIR_CO_TRY(const Write newest,
                co_await write_of(id, *copy.stored.stamp,
                                  whole ? EntryKind::kWriteDocuments : EntryKind::kMergeDocuments));
  if (newest.standing != Standing::kVouched || !copy.stored.base)
    co_return newest.standing == Standing::kRefuted ? Standing::kRefuted : Standing::kUnknown;
  Write base = newest;
  if (!whole) {
    MIROIR_CO_TRY(base, co_await write_of(id, *copy.stored.base, EntryKind::kWriteDocuments));
    // The merge is the log's: what it landed on is another question.
    if (base.standing != Standing::kVouched) co_return Standing::kUnknown;
  }
  MIROIR_CO_TRY(const bool obscured, co_await filter_delete_after(base.position));
  co_return obscured ? Standing::kUnknown : Standing::kVouched;
}

Async<Result<Harvest::Write>> Harvest::write_of(std::string id, Stamp stamp, EntryKind kind) {
  const Write unknown{.standing = Standing::kUnknown, .position = 0};
  const Write refuted{.standing = Standing::kRefuted, .position = 0};
  if (is_before_recovery(stamp)) co_return unknown;
  const Position first = tools_.log.forgotten() + 1;
  if (first > 1) {
    MIROIR_CO_TRY(const auto oldest, co_await tools_.log.entries(first, 1));
    if (oldest.empty() || oldest.front()->stamp > stamp) co_return unknown;
  }
  MIROIR_CO_TRY(const auto entry, co_await entry_of(stamp));
  if (entry == nullptr || !is_its(*entry) || entry->kind != kind || entry->born_failed ||
      entry->target)
    co_return refuted;
  MIROIR_CO_TRY(const bool its, co_await holds(entry, id));
  if (!its) co_return refuted;
  MIROIR_CO_TRY(const auto failures,
                co_await EntryFailures::of(tools_.log, tools_.cluster, entry->position));
  const Topology& topology = tools_.cluster.topology();
  const ShardId shard = topology.shard_of(slot_of(id));
  if (failures.on_all(shard)) co_return refuted;  // it did not happen
  for (const std::string& owner : topology.owners(shard))
    if (failures.on(owner) != nullptr)
      co_return Write{.standing = Standing::kUnknown, .position = entry->position};
  co_return Write{.standing = Standing::kVouched, .position = entry->position};
}

bool Harvest::is_its(const Entry& entry) const {
  const Pasts& pasts = tools_.log.catalogue().pasts();
  return pasts.owner(entry.incarnation, entry.position) == index_.incarnation;
}

Async<Result<std::shared_ptr<const Entry>>> Harvest::entry_of(Stamp stamp) {
  MIROIR_CO_TRY(const Position first, co_await first_where(tools_.log, [stamp](const Entry& entry) {
                  return entry.stamp >= stamp;
                }));
  MIROIR_CO_TRY(const auto found, co_await tools_.log.entries(first, 1));
  if (found.empty() || found.front()->stamp != stamp) co_return nullptr;
  co_return found.front();
}

Async<Result<bool>> Harvest::holds(std::shared_ptr<const Entry> entry, std::string id) {
  const Topology& topology = tools_.cluster.topology();
  if (entry->shard_count == topology.shard_count() &&
      !std::ranges::binary_search(entry->shards, topology.shard_of(slot_of(id))))
    co_return false;
  auto known = bodies_.find(entry->position);
  if (known == bodies_.end()) {
    std::set<std::string> ids;
    auto read = co_await tools_.log.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
      ids.insert(std::move(record.id));
      return {};
    });
    const bool trimmed = !read && read.error().code == ErrorCode::kNotFound;
    if (!trimmed) MIROIR_CO_CHECK(read);
    known = bodies_.emplace(entry->position, trimmed ? std::nullopt : std::optional(std::move(ids)))
                .first;
  }
  co_return !known->second || known->second->contains(id);
}

Async<Result<bool>> Harvest::filter_delete_after(Position position) {
  if (looked_after_ == 0) looked_after_ = tools_.log.head();
  for (Position next = position + 1; next <= looked_after_;) {
    MIROIR_CO_TRY(const auto page, co_await tools_.log.entries(next, kPage));
    for (const std::shared_ptr<const Entry>& entry : page) {
      if (is_its(*entry) && deletes_by_filter(*entry))
        newest_filter_delete_ = std::max(newest_filter_delete_, entry->position);
    }
    if (page.empty()) break;
    next = page.back()->position + 1;
  }
  looked_after_ = std::min(looked_after_, position);
  co_return newest_filter_delete_ > position;
}

}  // namespace miroir::anti_entropy
