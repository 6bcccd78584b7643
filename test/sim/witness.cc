#include "sim/witness.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/cluster.h"
#include "cluster/own_tasks.h"
#include "log/entry.h"
#include "log/rows.h"
#include "node_api/stored_fields.h"
#include "sim/json_at.h"

namespace miroir::sim {
namespace {

const Json& stamp_of(const Json& document) { return at(document, FieldNames().updated_at); }

bool is_deleted(const Json& copy) { return at(copy, "treatment") == Json("delete"); }

// By something else than stamps.
bool breaks_a_tie(const Json& row) {
  const Json& reason = at(row, "reason");
  return reason == Json("tie_hash") || reason == Json("majority") || reason == Json("greater_base");
}

// From then on a name may mean another index.
bool moves_names(EntryKind kind) {
  return kind == EntryKind::kDropIndex || kind == EntryKind::kUpdateIndex ||
         kind == EntryKind::kSwapIndexes || kind == EntryKind::kTakeBack;
}

const Json* copy_on(const Json& row, const Json& node) {
  for (const Json& copy : at(row, "copies").as_array()) {
    if (at(copy, "node") == node) return &copy;
  }
  return nullptr;
}

}  // namespace

Witness::Witness(const Topology& topology, const Nodes& nodes, const Journals& journals,
                 const Clock& clock, std::uint64_t deletes_max)
    : topology_(topology),
      nodes_(nodes),
      journals_(journals),
      clock_(clock),
      deletes_max_(deletes_max) {}

void Witness::committed(const Batch& batch) {
  note_collection(batch);
  for (const Batch::Change& change : batch.changes()) {
    if (change.kind != Batch::Change::Kind::kPut) continue;
    if (change.table == Table::kEntry) entry_written(number_of(change.key), change.value);
    if (change.table == Table::kPass) pass_written(*parse_json(change.value));
    if (change.table == Table::kRepair) audited(change.key, *parse_json(change.value));
  }
}

// A swap moves tombstones, and writes horizons too.
void Witness::note_collection(const Batch& batch) {
  const auto is = [&batch](Table table, Batch::Change::Kind kind, std::string_view prefix) {
    return std::ranges::any_of(batch.changes(), [&](const Batch::Change& change) {
      return change.table == table && change.kind == kind && change.key.starts_with(prefix);
    });
  };
  using enum Batch::Change::Kind;
  if (is(Table::kMeta, kPut, kHorizonPrefix) && is(Table::kTombstone, kErase, "") &&
      !is(Table::kTombstone, kPut, ""))
    ++judged_.collections;
}

void Witness::store_went_back(std::uint64_t head) {
  head_ = head;
  repairs_.erase(repairs_.upper_bound(head), repairs_.end());
  std::erase_if(repaired_, [head](const Repaired& repair) { return repair.position > head; });
  sweeps_.erase(sweeps_.upper_bound(head), sweeps_.end());
  filtered_.erase(filtered_.upper_bound(head), filtered_.end());
  std::erase_if(swept_, [head](const Swept& swept) { return swept.position > head; });
  begun_.clear();
  deletes_.clear();
  counted_.clear();
  recovering_ = true;
}

void Witness::entry_written(std::uint64_t position, const std::string& row) {
  head_ = std::max(head_, position);
  const auto entry = decode_entry(row);
  const bool repairs = entry && (entry->kind == EntryKind::kRepairDocuments ||
                                 entry->kind == EntryKind::kRepairDeletes);
  const bool adopts =
      entry && entry->kind == EntryKind::kWriteDocuments && entry->origin == Origin::kAntiEntropy;
  if (repairs || adopts) repairs_[position] = recovering_;
  if (entry && entry->kind == EntryKind::kDeleteByFilter) filtered_[position];
  if (entry && moves_names(entry->kind)) deletes_.clear();
  note_time();
  if (entry && entry->origin == Origin::kTtlExpire)
    sweeps_[position] = latest_.time_since_epoch() / Milliseconds(1);
}

void Witness::applied(const std::string& node, const NodeTask& task,
                      const std::map<std::string, SimulatedNode::Index>& before) {
  const auto mark = parse_task_metadata(task.custom_metadata);
  const auto position = mark ? std::optional(mark->position) : std::nullopt;
  const bool filters = position && filtered_.contains(*position);
  if (!filters && !(position && (repairs_.contains(*position) || sweeps_.contains(*position))))
    return;
  const auto found = before.find(task.index_uid);
  static const SimulatedNode::Documents kNone;
  const SimulatedNode::Documents& held = found == before.end() ? kNone : found->second.documents;
  const auto holds = nodes_.at(node)->disk().indexes.find(task.index_uid);
  if (holds == nodes_.at(node)->disk().indexes.end()) return;
  for (const auto& [id, document] : held) {
    if (holds->second.documents.contains(id)) continue;
    if (filters) {
      filtered_[*position].insert({task.index_uid, id});
      continue;
    }
    if (const auto sweep = sweeps_.find(*position); sweep != sweeps_.end()) {
      swept_.push_back({*position, node, task.index_uid, id, document, sweep->second});
    } else {
      repaired_.push_back({*position, node, task.index_uid, id, document, std::nullopt});
    }
  }
  if (filters) return;
  // Until the nodes are equal, the newest copy may be on one that does not answer: what is restored
  // meanwhile is right in the end.
  if (const auto repair = repairs_.find(*position); repair != repairs_.end() && repair->second)
    return;
  for (const auto& [id, document] : holds->second.documents) {
    const auto old = held.find(id);
    if (old != held.end() && old->second == document) continue;
    repaired_.push_back({*position, node, task.index_uid, id, std::nullopt, document});
    if (old != held.end()) repaired_.back().before = old->second;
  }
}

void Witness::note_time() { latest_ = std::max(latest_, clock_.wall_now()); }

void Witness::damaged(Instant until) { damaged_until_ = std::max(damaged_until_, until); }

void Witness::pass_written(const Json& pass) {
  const std::uint64_t its = number(pass, "pass");
  if (at(pass, "state") == Json("running")) {
    begun_[its] = {clock_.now(), head_, held()};
    return;
  }
  const auto begun = begun_.find(its);
  if (begun == begun_.end()) return;
  if (at(pass, "clean") == Json(true)) pass_was_clean(pass, begun->second);
  begun_.erase(begun);
}

std::set<std::string> Witness::held() const {
  std::set<std::string> indexes;
  for (const auto& [id, node] : nodes_) {
    for (const auto& [uid, index] : node->disk().indexes)
      if (!index.documents.empty()) indexes.insert(uid);
  }
  return indexes;
}

void Witness::pass_was_clean(const Json& pass, const Begun& begun) {
  // What was written meanwhile it need not have seen.
  if (head_ != begun.head) return;
  const std::string which =
      fmt::format("pass {} ({})", number(pass, "pass"), at(pass, "kind").as_string());
  ++judged_.clean_passes;
  recovering_ = false;
  const std::set<std::string> now = held();
  for (const Json& report : at(pass, "indexes").as_array()) {
    const std::string& index = at(report, "index").as_string();
    // …nor what was put on a node.
    if (!begun.held.contains(index) || !now.contains(index)) continue;
    for (const auto& [node, journal] : journals_) {
      if (topology_.shards_of(node).empty()) continue;
      const auto answered = journal.digests.find(index);
      if (answered != journal.digests.end() && answered->second >= begun.at) continue;
      wrong_.push_back(
          fmt::format("{} counts as clean, and {} told it nothing of {}", which, node, index));
    }
  }
  if (damaged_until_ >= begun.at) return;
  ++judged_.equal_passes;
  // One that goes on with another's reading says nothing of contents that changed in between, and
  // one that reads some shards nothing of the others'.
  const bool whole = at(pass, "kind") == Json("deep") && at(pass, "resumes").is_null() &&
                     at(pass, "whole") == Json(true);
  check_alike(which, whole);
}

void Witness::check_alike(const std::string& which, bool contents) {
  struct Copy {
    std::string node;
    const Json* document;
  };
  std::map<std::pair<std::string, std::string>, std::vector<Copy>> copies;
  for (const auto& [node, simulated] : nodes_) {
    for (const auto& [uid, index] : simulated->disk().indexes) {
      for (const auto& [id, document] : index.documents)
        copies[{uid, id}].push_back({node, &document});
    }
  }
  for (const auto& [what, its] : copies) {
    const auto owners = topology_.owners(topology_.shard_of(slot_of(what.second)));
    const bool everywhere = its.size() == owners.size();
    const bool alike = std::ranges::all_of(its, [&](const Copy& copy) {
      if (stamp_of(*copy.document).is_null()) return false;
      if (contents) return *copy.document == *its.front().document;
      return stamp_of(*copy.document) == stamp_of(*its.front().document);
    });
    if (everywhere && alike) continue;
    std::string where;
    for (const Copy& copy : its)
      where += fmt::format(" {}: {}", copy.node, to_text(*copy.document));
    wrong_.push_back(
        fmt::format("{} counts as clean, and {}/{} is{}", which, what.first, what.second, where));
  }
}

void Witness::audited(const std::string& key, const Json& row) {
  const auto begun = begun_.find(number(row, "pass"));
  const bool of_a_document = row.find("copies") != nullptr;
  if (begun == begun_.end() || !of_a_document) return;
  const auto& copies = at(row, "copies").as_array();
  if (std::ranges::any_of(copies, is_deleted)) check_deletion(row, begun->second.at);
  check_agreement(key, row);
  if (at(row, "repaired") == Json(true)) check_repaired(row, begun->second.at);
}

const ReadJournal::Answer* Witness::told(const std::string& node, const Json& row,
                                         Instant since) const {
  const auto& documents = journals_.at(node).documents;
  const auto found = documents.find({at(row, "index").as_string(), at(row, "id").as_string()});
  return found == documents.end() || found->second.at < since ? nullptr : &found->second;
}

// Every owner was asked for it.
void Witness::check_deletion(const Json& row, Instant since) {
  ++judged_.deletions;
  const std::string& id = at(row, "id").as_string();
  for (const std::string& owner : topology_.owners(topology_.shard_of(slot_of(id)))) {
    if (told(owner, row, since) != nullptr) continue;
    wrong_.push_back(fmt::format("a repair deletes, and {} was not read: {}", owner, to_text(row)));
  }
}

// Invariant 7.
void Witness::check_agreement(const std::string& key, const Json& row) {
  const auto counts = [tie = breaks_a_tie(row)](const Json& copy) {
    if (copy.find("inDoubt") != nullptr) return false;
    return is_deleted(copy) ||
           (tie && at(copy, "treatment") != Json("leave") &&
            at(copy, "presence") == Json("present") && at(copy, "inSync") == Json(true));
  };
  if (agreed_ || !std::ranges::any_of(at(row, "copies").as_array(), counts)) return;
  const std::string& outcome = at(row, "outcome").as_string();
  if (outcome.starts_with("held back") || outcome.starts_with("reported only")) return;
  const ShardId shard = topology_.shard_of(slot_of(at(row, "id").as_string()));
  if (!counted_.insert(key).second) return;
  if (++deletes_[{number(row, "pass"), at(row, "index").as_string(), shard}] == deletes_max_ + 1)
    wrong_.push_back("nobody agreed to so many deletes and tie-breaks: " + to_text(row));
}

// What the nodes told it last is what it ought to be.
void Witness::check_repaired(const Json& row, Instant since) {
  ++judged_.repairs;
  const Json* winner = copy_on(row, at(row, "winner"));
  const ReadJournal::Answer* source =
      winner == nullptr ? nullptr : told(at(row, "winner").as_string(), row, since);
  for (const Json& copy : at(row, "copies").as_array()) {
    if (at(copy, "treatment") == Json("leave")) continue;
    if (at(copy, "treatment") == Json("replace") && at(copy, "presence") == Json("present")) {
      const auto lost = parse_json(text_at(copy, "document"));
      if (!lost || at(*lost, "id") != at(row, "id"))
        wrong_.push_back("what a repair overwrote is not in the audit: " + to_text(row));
    }
    const ReadJournal::Answer* now = told(at(copy, "node").as_string(), row, since);
    bool right = now != nullptr && now->document.has_value() != is_deleted(copy);
    if (right && at(copy, "treatment") == Json("adopt")) {
      // It has a stamp by now, and so has the winner.
      right = !stamp_of(*now->document).is_null() && source != nullptr && source->document &&
              *source->document == *now->document;
    } else if (right && now->document) {
      const auto stamp = winner == nullptr ? "" : encode_stamp(at(*winner, "stamp").as_uint64());
      const bool as_read = stamp_of(*now->document) == Json(stamp);
      // Or PUTs have landed on both since; or the winner was lost after it was read.
      const bool alike = source != nullptr && source->document &&
                         stamp_of(*source->document) == stamp_of(*now->document);
      right = winner != nullptr &&
              (as_read || (alike && stamp_of(*now->document).as_string() > stamp)) &&
              (!alike || *source->document == *now->document);
    }
    if (right) continue;
    wrong_.push_back(fmt::format("the audit says repaired, and {} was last seen with {}: {}",
                                 at(copy, "node").as_string(),
                                 now == nullptr  ? "nothing read"
                                 : now->document ? to_text(*now->document)
                                                 : "no document",
                                 to_text(row)));
  }
}

}  // namespace miroir::sim
