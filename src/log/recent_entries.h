#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "log/entry.h"

namespace miroir {

// The newest durable entries, as every forwarder that is not behind asks for them.
class RecentEntries {
 public:
  void add(std::shared_ptr<const Entry> entry);      // newer than all
  void replace(std::shared_ptr<const Entry> entry);  // where it is still here
  // nullptr: not here (any more).
  std::shared_ptr<const Entry> find(Position position) const;
  bool holds(Position position) const { return find(position) != nullptr; }

 private:
  std::deque<std::shared_ptr<const Entry>> entries_;
};

}  // namespace miroir
