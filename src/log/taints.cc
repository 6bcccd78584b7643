#include "log/taints.h"

#include <algorithm>
#include <iterator>

#include "log/rows.h"

namespace miroir {
namespace {

// Of one document on one node, or of a whole index, which are few; the older ones lose their names.
constexpr std::size_t kNamed = 8;
constexpr std::size_t kNamedOfIndex = 64;

}  // namespace

Async<Result<void>> Taints::load() {
  co_return co_await for_each_row(store_, Table::kTaint, "", [&](const Row& row) -> Result<void> {
    MIROIR_TRY(Taint taint, decode_taint(row));
    taints_[taint.incarnation][{std::move(taint.id), std::move(taint.node)}] =
        std::move(taint.failed);
    return {};
  });
}

const Taints::Failed* Taints::find(const Taint& taint) const {
  const auto documents = taints_.find(taint.incarnation);
  if (documents == taints_.end()) return nullptr;
  const auto found = documents->second.find({taint.id, taint.node});
  return found == documents->second.end() ? nullptr : &found->second;
}

// With what is known of the document on that node.
void Taints::merge(Taint& taint) const {
  const Failed* before = find(taint);
  if (before == nullptr) return;
  Failed both;
  std::ranges::set_union(*before, taint.failed, std::back_inserter(both));
  const std::size_t named = taint.id.empty() ? kNamedOfIndex : kNamed;
  if (both.size() > named) {
    both.erase(both.begin(), both.end() - static_cast<std::ptrdiff_t>(named));
    both.insert(both.begin(), Taint::kUnnamed);
  }
  taint.failed = std::move(both);
}

Async<Result<void>> Taints::put(std::vector<Taint> taints, Batch batch) {
  for (const Taint& taint : taints) {
    if (taint.failed.empty()) {
      batch.erase(Table::kTaint, taint_row(taint));
    } else {
      batch.put(Table::kTaint, taint_row(taint), encode_failed(taint));
    }
  }
  if (batch.empty()) co_return Result<void>();
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  for (Taint& taint : taints) {
    auto& documents = taints_[taint.incarnation];
    Document document{std::move(taint.id), std::move(taint.node)};
    if (taint.failed.empty()) {
      documents.erase(document);
    } else {
      documents.insert_or_assign(std::move(document), std::move(taint.failed));
    }
    if (documents.empty()) taints_.erase(taint.incarnation);
  }
  co_return Result<void>();
}

Async<Result<void>> Taints::add(std::vector<Taint> taints) {
  const Semaphore::Permit permit = co_await one_at_a_time_.acquire();
  std::ranges::for_each(taints, [this](Taint& taint) { merge(taint); });
  co_return co_await put(std::move(taints));
}

Async<Result<void>> Taints::clear(std::vector<Taint> taints) {
  const Semaphore::Permit permit = co_await one_at_a_time_.acquire();
  std::erase_if(taints, [&](Taint& taint) {
    const Failed* now = find(taint);
    const bool same = now != nullptr && *now == taint.failed;
    taint.failed.clear();
    return !same;
  });
  co_return co_await put(std::move(taints));
}

Async<Result<void>> Taints::withdraw(Position position, std::set<std::string> ids) {
  const Semaphore::Permit permit = co_await one_at_a_time_.acquire();
  std::vector<Taint> taints;
  for (const auto& [incarnation, documents] : taints_) {
    for (const std::string& id : ids) {
      for (auto its = documents.lower_bound({id, ""});
           its != documents.end() && its->first.first == id; ++its) {
        Failed failed = its->second;
        if (std::erase(failed, position) > 0)
          taints.push_back({incarnation, id, its->first.second, std::move(failed)});
      }
    }
  }
  co_return co_await put(std::move(taints));
}

Async<Result<void>> Taints::exchange(Position a, Position b, Position before, Batch batch) {
  const Semaphore::Permit permit = co_await one_at_a_time_.acquire();
  std::map<Position, std::map<Document, Failed>> after;
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    for (const Taint& taint : of(from)) {
      for (const Position position : taint.failed) {
        const Position owner = position < before ? to : from;
        after[owner][{taint.id, taint.node}].push_back(position);
      }
    }
  }
  std::vector<Taint> taints;
  for (const Position incarnation : {a, b}) {
    for (Taint& taint : of(incarnation)) {
      taint.failed.clear();
      if (!after[incarnation].contains({taint.id, taint.node})) taints.push_back(std::move(taint));
    }
    for (auto& [document, failed] : after[incarnation]) {
      std::ranges::sort(failed);
      taints.push_back({incarnation, document.first, document.second, std::move(failed)});
    }
  }
  co_return co_await put(std::move(taints), std::move(batch));
}

bool Taints::contains(Position incarnation, const std::string& id, const std::string& node) const {
  const auto documents = taints_.find(incarnation);
  return documents != taints_.end() && documents->second.contains({id, node});
}

std::optional<Taint> Taints::get(Position incarnation, const std::string& id,
                                 const std::string& node) const {
  Taint taint{incarnation, id, node, {}};
  const Failed* failed = find(taint);
  if (failed == nullptr) return std::nullopt;
  taint.failed = *failed;
  return taint;
}

std::vector<Taint> Taints::of(Position incarnation) const {
  std::vector<Taint> taints;
  const auto documents = taints_.find(incarnation);
  if (documents == taints_.end()) return taints;
  for (const auto& [document, failed] : documents->second)
    taints.push_back({incarnation, document.first, document.second, failed});
  return taints;
}

std::vector<Taint> Taints::of_indexes() const {
  std::vector<Taint> taints;
  for (const auto& [incarnation, documents] : taints_) {
    for (const auto& [document, failed] : documents) {
      if (document.first.empty()) taints.push_back({incarnation, "", document.second, failed});
    }
  }
  return taints;
}

std::vector<Position> Taints::positions() const {
  std::vector<Position> positions;
  for (const auto& [incarnation, documents] : taints_)
    for (const auto& [document, failed] : documents)
      std::ranges::copy(failed, std::back_inserter(positions));
  return positions;
}

}  // namespace miroir
