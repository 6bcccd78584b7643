#include "anti_entropy/unresolved.h"

#include "base/json.h"

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kListsMax = 100'000;
constexpr std::size_t kNumberBytes = sizeof(Position);

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

std::string row_key(Unresolved kind, const KnownAs& index) {
  return key_join(rows_of(kind), key_of(index.incarnation) + key_of(index.named_at));
}

struct List {
  KnownAs index;
  Row row;
};

// Those whose key begins so.
Async<Result<std::vector<List>>> lists(Store& store, Unresolved kind, std::string key) {
  const std::size_t numbers_at = key_join(rows_of(kind), "").size();
  const std::string first = key_join(rows_of(kind), key);
  MIROIR_CO_TRY(std::vector<Row> rows,
                co_await store.scan(Table::kMeta, first, prefix_end(first), kListsMax));
  std::vector<List> all;
  for (Row& row : rows) {
    KnownAs index;  // of what an older Miroir wrote: none, so that it is forgotten
    if (row.key.size() >= numbers_at + 2 * kNumberBytes) {
      index.incarnation = number_of(row.key.substr(numbers_at));
      index.named_at = number_of(row.key.substr(numbers_at + kNumberBytes));
    }
    all.push_back({index, std::move(row)});
  }
  co_return all;
}

Position now(const Pasts& pasts, const KnownAs& index) {
  return pasts.owner(index.incarnation, index.named_at);
}

// The indexes of which it may be that this one has the past.
std::set<Position> related(const Pasts& pasts, Position incarnation) {
  std::set<Position> exchanged;
  for (const TakenBack& one : pasts.all())
    if (one.other != 0) exchanged.insert({one.index, one.other});
  return exchanged.contains(incarnation) ? exchanged : std::set<Position>{incarnation};
}

}  // namespace

Async<Result<Lists>> load_unresolved(Store& store, Unresolved kind, Pasts pasts,
                                     Position incarnation) {
  Lists its;
  for (const Position once : related(pasts, incarnation)) {
    MIROIR_CO_TRY(const std::vector<List> found, co_await lists(store, kind, key_of(once)));
    for (const List& list : found) {
      if (now(pasts, list.index) != incarnation) continue;
      MIROIR_CO_TRY(const Json json, parse_json(list.row.value));
      if (!json.is_array())
        co_return fail(ErrorCode::kCorrupt, "the list of unresolved documents is none");
      for (const Json& id : json.as_array()) its[list.index].insert(id.as_string());
    }
  }
  co_return its;
}

Async<Result<void>> save_unresolved(Store& store, Unresolved kind, Lists before, Lists after) {
  Batch batch;
  for (const auto& [index, ids] : before)
    if (!after.contains(index)) batch.erase(Table::kMeta, row_key(kind, index));
  for (const auto& [index, ids] : after) {
    Json list = Json::array();
    for (const std::string& id : ids) list.push_back(id);
    batch.put(Table::kMeta, row_key(kind, index), to_text(list));
  }
  co_return co_await store.commit(std::move(batch));
}

Async<Result<void>> forget_unresolved_but(Store& store, Pasts pasts,
                                          std::set<Position> incarnations) {
  Batch batch;
  for (const Unresolved kind : kUnresolved) {
    MIROIR_CO_TRY(const std::vector<List> all, co_await lists(store, kind, ""));
    for (const List& list : all) {
      if (!incarnations.contains(now(pasts, list.index))) batch.erase(Table::kMeta, list.row.key);
    }
  }
  if (batch.empty()) co_return Result<void>{};
  co_return co_await store.commit(std::move(batch));
}

}  // namespace miroir::anti_entropy
