#include "log/catalogue.h"

#include <algorithm>
#include <utility>

namespace miroir {
// One entry becoming part of the view.
class CatalogueChange {
 public:
  using Indexes = std::map<std::string, IndexState, std::less<>>;
  using Dropped = std::map<Position, IndexState>;
  CatalogueChange(Indexes& indexes, Dropped& dropped, Pasts& pasts, const Entry& entry)
      : indexes_(indexes), dropped_(dropped), pasts_(pasts), entry_(entry) {}

  void create() {
    if (indexes_.contains(entry_.index_uid)) return;
    IndexState index;
    index.uid = entry_.index_uid;
    index.incarnation = entry_.incarnation != 0 ? entry_.incarnation : entry_.position;
    index.named_at = entry_.position;
    index.born = index.created_at = index.updated_at = entry_.stamp;
    index.settings = Json::object();
    if (const std::string* key = entry_.arguments.find_text("primaryKey")) {
      change_key(index, *key);
    } else {
      learn_primary_key(index);
    }
    indexes_.emplace(entry_.index_uid, std::move(index));
  }

  // Its documents are older than this entry: nothing of them was born with it, cleared or deleted.
  void adopt() {
    IndexState index;
    index.uid = entry_.index_uid;
    index.incarnation = entry_.incarnation;
    index.named_at = entry_.position;
    index.taken_over_by = entry_.position;
    index.created_at = index.updated_at = entry_.stamp;
    if (const std::string* key = entry_.arguments.find_text("primaryKey")) index.primary_key = *key;
    if (const Json* settings = entry_.arguments.find("clientSettings")) index.settings = *settings;
    index.settings_version = entry_.position;
    // What failed on a node's documents of the one before is of this one.
    if (const Json* replaced = entry_.arguments.find("replaces"))
      pasts_.add({entry_.position, entry_.position, replaced->as_uint64(), index.incarnation});
    indexes_.insert_or_assign(entry_.index_uid, std::move(index));
    for (auto& [incarnation, dropped] : dropped_)
      if (dropped.uid == entry_.index_uid) dropped.decided_by = 0;  // whatever became of it
  }

  void update() {
    IndexState* index = named();
    if (index == nullptr) return;
    if (const std::string* key = entry_.arguments.find_text("primaryKey")) change_key(*index, *key);
    index->updated_at = entry_.stamp;
    if (const std::string* uid = entry_.arguments.find_text("newUid")) rename(index->uid, *uid);
  }

  void drop() {
    IndexState* index = named();
    if (index == nullptr) return;
    index->dropped_at = index->decided_by = entry_.position;
    const Position incarnation = index->incarnation;
    dropped_.insert_or_assign(incarnation, std::move(*index));
    indexes_.erase(entry_.index_uid);
  }

  void swap() {
    if (!entry_.arguments.is_array()) return;
    for (const Json& pair : entry_.arguments.as_array()) {
      const Json* uids = pair.find("indexes");
      if (uids == nullptr || uids->size() != 2) continue;
      const std::string& first = uids->as_array()[0].as_string();
      const std::string& second = uids->as_array()[1].as_string();
      const Json* only = pair.find("rename");
      if (only != nullptr && only->is_bool() && only->as_bool()) {
        rename(first, second);
      } else {
        exchange(first, second);
      }
    }
  }

  void take_back() {
    IndexState* index = there_or_dropped(entry_.incarnation);
    if (index == nullptr) return;
    if (const Json* change = entry_.arguments.find("key"))
      return take_key_back(*index, change->as_uint64());
    const Json* failed = entry_.arguments.find("entry");
    if (failed == nullptr) return;
    if (const Json* by = entry_.arguments.find("decidedBy")) {
      index->decided_by = by->as_uint64();
      return;
    }
    TakenBack one{entry_.position, failed->as_uint64(), index->incarnation, 0};
    if (const std::string* before = entry_.arguments.find_text("rename")) {
      give_name(*index, *before);
    } else if (const std::string* uid = entry_.arguments.find_text("exchange")) {
      const Json* with = entry_.arguments.find("with");
      IndexState* other = with == nullptr ? &indexes_.try_emplace(*uid, newborn(*uid)).first->second
                                          : there_or_dropped(with->as_uint64());
      if (other != nullptr) {
        one.other = other->incarnation;
        exchange_pasts(*index, *other, one.failed);
      }
    }
    pasts_.add(one);
    if (const Json* named = entry_.arguments.find("named"))
      pasts_.add({one.at, named->as_uint64(), one.index, 0});
  }

