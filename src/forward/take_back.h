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
// index. Takes that back for creations, renames, swaps and settings. What clients did meanwhile
// stands, on what it then was done to: of a swap that was not made, on the index that had the name
// before it. May be repeated.
class TakeBack {
 public:
  explicit TakeBack(ForwardContext context) : context_(context) {}
  Async<Result<void>> of(std::shared_ptr<const Entry> entry);

 private:
  // One index that the entry gave a name, or two that exchanged theirs.
  struct Named {
    Position index = 0;
    Position other = 0;     // 0: none
    std::string before;     // its name before that; empty: it was made
    Position settings = 0;  // versions of settings, before that
    Position others_settings = 0;
  };
  // An index's settings around an entry.
  struct Around {
    Json before = Json::object();
    std::vector<Json> changes;  // since then, in order; null: a reset
    Json after() const;
  };
  struct Without {
    std::optional<Json> settings;  // none: nothing failed
    std::set<Position> failed;
    Json given = Json::object();  // what nodes may have of them all
  };
  static std::vector<Named> named_by(const Entry& entry);
  // What became of it since: whether anything makes such an index where there is none (what deletes
  // does not), and whether one was dropped under the name before.
  struct Since {
    bool written = false;
    bool dropped = false;
  };
  Async<Result<Since>> done_since(Named named, Position position);
  Async<Result<void>> names(std::shared_ptr<const Entry> entry, Named named);
  Result<std::vector<Entry>> entries_for(const Entry& failed, Since since, const Named& named,
                                         const Catalogue& catalogue, Position next,
                                         const std::map<Position, Around>& settings) const;
  static std::vector<Entry> entries_for_dropped(const Entry& failed, const Named& named,
                                                const Catalogue& catalogue,
                                                const std::map<Position, Around>& settings);
  Async<Result<Json>> settings_of(Position version);
  Async<Result<Around>> settings_around(IndexState index, Position position);
  Async<Result<void>> settings(std::shared_ptr<const Entry> entry);
  Async<Result<Without>> settings_without_failed(IndexState index);

  ForwardContext context_;
};

}  // namespace miroir
