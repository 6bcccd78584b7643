#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "forward/context.h"
#include "forward/forwarder.h"

namespace miroir {

// Keeps the nodes' task queues small: the finished tasks that nobody needs any more are deleted,
// through the log as everything else, so that the deletion has its own number (DESIGN.md,
// "Trimming").
class QueueUpkeep {
 public:
  QueueUpkeep(ForwardContext context, const std::vector<std::unique_ptr<Forwarder>>& forwarders)
      : context_(context), forwarders_(forwarders) {}
  Async<void> run();

 private:
  Async<Result<void>> look_at(const Forwarder& forwarder);

  ForwardContext context_;
  const std::vector<std::unique_ptr<Forwarder>>& forwarders_;
  std::map<std::string, Position> forgotten_;  // up to here: it may not have been done yet
};

}  // namespace miroir
