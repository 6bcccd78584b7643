#include "forward/outcomes.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <set>

#include "cluster/entry_failures.h"
#include "forward/overtaken.h"
#include "forward/plan.h"
#include "forward/take_back.h"

namespace miroir {
namespace {

// Whether the entry, applied, leaves nothing of a failure of `earlier` on that index as a whole.
bool supersedes_index_failure(EntryKind later, EntryKind earlier) {
  return later == earlier &&
         (later == EntryKind::kUpdateSettings || later == EntryKind::kClearDocuments);
}

// A repair is for one node, and counts only once it was read again. A delete by filter that nobody
// looked up names nothing yet.
bool puts_in_doubt(const Entry& entry) {
  return !entry.target && !is_key(entry.kind) && !unresolved(entry);
}

}  // namespace

Async<Result<std::vector<Outcomes::Named>>> Outcomes::named_by(std::shared_ptr<const Entry> entry,
                                                               std::string node) {
  std::vector<Named> named;
  if (entry->kind == EntryKind::kSwapIndexes) {
    // Each is the other on this node, whatever they are called by now.
    for (const Json& pair : entry->arguments.as_array()) {
      const Json* incarnations = pair.find("incarnations");
      if (incarnations == nullptr) continue;
      for (const Json& each : incarnations->as_array()) {
        const Catalogue& catalogue = context_.log.catalogue();
        const Position incarnation = each.as_uint64();
        const Position now = catalogue.pasts().owner(incarnation, entry->position);
        if (catalogue.there_or_dropped(now) != nullptr) named.push_back({incarnation, "", 0});
      }
    }
    co_return named;
  }
  if (!has_records(entry->kind)) {
    if (entry->incarnation != 0) named.push_back({entry->incarnation, "", 0});
    co_return named;
  }
  const Topology& topology = context_.cluster.topology();
  Overtaken left_out;
  if (is_adoption(*entry)) {
    MIROIR_CO_TRY(left_out, co_await overtaken(context_.log, entry));
  }
  auto read = co_await context_.log.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
    if (left_out.contains(record.id)) return {};
    if (is_for(*entry, record, node, topology)) {
      named.push_back({entry->incarnation, std::move(record.id), topology.shard_of(record.slot)});
    }
    return {};
  });
  if (!read && read.error().code == ErrorCode::kNotFound)
    co_return co_await still_known(std::move(entry), std::move(node));
  MIROIR_CO_CHECK(read);
  co_return named;
}

// The body was trimmed: what it named is not all known any more, so the whole index is in doubt
// here. What it failed on elsewhere is, and what it deleted.
Async<Result<std::vector<Outcomes::Named>>> Outcomes::still_known(
    std::shared_ptr<const Entry> entry, std::string node) {
  std::set<std::string> ids;
  if (entry->kind == EntryKind::kDeleteDocuments) {
    MIROIR_CO_TRY(const std::vector<std::string> deleted,
                  co_await context_.log.deleted_by(entry->incarnation, entry->position));
    ids.insert(deleted.begin(), deleted.end());
  }
  for (Taint& taint : context_.log.taints(index_of(*entry))) {
    if (!taint.id.empty() && std::ranges::count(taint.failed, entry->position) > 0)
      ids.insert(std::move(taint.id));
  }
  const Topology& topology = context_.cluster.topology();
  std::vector<Named> named = {{entry->incarnation, "", 0}};
  for (const std::string& id : ids) {
    const ShardId shard = topology.shard_of(slot_of(id));
    if (topology.owns(node, slot_of(id))) named.push_back({entry->incarnation, id, shard});
  }
  co_return named;
}

Async<Result<void>> Outcomes::failed(std::shared_ptr<const Entry> entry, std::string node,
                                     Json error) {
  MIROIR_CO_CHECK(co_await context_.log.record_failures({{entry->position, node}}, error));
  if (!puts_in_doubt(*entry)) co_return Result<void>();
  MIROIR_CO_TRY(std::vector<Named> named, co_await named_by(entry, node));
  // What is not there to be dropped is dropped.
  const bool gone = entry->kind == EntryKind::kDropIndex && is_error(error, "index_not_found");
  std::vector<Taint> taints;
  for (const Named& what : named)
    if (!gone) taints.push_back({what.incarnation, what.id, node, {entry->position}});
  if (!taints.empty())
    MIROIR_CO_CHECK(co_await context_.log.add_taints(std::move(taints), entry->position));
  if (comes_with_a_name(*entry) && context_.is_open(*entry)) co_return Result<void>();
  co_return co_await end_if_failed_everywhere(entry, std::move(named));
}

