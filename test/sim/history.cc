#include "sim/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "forward/filter_slice.h"
#include "sim/json_at.h"

namespace miroir::sim {
namespace {

// Whether a task that carries no metadata may be this request's.
bool fits(const Request& request, const Entry& entry) {
  if (request.act == Act::kSwap) return entry.task_type == "indexSwap";
  if (entry.index_uid != request.index) return false;
  if (request.act == Act::kCreate) return entry.task_type == "indexCreation";
  if (request.act == Act::kRename) return entry.task_type == "indexUpdate";
  if (request.act == Act::kDrop) return entry.task_type == "indexDeletion";
  return entry.task_type == "settingsUpdate" &&
         to_text(entry.task_details).find('"' + request.value + '"') != std::string::npos;
}

bool deletes_documents(Act act) {
  return is_document_act(act) && act != Act::kReplace && act != Act::kMerge;
}

class Replay {
 public:
  Replay(std::vector<Operation>& operations, const Chronicle& chronicle)
      : operations_(operations), chronicle_(chronicle) {}

  History run(const std::function<void(const Model&, Position)>& at) {
    for (const Operation& operation : operations_) {
      if (operation.lost && is_key_act(operation.request.act))
        history_.model.strange_keys().insert(operation.request.ids.front());
    }
    find_tasks();
    match_answered();
    match_unanswered();
    for (const auto& [position, entry] : tasks_) {
      if (!order_.contains(position)) say("task {} is no request's", position);
    }
    find_keys();
    for (const auto& [position, entry] : chronicle_.ledger.entries()) {
      write_as_strangers(position);
      if (at) at(history_.model, position);
      adopt(position);
      change_key(*entry);
      if (entry->kind == EntryKind::kCreateIndex && entry->target) note_made(entry->index_uid);
      // Under a new name that nothing got there is an index of its own, if anybody used it.
      if (entry->kind == EntryKind::kTakeBack && entry->arguments.find("exchange") != nullptr &&
          !is_dropped(*entry) && was_used(*entry))
        history_.model.indexes().try_emplace(entry->index_uid);
      if (const auto found = order_.find(position); found != order_.end()) {
        const bool was_there = is_there(*found->second);
        apply(*found->second);
        tell_birth(*found->second, !was_there && is_there(*found->second));
      }
      if (entry->origin == Origin::kSystem) tell_own(*entry);
      if (entry->origin == Origin::kTtlExpire) sweep(position);
      take_from_strangers(position);
    }
    for (const auto& [change, operation] : keys_) {
      if (operation->status != 0 && !operation->lost && !keys_changed_.contains(change))
        say("op{} was acknowledged, and did not take place", operation->number);
    }
    if (at) at(history_.model, chronicle_.ledger.head() + 1);
    return std::move(history_);
  }

 private:
  // A key, and the name that it is given; deleted: none. It is made and deleted only once.
  using KeyChange = std::pair<std::string, std::string>;

  template <class... Parts>
  void say(fmt::format_string<Parts...> format, Parts&&... parts) {
    history_.wrong.push_back(fmt::format(format, std::forward<Parts>(parts)...));
  }

  void find_tasks() {
    for (const auto& [position, entry] : chronicle_.ledger.entries()) {
      if (entry->task_type.empty() || entry->task != position ||
          entry->kind == EntryKind::kTaskOperation)
        continue;
      tasks_[position] = entry.get();
      if (!entry->custom_metadata.empty() &&
          !by_metadata_.emplace(entry->custom_metadata, position).second)
        say("the request {} was taken twice", entry->custom_metadata);
    }
  }

  void match_answered() {
    for (Operation& operation : operations_) {
      if (operation.status != 202 || operation.lost) continue;
      const auto found = tasks_.find(operation.task);
      const bool there = found != tasks_.end() &&
                         (is_document_act(operation.request.act)
                              ? found->second->custom_metadata == metadata_of(operation.number)
                              : fits(operation.request, *found->second));
      if (!there || !order_.emplace(operation.task, &operation).second)
        say("op{} was acknowledged as task {}, which is not its", operation.number, operation.task);
    }
  }

