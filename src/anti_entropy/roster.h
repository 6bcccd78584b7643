#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/slot_ranges.h"
#include "anti_entropy/tools.h"
#include "cluster/history.h"

namespace miroir::anti_entropy {

// Who can be compared in this pass. A node that does not answer, or lags, is unknown: never taken
// for empty.
enum class Standing {
  kInSync,   // may be a source
  kHealing,  // stale or joining, but has applied what the log sent it: compared and repaired, no
             // source but where a recovery took it
  kUnknown,
};

struct Member {
  std::string node;
  int group = 0;
  Standing standing = Standing::kUnknown;
  std::string why;             // of kUnknown and kHealing
  std::uint64_t setbacks = 0;  // as the pass began
  std::set<ShardId> taken_in = {};  // of kHealing: where it is a source
};

// A history that is not the log's is first settled by the node's forwarder: it marks the node stale
// and sends again what is missing. kOurs, or why it could not be settled in time.
Async<Result<History>> settled_history(const Tools& tools, std::string node);

class Roster {
 public:
  // Asks every node's history again and waits until it has done everything up to `fence`.
  static Async<Roster> call(const Tools& tools, Position fence);

  const std::map<std::string, Member>& members() const { return members_; }
  const Member& member(const std::string& node) const { return members_.at(node); }
  bool readable(const std::string& node) const {
    return member(node).standing != Standing::kUnknown;
  }
  bool is_source(const std::string& node, ShardId shard) const;
  bool all_in_sync() const;
  std::vector<std::string> readable_nodes() const;
  // For the rest of the pass: unknown; or no source any more (but in those shards), where the
  // cluster says that it is not in sync.
  void lose(const std::string& node, std::string why);
  void demote(const std::string& node, std::string why, std::set<ShardId> taken_in);

  // The shards by who can answer for them: where the owners of the same groups can be read.
  struct Part {
    std::vector<int> groups;  // that can answer
    bool source = false;      // at least one of those owners is one, for every shard of the part
    SlotRanges slots;
    std::vector<ShardId> shards;
  };
  std::vector<Part> parts(const Topology& topology) const;
  // "b1: timed out" for the unknown owners of a shard.
  std::string why_unknown(const Topology& topology, ShardId shard) const;

 private:
  std::map<std::string, Member> members_;
};

}  // namespace miroir::anti_entropy
