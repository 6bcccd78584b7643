#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "log/entry.h"

namespace miroir {

// The newest durable entries, as every forwarder that is not behind asks for them; as many as their
// number and size allow, and the last in any case.
class RecentEntries {
 public:
  // `bytes`: of its row.
  void add(std::shared_ptr<const Entry> entry, std::size_t bytes);      // newer than all
  void replace(std::shared_ptr<const Entry> entry, std::size_t bytes);  // where it is still here
  // nullptr: not here (any more).
  std::shared_ptr<const Entry> find(Position position) const;
  bool holds(Position position) const { return find(position) != nullptr; }

 private:
  struct Recent {
    std::shared_ptr<const Entry> entry;
    std::size_t bytes = 0;
  };
  void keep_within_bounds();

  std::deque<Recent> entries_;
  std::size_t bytes_ = 0;
};

}  // namespace miroir