  void match_unanswered() {
    for (Operation& operation : operations_) {
      if (operation.status == 202 || is_key_act(operation.request.act)) continue;
      operation.task = 0;
      if (is_document_act(operation.request.act)) {
        const auto found = by_metadata_.find(metadata_of(operation.number));
        if (found != by_metadata_.end()) operation.task = found->second;
      } else if (operation.status == 0) {
        for (const auto& [position, entry] : tasks_) {
          if (order_.contains(position) || !fits(operation.request, *entry)) continue;
          operation.task = position;
          break;
        }
      }
      if (operation.task == 0) continue;
      order_.emplace(operation.task, &operation);
      if (operation.status != 0) {
        say("op{} was refused with {}, and took place as task {}", operation.number,
            operation.status, operation.task);
      }
    }
  }

  void find_keys() {
    for (const Operation& operation : operations_) {
      if (is_key_act(operation.request.act) && operation.status < 300)
        keys_[{operation.request.ids.front(), operation.request.value}] = &operation;
    }
  }

  void change_key(const Entry& entry) {
    const bool put = entry.kind == EntryKind::kPutKey;
    if ((!put && entry.kind != EntryKind::kDeleteKey) || entry.target ||
        entry.origin == Origin::kSystem)
      return;
    const KeyChange change{text_at(entry.arguments, "uid"),
                           put ? text_at(entry.arguments, "name") : ""};
    if (!keys_.contains(change))
      say("the change of a key at {} is no request's: {}", entry.position,
          to_text(entry.arguments));
    keys_changed_.insert(change);
    if (put) {
      history_.model.keys()[change.first] = change.second;
    } else {
      history_.model.keys().erase(change.first);
    }
  }

  // What the log did since the store went back, the nodes had done, or still do.
  void adopt(Position position) {
    for (const Adoption& adoption : chronicle_.adoptions) {
      if (adoption.position != position) continue;
      history_.model = what_remains(history_.model, adoption, chronicle_.topology);
      for (const auto& [before, operation] : order_) {
        if (before < position && operation->in_recovery && operation->valid)
          history_.model.apply(operation->request);
      }
    }
  }

  void apply(Operation& operation) {
    const Request done = as_nodes_did(operation);
    const std::vector<std::string> ids = history_.model.documents_of(done);
    const TaskEnd* end = chronicle_.ledger.end_of(operation.task);
    if (end != nullptr && end->status == "canceled") {
      operation.valid = false;
      history_.model.apply_canceled(operation.request);
    } else if (operation.in_recovery) {
      operation.valid = end != nullptr && end->status == "succeeded";
      if (operation.valid) {
        history_.model.apply(operation.request);
      } else if (end != nullptr) {
        history_.model.apply_failed(operation.request);
      }
    } else {
      if (is_misjudged(operation)) {
        operation.valid = end != nullptr && end->status == "succeeded";
        // It is told as any that did; a delete by filter has found nothing to tell of.
        if (operation.valid && operation.request.act != Act::kDeleteFilter) tell(operation, ids);
        return;
      }
      if (is_misled(operation, end)) {
        if (!deletes_documents(operation.request.act)) history_.model.apply(operation.request);
        operation.valid = false;
        return;
      }
      const bool given_up = is_given_up(operation, end);
      const bool fails =
          chronicle_.cursed.contains(operation.task) || given_up || finds_none(operation, end);
      operation.valid =
          fails ? history_.model.apply_failed(operation.request) : history_.model.apply(done);
      operation.valid = operation.valid && !given_up;  // though nothing matched: nobody knows
      if (fails && operation.request.act == Act::kCreate) make_up_for(operation);
    }
    if (operation.valid) tell(operation, ids);
  }

  // A delete by filter is for what matched on the replica that was asked. Where replicas differed
  // in that, what nodes did tells which it was.
  Request as_nodes_did(const Operation& operation) const {
    if (operation.request.act != Act::kDeleteFilter || chronicle_.drifted_tags.empty())
      return operation.request;
    Request done = operation.request;
    done.ids = history_.model.documents_of(done);
    done.act = Act::kDeleteBatch;
    for (const auto& [id, tags] : chronicle_.drifted_tags) {
      const auto matches = std::ranges::find(done.ids, id);
      const bool everywhere = matches != done.ids.end() && tags == std::set{done.value};
      if (everywhere) continue;
      const bool deleted = was_deleted_for(operation.task, {done.index, id});
      if (matches != done.ids.end() && !deleted) done.ids.erase(matches);
      if (matches == done.ids.end() && deleted && tags.contains(done.value)) done.ids.push_back(id);
    }
    return done;
  }