Async<Result<void>> Outcomes::decided(std::shared_ptr<const Entry> entry) {
  if (!puts_in_doubt(*entry)) co_return Result<void>();
  MIROIR_CO_TRY(const auto failures, co_await context_.log.failures(entry->position));
  std::set<Named> named;
  for (const NodeConfig& node : context_.cluster.topology().nodes()) {
    if (!failures.contains(node.id)) continue;
    MIROIR_CO_TRY(const std::vector<Named> here, co_await named_by(entry, node.id));
    named.insert(here.begin(), here.end());
  }
  co_return co_await end_if_failed_everywhere(entry, {named.begin(), named.end()});
}

Async<Result<void>> Outcomes::end_if_failed_everywhere(std::shared_ptr<const Entry> entry,
                                                       std::vector<Named> named) {
  if (named.empty()) co_return Result<void>();
  MIROIR_CO_TRY(const auto failures,
                co_await EntryFailures::of(context_.log, context_.cluster, entry->position));
  const Topology& topology = context_.cluster.topology();
  const bool whole = !has_records(entry->kind);
  const bool all_failed = whole && did_not_happen(*entry, failures);
  if (all_failed) MIROIR_CO_CHECK(co_await TakeBack(context_).of(entry));
  if (entry->kind == EntryKind::kUpdateSettings && failures.everywhere() && !all_failed)
    co_return co_await forget_older_settings(entry);
  std::set<std::string> over;
  std::vector<std::string> not_deleted;
  const auto failed_on_owners = [&](ShardId shard) { return failures.on_all(shard); };
  for (const Named& what : named) {
    bool failed_everywhere = false;
    if (whole) {
      failed_everywhere = all_failed;
    } else if (what.id.empty()) {  // of its body nothing is known any more
      failed_everywhere = std::ranges::all_of(touched_shards(*entry, topology), failed_on_owners);
    } else {
      failed_everywhere = failed_on_owners(what.shard);
    }
    if (!failed_everywhere) continue;
    if (entry->kind == EntryKind::kDeleteDocuments && !what.id.empty())
      not_deleted.push_back(what.id);
    over.insert(what.id);
  }
  if (!not_deleted.empty()) {
    MIROIR_CO_CHECK(co_await context_.log.void_tombstones(entry->incarnation, entry->position,
                                                          std::move(not_deleted)));
  }
  if (over.empty()) co_return Result<void>();
  co_return co_await context_.log.untaint(entry->position, std::move(over));
}

// All that are to be sent again are the newest.
Async<Result<void>> Outcomes::forget_older_settings(std::shared_ptr<const Entry> newest) {
  std::set<Position> older;
  for (const Taint& taint : context_.log.taints(index_of(*newest)))
    if (taint.id.empty()) older.insert(taint.failed.begin(), taint.failed.end());
  for (const Position position : older) {
    if (position == Taint::kUnnamed || position >= newest->position) continue;
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(context_.log, position));
    if (entry != nullptr && entry->kind == EntryKind::kUpdateSettings)
      MIROIR_CO_CHECK(co_await context_.log.untaint(position, {""}));
  }
  co_return Result<void>();
}

// Again where pasts were exchanged meanwhile: documents that were found may be another index's.
Async<Result<void>> Outcomes::skipped(Position first, Position last) {
  for (std::optional<Position> exchanged; exchanged != context_.log.exchanged();) {
    exchanged = context_.log.exchanged();
    MIROIR_CO_CHECK(co_await end_skipped(first, last));
  }
  co_return Result<void>();
}

Async<Result<void>> Outcomes::end_skipped(Position first, Position last) {
  std::map<Position, std::vector<Named>> tainted;  // by the entry that failed
  std::vector<Named> documents;
  std::vector<Position> incarnations;
  for (const auto& [uid, index] : context_.log.catalogue().indexes())
    incarnations.push_back(index.incarnation);
  for (const auto& [incarnation, index] : context_.log.catalogue().dropped())
    incarnations.push_back(incarnation);
  for (const Position incarnation : incarnations) {
    for (Taint& taint : context_.log.taints(incarnation)) {
      const bool whole = taint.id.empty();
      const ShardId shard = whole ? 0 : context_.cluster.topology().shard_of(slot_of(taint.id));
      Named named{taint.incarnation, std::move(taint.id), shard};
      for (const Position position : taint.failed) {
        if (first < position && position <= last) tainted[position].push_back(named);
      }
      if (!whole) documents.push_back(std::move(named));
    }
  }
  for (auto& [position, named] : tainted) {
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(context_.log, position));
    if (entry == nullptr || (comes_with_a_name(*entry) && context_.is_open(*entry))) continue;
    MIROIR_CO_TRY(const bool forgotten, co_await is_forgotten(entry));
    if (forgotten) continue;
    MIROIR_CO_CHECK(co_await end_if_failed_everywhere(entry, std::move(named)));
  }
  for (Named& named : documents)
    MIROIR_CO_CHECK(co_await void_failed_deletes(std::move(named), first, last));
  co_return Result<void>();
}