  void settle() {
    IndexState* index = named();
    if (index == nullptr) return;
    if (const Json* settings = entry_.arguments.find("clientSettings")) index->settings = *settings;
    index->settings_version = entry_.position;
    index->updated_at = entry_.stamp;
    if (!index->primary_key) learn_primary_key(*index);
  }

  void clear() {
    IndexState* index = named();
    if (index == nullptr) return;
    index->clears.push_back({entry_.position, entry_.stamp});
    forget_clears(*index);
    index->updated_at = entry_.stamp;
  }

  void documents() {
    IndexState* index = named();
    if (index == nullptr) return;
    index->updated_at = entry_.stamp;
    if (entry_.kind == EntryKind::kWriteDocuments || entry_.kind == EntryKind::kMergeDocuments)
      learn_primary_key(*index);
  }

 private:
  // The index that the entry names, if it is still the one that the entry was judged against.
  IndexState* named() {
    const auto found = indexes_.find(entry_.index_uid);
    if (found == indexes_.end()) return nullptr;
    const bool same = entry_.incarnation == 0 || entry_.incarnation == found->second.incarnation;
    return same ? &found->second : nullptr;
  }

  IndexState* there_or_dropped(Position incarnation) {
    for (auto& [uid, index] : indexes_)
      if (index.incarnation == incarnation) return &index;
    const auto found = dropped_.find(incarnation);
    return found == dropped_.end() ? nullptr : &found->second;
  }

  static void forget_clears(IndexState& index) {
    while (index.clears.size() > IndexState::kClearsMax) {
      index.clears_forgotten = std::max(index.clears_forgotten, index.clears.front().stamp);
      index.clears.erase(index.clears.begin());
    }
  }

  // Back, also to one that was dropped.
  void give_name(IndexState& index, const std::string& name) {
    if (index.dropped_at == 0) return rename(index.uid, name);
    if (indexes_.contains(name)) return;
    const auto dropped = dropped_.find(index.incarnation);
    IndexState& back = indexes_[name] = std::move(dropped->second);
    dropped_.erase(dropped);
    back.uid = name;
    back.named_at = entry_.position;
    back.dropped_at = back.decided_by = 0;
  }

  void learn_primary_key(IndexState& index) {
    std::optional<std::string>& key = index.first_key();
    if (!key && !entry_.primary_key.empty()) key = entry_.primary_key;
  }

  void change_key(IndexState& index, const std::string& key) const {
    index.key_changes.push_back({entry_.position, std::exchange(index.primary_key, key)});
    if (index.key_changes.size() > IndexState::kKeyChangesMax)
      index.key_changes.erase(index.key_changes.begin());
  }

  static void take_key_back(IndexState& index, Position failed) {
    const auto change =
        std::ranges::find(index.key_changes, failed, &IndexState::KeyChange::position);
    if (change == index.key_changes.end()) return;
    const auto next = std::next(change);
    (next == index.key_changes.end() ? index.primary_key : next->before) = change->before;
    index.key_changes.erase(change);
  }

  void rename(std::string from, const std::string& to) {
    if (from == to || indexes_.contains(to)) return;
    auto node = indexes_.extract(from);
    if (node.empty()) return;
    node.key() = to;
    node.mapped().uid = to;
    node.mapped().named_at = entry_.position;
    node.mapped().updated_at = entry_.stamp;
    indexes_.insert(std::move(node));
  }

  void exchange(const std::string& first, const std::string& second) {
    const auto a = indexes_.find(first);
    const auto b = indexes_.find(second);
    if (a == indexes_.end() || b == indexes_.end() || a == b) return;
    std::swap(a->second, b->second);
    a->second.uid = first;
    b->second.uid = second;
    a->second.named_at = b->second.named_at = entry_.position;
    a->second.updated_at = b->second.updated_at = entry_.stamp;
  }

  // Nothing was in it before the entry that is taken back.
  IndexState newborn(const std::string& uid) const {
    IndexState index;
    index.uid = uid;
    index.incarnation = entry_.position;
    if (const Json* stamp = entry_.arguments.find("stamp")) index.born = stamp->as_uint64();
    index.created_at = index.updated_at = index.born;
    index.settings = Json::object();
    return index;
  }

