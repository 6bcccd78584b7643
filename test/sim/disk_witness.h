#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/topology.h"
#include "sim/checks.h"

namespace miroir::sim {

// Knows which nodes lack, when Miroir's store goes back to a copy of it, what they had done when it
// was copied: their disks were emptied since, or are older ones, and they have not done it again.
// None of them may be a source of the recovery for shards of which another source lacks nothing.
class DiskWitness {
 public:
  DiskWitness(const Topology& topology, const Nodes& nodes) : topology_(topology), nodes_(nodes) {}

  void store_copied();
  // To that copy, and its head; nullopt: no store is left that could know what nodes had done.
  void store_went_back(std::optional<std::uint64_t> to);

  // What is wrong with these as sources, in sentences.
  std::vector<std::string> check_sources(const std::set<std::string>& sources) const;

 private:
  bool is_behind(const std::string& node) const;

  const Topology& topology_;
  const Nodes& nodes_;
  std::map<std::string, std::uint64_t> done_;  // the newest entry, when the store was copied
  std::uint64_t head_ = 0;                     // of the copy
  std::set<std::string> behind_;               // when the store went back to it
};

}  // namespace miroir::sim