Position Outcomes::index_of(const Entry& entry) const {
  return kept_under(context_.log, entry.incarnation, entry.position);
}

// Whether nobody knows any more what was told of it.
Async<Result<bool>> Outcomes::is_forgotten(std::shared_ptr<const Entry> entry) {
  if (entry->task_type.empty() || entry->task > context_.settled) co_return false;
  MIROIR_CO_TRY(const auto told, co_await told_to_have_failed(context_.log, entry));
  co_return !told;
}

Async<Result<void>> Outcomes::void_failed_deletes(Named document, Position first, Position last) {
  for (;;) {
    MIROIR_CO_TRY(const auto tombstone,
                  co_await context_.log.tombstone(document.incarnation, document.id));
    if (!tombstone || tombstone->position <= first || tombstone->position > last)
      co_return Result<void>();
    const Position position = tombstone->position;
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(context_.log, position));
    if (entry == nullptr) co_return Result<void>();
    MIROIR_CO_TRY(const bool forgotten, co_await is_forgotten(entry));
    if (forgotten) co_return Result<void>();
    MIROIR_CO_TRY(const auto failures,
                  co_await EntryFailures::of(context_.log, context_.cluster, position));
    if (!failures.on_all(document.shard)) co_return Result<void>();
    MIROIR_CO_CHECK(
        co_await context_.log.void_tombstones(entry->incarnation, position, {document.id}));
  }
}

Async<Result<void>> Outcomes::applied(std::shared_ptr<const Entry> entry, std::string node) {
  const EntryKind kind = entry->kind;
  if (kind != EntryKind::kWriteDocuments && kind != EntryKind::kDeleteDocuments &&
      kind != EntryKind::kClearDocuments && kind != EntryKind::kDropIndex &&
      kind != EntryKind::kUpdateSettings) {
    co_return Result<void>();
  }
  // Another copy than the one named may still be there.
  if (entry->target || names_exact_stamps(*entry)) co_return Result<void>();
  if (!context_.log.any_tainted(index_of(*entry))) co_return Result<void>();
  std::vector<Taint> taints;
  if (kind == EntryKind::kClearDocuments || kind == EntryKind::kDropIndex) {
    taints = context_.log.taints(index_of(*entry));
  } else {
    std::set<std::string> written;
    if (has_records(kind)) {
      MIROIR_CO_TRY(const std::vector<Named> named, co_await named_by(entry, node));
      for (const Named& what : named) written.insert(what.id);
      written.erase("");
    } else {
      written.insert("");
    }
    const Position incarnation = index_of(*entry);
    for (const std::string& id : written)
      if (auto taint = context_.log.taint(incarnation, id, node))
        taints.push_back(std::move(*taint));
  }
  std::erase_if(taints, [&](const Taint& taint) {
    return taint.node != node || taint.newest() >= entry->position;
  });
  if (has_records(kind) && !taints.empty()) {
    // Of a part that failed on all owners nothing was sent.
    MIROIR_CO_TRY(const auto failures,
                  co_await EntryFailures::of(context_.log, context_.cluster, entry->position));
    std::erase_if(taints, [&](const Taint& taint) {
      return failures.on_all(context_.cluster.topology().shard_of(slot_of(taint.id)));
    });
  }

  std::vector<Taint> over;
  for (const Taint& taint : taints) {
    if (!taint.id.empty()) {
      over.push_back(taint);
      continue;
    }
    bool superseded = false;
    if (kind == EntryKind::kDropIndex) {
      // What a rename that failed left there has another name.
      MIROIR_CO_TRY(auto names, co_await names_not_taken_away(context_.log, taint));
      names.erase(entry->index_uid);
      superseded = names.empty();
    } else {
      superseded = true;
      for (const Position position : taint.failed) {
        if (!superseded) break;
        const auto earlier = co_await context_.log.entry(position);
        superseded = earlier && supersedes_index_failure(kind, (*earlier)->kind);
      }
    }
    if (superseded) over.push_back(taint);
  }
  if (over.empty()) co_return Result<void>();
  co_return co_await context_.log.clear_taints(std::move(over));
}

}  // namespace miroir
