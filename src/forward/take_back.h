#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/entry_failures.h"
#include "forward/context.h"

namespace miroir {

// Whether an operation did not happen, and nothing is to be done about it. What no node has that it
// should drop is gone; what no client asked to be dropped the reconciler drops, and settings that
// none asked for it sends again.
bool did_not_happen(const Entry& entry, const EntryFailures& failures);

// What failed on every node did not happen; but the catalogue went on from what it makes of an
// index. Takes that back for creations, drops, renames, swaps, keys and settings. What clients did
// meanwhile stands, on what it then was done to: of a swap that was not made, on the index that had
// the name before it; under a new name that nothing got, on an index of its own; after a drop, on
// the index that is still there. An index that clients used since its creation failed is one. May
// be repeated.
class TakeBack {
 public:
  explicit TakeBack(ForwardContext context) : context_(context) {}
  Async<Result<void>> of(std::shared_ptr<const Entry> entry);

 private:
  // One index that the entry gave a name, or two that exchanged theirs.
  struct Named {
    Position index = 0;  // incarnations
    Position other = 0;
    std::string before;  // the first one's name
    std::string after;
    bool is_swap() const { return other != 0; }
  };
  // An index's settings around an entry.
  struct Around {
    Json before = Json::object();
    std::vector<Json> changes = {};  // since then, in order; null: a reset
    Json given = Json::object();     // what else nodes may have
    std::set<Position> failed = {};  // changes everywhere
    // The newest entry of those on it that were taken back; changes from before that are another's,
    // also where an older one, which waited for it, is taken back only then.
    Position since = 0;
    Json after() const;
  };
  // The settings that a dropped index has of another's past.
  struct Past {
    Position since = 0;  // as above; 0: it has its own
    Json settings = Json::object();
    Json given = Json::object();  // what else nodes may have
  };
  // What had a name first since it was taken away.
  struct Next {
    Position incarnation = 0;  // 0: nothing had it
    Position decided_by = 0;   // the rename that gave it, if not all is known of that yet
  };
  // What the log says of an index and a name since an entry.
  struct Since {
    Next next = {};
    bool made = false;     // a node took of the reconciler what makes the index there
    bool has_key = false;  // or what gives it its key
    Position looked = 0;   // up to where
  };
  // What is to be exchanged, as it was seen.
  struct Pair {
    IndexState index;
    std::optional<IndexState> other;  // nullopt: what is made under the name before
    Around around = {};
    Around others = {};
    bool unused = false;  // nobody wrote under the name that it was not given
  };
  static std::vector<Named> named_by(const Entry& entry);
  static Entry back_to(const Entry& failed, const IndexState& index, std::string_view what,
                       Json to);
  static std::vector<Entry> exchange(const Entry& failed, const Pair& pair,
                                     const std::string& before, const Catalogue& catalogue,
                                     Position next);
  static Entry given(const IndexState& index, const Around& past, const Around& since,
                     Position failed);
  // What the index that an entry named is by now, to take it back.
  const IndexState* still_to_be(const Entry& entry, Position incarnation) const;
  Async<Result<bool>> append(std::vector<IndexState> seen, Position looked, Log::Judge judge);
  Async<Result<void>> creation(std::shared_ptr<const Entry> entry);
  Async<Result<bool>> was_never_made(IndexState index);
  Async<Result<bool>> was_not_made(std::shared_ptr<const Entry> creation);
  Async<Result<void>> drop(std::shared_ptr<const Entry> entry, Position incarnation,
                           Position decided_by);
  Async<Result<bool>> restore(std::shared_ptr<const Entry> failed, IndexState index, Since since);
  Async<Result<Around>> settings_of_dropped(IndexState index);
  Async<Result<Past>> past_of_dropped(IndexState index);
  Async<Result<void>> drops_decided_by(Position rename);
  Async<Result<bool>> swap(std::shared_ptr<const Entry> entry, Named named);
  Async<Result<bool>> rename(std::shared_ptr<const Entry> entry, Named named);
  Async<Result<void>> key(Position change);
  Async<Result<Since>> since(Position position, Position incarnation, std::string name);
  Async<Result<Around>> settings_around(IndexState index, Position position);
  Async<Result<void>> settings(Position incarnation);

  ForwardContext context_;
};

}  // namespace miroir
