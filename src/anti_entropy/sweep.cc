#include "anti_entropy/sweep.h"

#include <numeric>

#include "base/json.h"

namespace miroir::anti_entropy {
namespace {

const std::string kRow = "deep sweep";

}  // namespace

Async<Result<Sweep>> Sweep::load(Store& store, bool resume, std::uint64_t pass, Position head,
                                 WallTime now) {
  Sweep sweep(store);
  sweep.pass_ = pass;
  sweep.head_ = head;
  sweep.started_ = now;
  if (!resume) co_return sweep;
  MIROIR_CO_TRY(const auto row, co_await store.get(Table::kMeta, kRow));
  if (!row) co_return sweep;
  MIROIR_CO_TRY(const Json json, parse_json(*row));
  const Json* its_pass = json.find("pass");
  const Json* its_head = json.find("head");
  const Json* started = json.find("startedMicroseconds");
  const Json* clean = json.find("clean");
  const Json* done = json.find("done");
  if (its_pass == nullptr || its_head == nullptr || started == nullptr || clean == nullptr ||
      done == nullptr || !done->is_array()) {
    co_return fail(ErrorCode::kCorrupt, "the row of the deep sweep is incomplete");
  }
  sweep.pass_ = its_pass->as_uint64();
  sweep.head_ = its_head->as_uint64();
  sweep.started_ = WallTime(Microseconds(started->as_int64()));
  sweep.clean_ = *clean == Json(true);
  for (const Json& index : done->as_array()) {
    const Json::Array& numbers = index.as_array();
    if (numbers.size() < 2) continue;
    const Index its{.incarnation = numbers[0].as_uint64(), .exchanged_at = numbers[1].as_uint64()};
    std::set<ShardId>& shards = sweep.done_[its];
    for (std::size_t i = 2; i < numbers.size(); ++i)
      shards.insert(static_cast<ShardId>(numbers[i].as_uint64()));
  }
  co_return sweep;
}

std::vector<ShardId> Sweep::all(std::uint32_t shards) {
  std::vector<ShardId> all(shards);
  std::iota(all.begin(), all.end(), ShardId{0});
  return all;
}

std::vector<ShardId> Sweep::left(Index index, std::uint32_t shards) const {
  std::vector<ShardId> left;
  const auto done = done_.find(index);
  for (ShardId shard = 0; shard < shards; ++shard) {
    if (done == done_.end() || !done->second.contains(shard)) left.push_back(shard);
  }
  return left;
}

Async<Result<void>> Sweep::done(Index index, std::vector<ShardId> shards, bool clean) {
  clean_ = clean_ && clean;
  done_[index].insert(shards.begin(), shards.end());
  co_return co_await save();
}

Async<Result<void>> Sweep::save() const {
  Json done = Json::array();
  for (const auto& [index, shards] : done_) {
    Json numbers = Json::array({index.incarnation, index.exchanged_at});
    for (const ShardId shard : shards) numbers.push_back(std::uint64_t{shard});
    done.push_back(std::move(numbers));
  }
  Batch batch;
  batch.put(Table::kMeta, kRow,
            to_text(Json::object({{"pass", pass_},
                                  {"head", head_},
                                  {"startedMicroseconds", started_.time_since_epoch().count()},
                                  {"clean", clean_},
                                  {"done", std::move(done)}})));
  co_return co_await store_->commit(std::move(batch));
}

Async<Result<void>> Sweep::end() {
  done_.clear();
  Batch batch;
  batch.erase(Table::kMeta, kRow);
  co_return co_await store_->commit(std::move(batch));
}

}  // namespace miroir::anti_entropy
