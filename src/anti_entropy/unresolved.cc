#include "anti_entropy/unresolved.h"

#include "base/json.h"

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kIndexesMax = 100'000;

std::string_view rows_of(Unresolved kind) {
  switch (kind) {
    case Unresolved::kDiffering:
      return "unresolved documents";
    case Unresolved::kMoving:
      return "moving documents";
    case Unresolved::kUnlisted:
      return "unlisted documents";
  }
  return "";
}

std::string row_key(Unresolved kind, Position incarnation) {
  return key_join(rows_of(kind), key_of(incarnation));
}

}  // namespace

Async<Result<std::set<std::string>>> load_unresolved(Store& store, Unresolved kind,
                                                     Position incarnation) {
  std::set<std::string> ids;
  MIROIR_CO_TRY(const auto row, co_await store.get(Table::kMeta, row_key(kind, incarnation)));
  if (!row) co_return ids;
  MIROIR_CO_TRY(const Json json, parse_json(*row));
  if (!json.is_array())
    co_return fail(ErrorCode::kCorrupt, "the list of unresolved documents is none");
  for (const Json& id : json.as_array()) ids.insert(id.as_string());
  co_return ids;
}

Async<Result<void>> save_unresolved(Store& store, Unresolved kind, Position incarnation,
                                    std::set<std::string> ids) {
  Json list = Json::array();
  for (const std::string& id : ids) list.push_back(id);
  Batch batch;
  if (list.size() == 0) {
    batch.erase(Table::kMeta, row_key(kind, incarnation));
  } else {
    batch.put(Table::kMeta, row_key(kind, incarnation), to_text(list));
  }
  co_return co_await store.commit(std::move(batch));
}

Async<Result<void>> forget_unresolved_but(Store& store, std::set<Position> incarnations) {
  Batch batch;
  for (const Unresolved kind : kUnresolved) {
    const std::string first = key_join(rows_of(kind), "");
    MIROIR_CO_TRY(const auto rows,
                  co_await store.scan(Table::kMeta, first, prefix_end(first), kIndexesMax));
    for (const Row& row : rows) {
      if (!incarnations.contains(number_of(row.key.substr(first.size()))))
        batch.erase(Table::kMeta, row.key);
    }
  }
  if (batch.empty()) co_return Result<void>{};
  co_return co_await store.commit(std::move(batch));
}

}  // namespace miroir::anti_entropy
