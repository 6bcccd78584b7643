#pragma once

#include <functional>
#include <string>
#include <vector>

#include "log/log.h"
#include "sim/model.h"
#include "sim/plan.h"

namespace miroir::sim {

// What a client knows of one of its requests.
struct Operation {
  int number = 0;
  Request request;
  // 202, another status, or 0: no answer came, and the request may or may not have been taken.
  int status = 0;
  Position task = 0;  // as answered, or as found in the log
  bool valid = true;  // as the model says: whether its task must succeed
};
std::string metadata_of(int number);

// The order in which the requests took place, and all that a client could hold against it. Content
// comes from what the clients sent; of the log only the numbers and names of the tasks are used,
// as a client reads them at /tasks.
struct History {
  Model model;
  std::vector<std::string> wrong;  // sentences: an acknowledged write that is not there…
};
// `cursed`: the entries that failed on every node. `at` is shown the model as it is at the end of
// the log, and before each request on its way there, with that request's position.
History replay(std::vector<Operation>& operations,
               const std::vector<std::shared_ptr<const Entry>>& entries,
               const std::function<bool(Position)>& cursed,
               const std::function<void(const Model&, Position)>& at = {});

}  // namespace miroir::sim
