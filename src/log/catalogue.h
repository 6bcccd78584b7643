#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "log/entry.h"
#include "log/pasts.h"

namespace miroir {

// What the log says of one index. Its identity is the incarnation: an index dropped and made again
// is another.
struct IndexState {
  std::string uid;
  Position incarnation = 0;  // position of its birth; swaps and renames carry it along
  EntryStamp born = 0;       // stamp of its birth; 0: a recovery took it over, at created_at, by
  Position taken_over_by = 0;  // that entry: the past's, as `born` is
  bool taken_over() const { return taken_over_by != 0; }
  Position named_at = 0;  // position of the entry that gave it its name: birth, swap or rename
  // Whether this is that index under that name, and has been ever since.
  bool is_still(const IndexState& before) const {
    return incarnation == before.incarnation && uid == before.uid && named_at == before.named_at;
  }
  std::optional<std::string> primary_key;
  // The newest changes of it, by creation too, rising: of one that failed everywhere the key before
  // counts.
  struct KeyChange {
    Position position = 0;
    std::optional<std::string> before;
  };
  static constexpr std::size_t kKeyChangesMax = 8;
  std::vector<KeyChange> key_changes;
  // The one that is its own without these: from its birth, or of its documents.
  auto& first_key(this auto& self) {
    return self.key_changes.empty() ? self.primary_key : self.key_changes.front().before;
  }
  Json settings;                  // what clients made of them: only keys that were ever set
  Position settings_version = 0;  // position of the entry that made them
  EntryStamp created_at = 0;
  EntryStamp updated_at = 0;
  // The newest delete-alls, rising: of one that failed everywhere the one before counts.
  struct Clear {
    Position position = 0;
    EntryStamp stamp = 0;
  };
  static constexpr std::size_t kClearsMax = 8;
  std::vector<Clear> clears;
  EntryStamp clears_forgotten = 0;  // the newest that is not among them any more
  // Of one that was dropped: by which entry, and whose end decides whether it is gone: of that one,
  // or, where that failed everywhere, of the rename that meanwhile gave its name to another.
  Position dropped_at = 0;
  Position decided_by = 0;
};

struct KeyState {
  std::string uid;
  Json key;  // as clients see it, without `key`
};

// The indexes and keys as they are at the log's head (or at any position that was applied to it): a
// pure view.
class Catalogue {
 public:
  const IndexState* index(std::string_view uid) const;
  const IndexState* by_incarnation(Position incarnation) const;
  const std::map<std::string, IndexState, std::less<>>& indexes() const { return indexes_; }
  // By incarnation, those that were dropped: until it is known that this did not fail everywhere.
  const std::map<Position, IndexState>& dropped() const { return dropped_; }
  const IndexState* there_or_dropped(Position incarnation) const;
  // Also one that was dropped; nullptr where that change is not, or no more.
  const IndexState* key_changed_by(Position change) const;
  const Pasts& pasts() const { return pasts_; }
  bool any_taken_over() const;
  const std::map<std::string, KeyState, std::less<>>& keys() const { return keys_; }
  const KeyState* key(std::string_view uid) const;
  // Whether a client deleted it. Remembered for ever: nothing else tells such a key on a node,
  // which missed that, from one that is nobody's but the node's.
  bool deleted_key(std::string_view uid) const { return deleted_keys_.contains(uid); }

  // The newest entry that made or changed a key; at first the log's head as it was found, for what
  // came before is not told apart.
  Position newest_key() const { return newest_key_; }
  void found_at(Position head) { newest_key_ = head; }

  // What the entry makes of it. Entries born failed change nothing. Must be called in the order of
  // positions.
  void apply(const Entry& entry);
  void bury(Position incarnation) { dropped_.erase(incarnation); }
  void forget_pasts(const std::vector<TakenBack>& those) { pasts_.forget(those); }

 private:
  friend class CatalogueCodec;
  std::map<std::string, IndexState, std::less<>> indexes_;
  std::map<Position, IndexState> dropped_;
  Pasts pasts_;
  std::map<std::string, KeyState, std::less<>> keys_;
  std::set<std::string, std::less<>> deleted_keys_;
  Position newest_key_ = 0;
};

}  // namespace miroir
