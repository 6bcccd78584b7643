#include "log/taints.h"

#include <algorithm>

#include "log/rows.h"

namespace miroir {

Async<Result<void>> Taints::load() {
  co_return co_await for_each_row(store_, Table::kTaint, "", [&](const Row& row) -> Result<void> {
    MIROIR_TRY(Taint taint, decode_taint(row));
    taints_[taint.incarnation][{std::move(taint.id), std::move(taint.node)}] = taint.position;
    return {};
  });
}

// With what is known of the document on that node.
void Taints::merge(Taint& taint) const {
  const auto documents = taints_.find(taint.incarnation);
  if (documents == taints_.end()) return;
  const auto before = documents->second.find({taint.id, taint.node});
  if (before == documents->second.end() || before->second == taint.position) return;
  taint.position = std::max(before->second & ~Taint::kSeveral, taint.newest()) | Taint::kSeveral;
}

Async<Result<void>> Taints::add(std::vector<Taint> taints, bool alone) {
  const Semaphore::Permit permit = co_await one_at_a_time_.acquire();
  if (!alone) std::ranges::for_each(taints, [this](Taint& taint) { merge(taint); });
  Batch batch;
  for (const Taint& taint : taints)
    batch.put(Table::kTaint, taint_row(taint), key_of(taint.position));
  if (batch.empty()) co_return Result<void>();
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  for (Taint& taint : taints)
    taints_[taint.incarnation][{std::move(taint.id), std::move(taint.node)}] = taint.position;
  co_return Result<void>();
}

Async<Result<void>> Taints::clear(std::vector<Taint> taints) {
  const Semaphore::Permit permit = co_await one_at_a_time_.acquire();
  std::erase_if(taints, [&](const Taint& taint) {
    const auto documents = taints_.find(taint.incarnation);
    if (documents == taints_.end()) return true;
    const auto found = documents->second.find({taint.id, taint.node});
    return found == documents->second.end() || found->second != taint.position;
  });
  Batch batch;
  for (const Taint& taint : taints) batch.erase(Table::kTaint, taint_row(taint));
  if (batch.empty()) co_return Result<void>();
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  for (const Taint& taint : taints) {
    auto& documents = taints_[taint.incarnation];
    documents.erase({taint.id, taint.node});
    if (documents.empty()) taints_.erase(taint.incarnation);
  }
  co_return Result<void>();
}

bool Taints::contains(Position incarnation, const std::string& id, const std::string& node) const {
  const auto documents = taints_.find(incarnation);
  return documents != taints_.end() && documents->second.contains({id, node});
}

std::vector<Taint> Taints::of(Position incarnation) const {
  std::vector<Taint> taints;
  const auto documents = taints_.find(incarnation);
  if (documents == taints_.end()) return taints;
  for (const auto& [document, position] : documents->second)
    taints.push_back({incarnation, document.first, document.second, position});
  return taints;
}

std::vector<Taint> Taints::of_indexes() const {
  std::vector<Taint> taints;
  for (const auto& [incarnation, documents] : taints_) {
    for (const auto& [document, position] : documents) {
      if (document.first.empty()) taints.push_back({incarnation, "", document.second, position});
    }
  }
  return taints;
}

std::vector<Position> Taints::positions() const {
  std::vector<Position> positions;
  for (const auto& [incarnation, documents] : taints_)
    for (const auto& [document, position] : documents) positions.push_back(position);
  return positions;
}

}  // namespace miroir
