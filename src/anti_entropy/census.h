#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/reports.h"
#include "anti_entropy/roster.h"

namespace miroir::anti_entropy {

// Holds what was read of an index against what each node says of it as a whole, before and after:
// that it is the same index, in the same history, of as many documents as were seen. What was not
// so is no reading of that node. The numbers prove something only where nothing was written to the
// index meanwhile, all that the node owns was read, and all that it holds is known to be right.
class Census {
 public:
  Census(const Tools& tools, IndexUnderTest index, Roster& roster, IndexReport& report);
  // Waits until the nodes have done what the log holds.
  Async<Result<void>> begin();
  void saw(const std::string& node, std::uint64_t documents) { seen_[node] += documents; }
  // `shards`: that were read.
  Async<Result<void>> end(std::vector<ShardId> shards);

 private:
  struct Answer {
    std::string node;
    std::uint64_t setbacks = 0;
    std::string created_at;
    std::uint64_t documents = 0;
  };
  // Of all nodes that can be read; one that does not answer is lost.
  Async<std::vector<Answer>> ask();
  Async<Result<Answer>> ask_node(std::string node);
  // Why what lay between the answers was not one reading of one index; empty: it was.
  Async<std::string> exchanged(Answer before, Answer after);

  const Tools& tools_;
  IndexUnderTest index_;
  Roster& roster_;
  IndexReport& report_;
  std::map<std::string, Answer> before_;
  std::map<std::string, std::uint64_t> seen_;
  Stamp updated_at_ = 0;        // of the index, before
  std::uint64_t repaired_ = 0;  // documents, before
};

}  // namespace miroir::anti_entropy