  bool was_deleted_for(Position task, const std::pair<std::string, std::string>& document) const {
    return std::ranges::any_of(chronicle_.filtered, [&](const auto& filtered) {
      const auto entry = chronicle_.ledger.entries().find(filtered.first);
      return entry != chronicle_.ledger.entries().end() && entry->second->task == task &&
             filtered.second.contains(document);
    });
  }

  // Until what failed is taken back a creation may find what another one left, and a drop, or a
  // delete of documents, nothing.
  bool is_misled(const Operation& operation, const TaskEnd* end) const {
    const Act act = operation.request.act;
    if (end == nullptr || end->error.is_null() || !is_between(operation.task)) return false;
    const std::string code = text_at(end->error, "code");
    return (act == Act::kCreate && code == "index_already_exists") ||
           ((act == Act::kDrop || deletes_documents(act)) && code == "index_not_found");
  }

  // Who could tell what matches was away, and on those that were there something had failed; or the
  // index has another key there, for an operation on it failed.
  static bool is_given_up(const Operation& operation, const TaskEnd* end) {
    return operation.request.act == Act::kDeleteFilter && end != nullptr && !end->error.is_null() &&
           text_at(end->error, "code") == "miroir_shard_unavailable";
  }

  // A creation that failed is none, but where clients used the index since. Of one that is there,
  // though Miroir dropped it in vain, it is none in any case.
  void make_up_for(const Operation& creation) {
    if (history_.model.indexes().contains(creation.request.index)) return;
    const Entry& entry = *tasks_.at(creation.task);
    const auto touches = [&](const Entry& other) {
      if (other.task_type.empty() || other.born_failed || other.position == entry.position)
        return false;
      if (other.kind == EntryKind::kDropIndex && chronicle_.cursed.contains(other.position))
        return false;
      return is_about(other, entry.incarnation);
    };
    const Position end = chronicle_.ledger.taken_back(entry.position);
    bool used = false;
    for (const auto& [position, other] : chronicle_.ledger.entries())
      used = used || (position < end && touches(*other));
    if (used && end <= chronicle_.ledger.head())
      say("the creation {} failed, and its index is dropped under its users", entry.position);
    if (!used) return;
    history_.model.apply(creation.request);
    history_.model.indexes().at(creation.request.index).made = false;
  }

  // By the reconciler, on a node.
  void note_made(const std::string& uid) {
    const auto index = history_.model.indexes().find(uid);
    if (index != history_.model.indexes().end()) index->second.made = true;
  }

  // Nodes have nothing to swap or rename, as one Meilisearch would not, while only the log says
  // that there is an index.
  bool finds_none(const Operation& operation, const TaskEnd* end) const {
    const Request& request = operation.request;
    if (end == nullptr || end->error.is_null() || text_at(end->error, "code") != "index_not_found")
      return false;
    return std::ranges::any_of(history_.model.indexes(), [&](const auto& row) {
      const bool its = row.first == request.index && request.act == Act::kRename;
      return !row.second.made && (its || request.act == Act::kSwap);
    });
  }

  // By the names that an operation was to give which then failed everywhere, until it was taken
  // back. A delete by filter in an index that nobody has finds nothing, and succeeds, as
  // any delete does once the reconciler has made the index that was to be; and a creation makes it
  // if it is first.
  bool is_misjudged(const Operation& operation) const {
    const Position task = operation.task;
    const Act act = operation.request.act;
    const bool is_there = history_.model.indexes().contains(operation.request.index);
    const bool nothing_found = (deletes_documents(act) && !is_there) ||
                               (act == Act::kDeleteFilter && tasks_.at(task)->primary_key.empty());
    const bool may_be_first = act == Act::kCreate && is_there;
    return (tasks_.at(task)->born_failed || nothing_found || may_be_first) && is_between(task);
  }

