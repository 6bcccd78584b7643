#include "node_api/holdings.h"

#include "node_api/document_filter.h"

namespace miroir {

Async<Result<Holds>> holdings(NodeClient& client, std::string index_uid, FieldNames names,
                              Instant deadline) {
  DocumentQuery query;
  query.index_uid = std::move(index_uid);
  query.fields = {names.updated_at};
  query.limit = 0;
  const auto all = co_await client.documents(query, deadline);
  if (!all && all.error().code == ErrorCode::kNotFound) co_return Holds::kNothing;
  MIROIR_CO_CHECK(all);
  if (all->total == 0) co_return Holds::kNothing;
  query.filter = Json(without_stamp_condition(names));
  const auto foreign = co_await client.documents(std::move(query), deadline);
  if (!foreign && foreign.error().code == ErrorCode::kNotFound) co_return Holds::kNothing;
  if (!foreign && foreign.error().code == ErrorCode::kInvalid) co_return Holds::kForeign;
  MIROIR_CO_CHECK(foreign);
  co_return foreign->total == 0 ? Holds::kOurs : Holds::kForeign;
}

Async<Result<std::string>> why_not_to_drop(NodeClient& client, std::string index_uid,
                                           FieldNames names, Instant deadline) {
  MIROIR_CO_TRY(const auto newest, co_await client.newest_task(deadline));
  if (newest && !newest->ended()) co_return "a task that is not ours waits on the node";
  MIROIR_CO_TRY(const Holds holds,
                co_await holdings(client, std::move(index_uid), std::move(names), deadline));
  co_return holds == Holds::kForeign ? "documents without a stamp are in it" : "";
}

}  // namespace miroir
