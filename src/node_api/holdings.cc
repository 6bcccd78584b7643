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

}  // namespace miroir