  // Whether something failed before it that is taken back later.
  bool is_between(Position task) const {
    const auto& entries = chronicle_.ledger.entries();
    for (auto at = entries.begin(); at->first < task; ++at) {
      const Entry& entry = *at->second;
      const bool names =
          entry.kind == EntryKind::kSwapIndexes || entry.kind == EntryKind::kUpdateIndex ||
          entry.kind == EntryKind::kCreateIndex || entry.kind == EntryKind::kDropIndex;
      if (names && chronicle_.cursed.contains(at->first) &&
          chronicle_.ledger.taken_back(at->first) >= task)
        return true;
    }
    return false;
  }

  // Whether what is taken back is a drop, or is of an index that was dropped since.
  bool is_dropped(const Entry& taken_back) const {
    const auto& entries = chronicle_.ledger.entries();
    return std::any_of(entries.begin(), entries.find(taken_back.position), [&](const auto& row) {
      return row.second->kind == EntryKind::kDropIndex && !row.second->born_failed &&
             !chronicle_.cursed.contains(row.first) &&
             row.second->incarnation == taken_back.incarnation;
    });
  }

  static bool is_about(const Entry& entry, Position incarnation) {
    bool named = entry.incarnation == incarnation;
    if (entry.kind == EntryKind::kSwapIndexes) {
      for (const Json& swap : entry.arguments.as_array())
        for (const Json& each : swap.find("incarnations")->as_array())
          named = named || each.as_uint64() == incarnation;
    }
    return named;
  }

  // Whether anything was done to the index since what is taken back, or a node given it.
  bool was_used(const Entry& taken_back) const {
    const Position failed = taken_back.arguments.find("entry")->as_uint64();
    const auto& entries = chronicle_.ledger.entries();
    return std::any_of(entries.upper_bound(failed), entries.find(taken_back.position),
                       [&](const auto& row) {
                         const Entry& entry = *row.second;
                         return !entry.born_failed && entry.kind != EntryKind::kTakeBack &&
                                (!entry.target || entry.kind == EntryKind::kCreateIndex) &&
                                is_about(entry, taken_back.incarnation);
                       });
  }

  void tell(const Operation& operation, const std::vector<std::string>& ids) {
    static constexpr std::array<std::string_view, 11> kKinds = {
        "write",       "merge",     "delete",         "delete",      "delete",     "clear",
        "createIndex", "dropIndex", "updateSettings", "swapIndexes", "updateIndex"};
    const Request& request = operation.request;
    Change change{.position = operation.task,
                  .kind = std::string(kKinds[static_cast<std::size_t>(request.act)]),
                  .index = request.act == Act::kSwap ? "" : request.index,
                  .id = "",
                  .body = ""};
    if (!has_documents(request.act)) history_.changes.push_back(change);
    for (const std::string& id : ids) {
      change.id = id;
      change.position = part_for(operation.task, id);
      if (request.act == Act::kReplace || request.act == Act::kMerge)
        change.body = to_text(document_of(request, id));
      history_.changes.push_back(change);
    }
  }

  bool is_there(const Operation& operation) const {
    return history_.model.indexes().contains(operation.request.index);
  }

  // Of an index that a write or a change of settings makes, Miroir's own entries stand before its.
  // Until what failed is taken back, and where the store went back, it may take another to be there
  // than is.
  void tell_birth(const Operation& operation, bool born) {
    const Act act = operation.request.act;
    if (act != Act::kReplace && act != Act::kMerge && act != Act::kSettings) return;
    if (operation.in_recovery || is_between(operation.task)) {
      const auto before = chronicle_.ledger.entries().find(operation.task - 2);
      born = before != chronicle_.ledger.entries().end() &&
             before->second->kind == EntryKind::kCreateIndex &&
             before->second->origin == Origin::kSystem;
    }
    if (!born) return;
    tell("createIndex", operation.task - 2, operation.request.index, Origin::kSystem);
    tell("updateSettings", operation.task - 1, operation.request.index, Origin::kSystem);
  }

