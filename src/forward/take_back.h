#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "forward/context.h"

namespace miroir {

// What failed on every node did not happen; but the catalogue went on from what it makes of an
// index. Takes that back for renames, swaps and settings. What clients did meanwhile stands, on
// what it then was done to: of a swap that was not made, on the index that had the name before it;
// under a new name that nothing got, on an index of its own. A creation stands: the reconciler
// makes up for it. May be repeated.
class TakeBack {
 public:
  explicit TakeBack(ForwardContext context) : context_(context) {}
  Async<Result<void>> of(std::shared_ptr<const Entry> entry);

 private:
  struct Was {  // an index before the entry
    Position incarnation = 0;
    Position settings = 0;  // their version
    std::string primary_key = {};
  };
  // One index that the entry gave a name, or two that exchanged theirs.
  struct Named {
    Was index;
    Was other;
    std::string before;  // the first one's name
    bool is_swap() const { return other.incarnation != 0; }
  };
  // An index's settings around an entry.
  struct Around {
    Json before = Json::object();
    std::vector<Json> changes = {};  // since then, in order; null: a reset
    Json after() const;
  };
  // What became of it since: whether an index was dropped under the name before, and whether the
  // reconciler made one under the new name.
  struct Since {
    bool dropped = false;
    bool made = false;
  };
  struct Case {
    const Entry& failed;
    const Named& named;
    const Since& since;
    const Catalogue& catalogue;
    Position next;
    const std::map<Position, Around>& settings;  // by incarnation
    const Around& around(const IndexState* index) const;
  };
  struct Without {
    std::optional<Json> settings;  // none: nothing failed
    std::set<Position> failed;
    Json given = Json::object();  // what nodes may have of them all
  };
  static std::vector<Named> named_by(const Entry& entry);
  Async<Result<void>> names(std::shared_ptr<const Entry> entry, Named named);
  Async<Result<Since>> done_since(Named named, Position position);
  static std::vector<Entry> entries_for(Case of);
  static std::vector<Entry> entries_for_one(Case of, IndexState index, const Was& gone);
  static std::vector<Entry> entries_for_dropped(Case of);
  static Entry given(const IndexState& index, const Around& past, const Around& since);
  Async<Result<Json>> settings_of(Position version);
  Async<Result<Around>> settings_around(IndexState index, Position position);
  Async<Result<void>> settings(std::shared_ptr<const Entry> entry);
  Async<Result<Without>> settings_without_failed(IndexState index);

  ForwardContext context_;
};

}  // namespace miroir
