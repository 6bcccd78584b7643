#include "ttl/policies.h"

#include "base/json.h"
#include "log/rows.h"

namespace miroir::ttl {
namespace {

constexpr std::string_view kRows = "ttl-policy/";

std::string encode(const TtlOverride& change) {
  Json json = Json::object();
  if (change.sweep_interval)
    json.set("sweepIntervalS", std::int64_t{change.sweep_interval->count()});
  if (change.deletes_max) json.set("maxDeletesPerSweep", *change.deletes_max);
  return to_text(json);
}

Result<TtlOverride> decode(std::string_view text) {
  MIROIR_TRY(const Json json, parse_json(text));
  TtlOverride change;
  if (const Json* value = json.find("sweepIntervalS"); value != nullptr && value->is_int64())
    change.sweep_interval = Seconds(value->as_int64());
  if (const Json* value = json.find("maxDeletesPerSweep"); value != nullptr && value->is_int64())
    change.deletes_max = value->as_uint64();
  return change;
}

}  // namespace

Async<Result<void>> Policies::load() {
  co_return co_await for_each_row(
      store_, Table::kMeta, std::string(kRows), [&](const Row& row) -> Result<void> {
        MIROIR_TRY(said_[row.key.substr(kRows.size())], decode(row.value));
        return {};
      });
}

TtlPolicy Policies::of(const std::string& index_uid) const {
  TtlPolicy policy = options_.policy;
  for (const auto* overrides : {&options_.per_index, &said_}) {
    if (const auto its = overrides->find(index_uid); its != overrides->end())
      policy = apply(policy, its->second);
  }
  return policy;
}

Async<Result<void>> Policies::set(std::string index_uid, TtlOverride change) {
  Batch batch;
  const std::string row = std::string(kRows) + index_uid;
  if (change.empty()) {
    batch.erase(Table::kMeta, row);
  } else {
    batch.put(Table::kMeta, row, encode(change));
  }
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  if (change.empty()) {
    said_.erase(index_uid);
  } else {
    said_[index_uid] = change;
  }
  co_return Result<void>();
}

}  // namespace miroir::ttl