  // What it does besides: the settings of an index that a client makes, or of one that gets its
  // primary key, and what it takes back.
  void tell_own(const Entry& entry) {
    const auto before = chronicle_.ledger.entries().find(entry.position - 1);
    const bool of_birth = before != chronicle_.ledger.entries().end() &&
                          before->second->kind == EntryKind::kCreateIndex &&
                          before->second->origin == Origin::kSystem;
    if (entry.kind == EntryKind::kUpdateSettings && !of_birth)
      tell("updateSettings", entry.position, entry.index_uid, entry.origin);
    if (entry.kind == EntryKind::kDropIndex)
      tell("dropIndex", entry.position, entry.index_uid, entry.origin);
  }

  void tell(std::string kind, Position position, std::string index, Origin origin,
            std::string id = "") {
    history_.changes.push_back({.position = position,
                                .kind = std::move(kind),
                                .index = std::move(index),
                                .id = std::move(id),
                                .body = "",
                                .origin = std::string(name(origin))});
  }

  // The entry of the task that deletes the document.
  Position part_for(Position task, const std::string& id) const {
    Position part = task;
    const auto& entries = chronicle_.ledger.entries();
    for (auto at = entries.find(task); at != entries.end() && at->second->task == task; --at) {
      if (slice_of(*at->second).slots.contains(slot_of(id))) part = at->first;
      if (at == entries.begin()) break;
    }
    return part;
  }

  void write_as_strangers(Position before) {
    for (; strange_ < chronicle_.strange.size(); ++strange_) {
      const Strange& one = chronicle_.strange[strange_];
      if (one.after >= before) return;
      const auto index = history_.model.indexes().find(one.index);
      if (index != history_.model.indexes().end())
        index->second.strange[one.id].push_back(one.document);
    }
  }

  // Where there is no version of clients, and none has deleted it since, Miroir may take it.
  void take_from_strangers(Position position) {
    for (const Repaired& repair : chronicle_.repaired) {
      if (repair.position != position || !repair.after) continue;
      const auto index = history_.model.indexes().find(repair.index);
      if (index == history_.model.indexes().end()) continue;
      const auto written = index->second.strange.find(repair.id);
      const Json taken = client_view(*repair.after);
      if (written != index->second.strange.end() &&
          std::ranges::find(written->second, taken) != written->second.end())
        index->second.documents.try_emplace(repair.id, taken);
    }
  }

  // A version is swept that every replica in sync held: only of the newest is that the end. Of an
  // older one, which a node kept where a later entry failed, subscribers are told nothing; but
  // where the log went back, it may be all that nodes have that are read.
  void sweep(Position position) {
    std::set<std::pair<std::string, std::string>> ended;
    for (const Swept& swept : chronicle_.swept) {
      if (swept.position != position) continue;
      const auto index = history_.model.indexes().find(swept.index);
      if (index == history_.model.indexes().end()) continue;
      const auto document = index->second.documents.find(swept.id);
      if (document == index->second.documents.end()) continue;
      if (document->second != client_view(swept.document)) {
        const auto uncertain = index->second.uncertain.find(swept.id);
        if (uncertain != index->second.uncertain.end() && uncertain->second == document->second &&
            ended.emplace(swept.index, swept.id).second)
          tell("delete", position, swept.index, Origin::kTtlExpire, swept.id);
        continue;
      }
      const Json* expires = document->second.find(kExpiresAt);
      if (expires == nullptr || expires->as_int64() > swept.by)
        say("the sweep at {} takes {}/{} from {}, which has not expired: {}", position, swept.index,
            swept.id, swept.node, to_text(document->second));
      index->second.documents.erase(document);
      tell("delete", position, swept.index, Origin::kTtlExpire, swept.id);
    }
  }

  std::vector<Operation>& operations_;
  const Chronicle& chronicle_;
  History history_;
  std::map<Position, const Entry*> tasks_;
  std::map<std::string, Position> by_metadata_;
  std::map<Position, Operation*> order_;
  std::map<KeyChange, const Operation*> keys_;
  std::set<KeyChange> keys_changed_;
  std::size_t strange_ = 0;  // what comes next of what strangers wrote
};

}  // namespace

std::string metadata_of(int number) { return "op" + std::to_string(number); }

History replay(std::vector<Operation>& operations, const Chronicle& chronicle,
               const std::function<void(const Model&, Position)>& at) {
  return Replay(operations, chronicle).run(at);
}

}  // namespace miroir::sim
