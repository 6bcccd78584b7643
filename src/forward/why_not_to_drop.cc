#include "forward/why_not_to_drop.h"

#include "cluster/history.h"
#include "node_api/holdings.h"

namespace miroir {

Async<Result<std::string>> why_not_to_drop(NodeClient& client, std::string index_uid,
                                           FieldNames names, Instant deadline) {
  MIROIR_CO_TRY(const bool ended, co_await newest_tasks_ended(client, deadline));
  if (!ended) co_return "a task that is not ours waits on the node";
  const auto holds = co_await holdings(client, std::move(index_uid), std::move(names), deadline);
  // A repair is not worth that the lane waits for it.
  if (!holds) co_return "the node does not tell what it holds: " + holds.error().message;
  co_return *holds == Holds::kForeign ? "documents without a stamp are in it" : "";
}

}  // namespace miroir