  // All that was so before the entry that is taken back; settings are given by entries of their
  // own.
  void exchange_pasts(IndexState& a, IndexState& b, Position failed) const {
    a.named_at = b.named_at = entry_.position;
    const IndexState was_a = a;
    const EntryStamp forgotten = std::max(a.clears_forgotten, b.clears_forgotten);
    // Born since, it has no past.
    const IndexState was_b = b.incarnation > failed ? newborn(b.uid) : b;
    const auto take_past = [&](IndexState& index, const IndexState& other) {
      index.born = other.born;
      index.taken_over_by = other.taken_over_by;
      index.created_at = other.created_at;
      std::erase_if(index.clears, [&](const auto& clear) { return clear.position < failed; });
      std::vector<IndexState::Clear> past = other.clears;
      std::erase_if(past, [&](const auto& clear) { return clear.position > failed; });
      index.clears.insert(index.clears.begin(), past.begin(), past.end());
      index.clears_forgotten = forgotten;
      forget_clears(index);
      // Its creation found on nodes what had the name before, and gave that no key.
      if (index.incarnation > failed) take_key_back(index, index.incarnation);
      take_past_key(index, other, failed);
    };
    take_past(a, was_b);
    take_past(b, was_a);
  }

  void take_past_key(IndexState& index, const IndexState& other, Position failed) const {
    const auto& changes = other.key_changes;
    const auto since =
        std::ranges::lower_bound(changes, failed, {}, &IndexState::KeyChange::position);
    const auto& past = since == changes.end() ? other.primary_key : since->before;
    std::erase_if(index.key_changes, [&](const auto& change) { return change.position <= failed; });
    // What was written since told the nodes this one.
    if (past || index.updated_at <= newborn("").born) index.first_key() = past;
    index.key_changes.insert(index.key_changes.begin(), changes.begin(), since);
  }

  Indexes& indexes_;
  Dropped& dropped_;
  Pasts& pasts_;
  const Entry& entry_;
};

const IndexState* Catalogue::index(std::string_view uid) const {
  const auto found = indexes_.find(uid);
  return found == indexes_.end() ? nullptr : &found->second;
}

bool Catalogue::any_taken_over() const {
  return std::ranges::any_of(indexes_, [](const auto& row) { return row.second.taken_over(); });
}

const IndexState* Catalogue::by_incarnation(Position incarnation) const {
  for (const auto& [uid, index] : indexes_)
    if (index.incarnation == incarnation) return &index;
  return nullptr;
}

const IndexState* Catalogue::there_or_dropped(Position incarnation) const {
  if (const IndexState* index = by_incarnation(incarnation)) return index;
  const auto found = dropped_.find(incarnation);
  return found == dropped_.end() ? nullptr : &found->second;
}

const IndexState* Catalogue::key_changed_by(Position change) const {
  const auto was_changed = [change](const auto& row) {
    return std::ranges::any_of(row.second.key_changes,
                               [change](const auto& each) { return each.position == change; });
  };
  const auto there = std::ranges::find_if(indexes_, was_changed);
  if (there != indexes_.end()) return &there->second;
  const auto dropped = std::ranges::find_if(dropped_, was_changed);
  return dropped == dropped_.end() ? nullptr : &dropped->second;
}

const KeyState* Catalogue::key(std::string_view uid) const {
  const auto found = keys_.find(uid);
  return found == keys_.end() ? nullptr : &found->second;
}

void Catalogue::apply(const Entry& entry) {
  // What is for one node makes it what the catalogue says already.
  if (entry.born_failed || entry.target) return;
  CatalogueChange change(indexes_, dropped_, pasts_, entry);
  switch (entry.kind) {
    case EntryKind::kCreateIndex:
      return change.create();
    case EntryKind::kUpdateIndex:
      return change.update();
    case EntryKind::kDropIndex:
      return change.drop();
    case EntryKind::kAdoptIndex:
      return change.adopt();
    case EntryKind::kSwapIndexes:
      return change.swap();
    case EntryKind::kTakeBack:
      return change.take_back();
    case EntryKind::kUpdateSettings:
      return change.settle();
    case EntryKind::kClearDocuments:
      return change.clear();
    case EntryKind::kWriteDocuments:
    case EntryKind::kMergeDocuments:
    case EntryKind::kDeleteDocuments:
    case EntryKind::kDeleteByFilter:
      return change.documents();
    case EntryKind::kPutKey:
      if (const std::string* uid = entry.arguments.find_text("uid")) {
        keys_.insert_or_assign(*uid, KeyState{*uid, entry.arguments});
        deleted_keys_.erase(*uid);
        newest_key_ = entry.position;
      }
      return;
    case EntryKind::kDeleteKey:
      if (const std::string* uid = entry.arguments.find_text("uid")) {
        keys_.erase(*uid);
        deleted_keys_.insert(*uid);
      }
      return;
    case EntryKind::kRepairDocuments:
    case EntryKind::kRepairDeletes:
      return;  // they make a node what the catalogue says already
    case EntryKind::kForgetNodeTasks:
    case EntryKind::kTaskOperation:
      return;
  }
}

}  // namespace miroir
