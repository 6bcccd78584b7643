#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/result.h"
#include "sim/world.h"

namespace miroir::sim {

inline constexpr std::size_t kAuditMax = 10'000;  // rows

// Who decides what Miroir leaves to a person. Each tells whether anything was decided.
class Person {
 public:
  // `victims`: the group that something may have befallen since all were last equal.
  Person(World& world, int victims, std::function<void(std::string)> fail)
      : world_(world), victims_(victims), fail_(std::move(fail)) {}

  // With so many deletes and tie-breaks.
  bool agree();
  // Where nobody is left to be equal to, one group is right, in the person's eyes: one that
  // nothing befell.
  bool promote();
  // What a node holds that was damaged, or that missed entries, and a log that was lost cannot tell
  // of, or that is no source for what somebody did to all, and what strangers wrote: a person has
  // such documents deleted (docs/deciding.md).
  bool decide();

  std::optional<Result<Json>> read_audit();

 private:
  std::optional<int> who_is_right() const;  // which group
  bool made_by_clients(const std::string& index);
  bool remove(const std::pair<std::string, std::string>& document);
  bool remove_unknown();

  World& world_;
  int victims_;
  std::function<void(std::string)> fail_;
  std::set<std::pair<std::string, std::string>> decided_;  // index and id
};

}  // namespace miroir::sim
