#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/async.h"
#include "log/log.h"
#include "store/store.h"

namespace miroir {

// Which documents failed on which node while they were applied elsewhere: rows of kTaint, all of
// them in memory too.
class Taints {
 public:
  Taints(Store& store, Executor executor) : store_(store), one_at_a_time_(executor, 1) {}
  Async<Result<void>> load();

  Async<Result<void>> add(std::vector<Taint> taints);
  Async<Result<void>> clear(std::vector<Taint> taints);
  // Of these documents of whichever index.
  Async<Result<void>> withdraw(Position position, std::set<std::string> ids);
  // What failed before that entry on either's documents is now of the other's. Durable with the
  // batch.
  Async<Result<void>> exchange(Position a, Position b, Position before, Batch batch);

  bool contains(Position incarnation, const std::string& id, const std::string& node) const;
  std::optional<Taint> get(Position incarnation, const std::string& id,
                           const std::string& node) const;
  bool any(Position incarnation) const { return taints_.contains(incarnation); }
  std::vector<Taint> of(Position incarnation) const;
  std::vector<Taint> of_indexes() const;
  std::vector<Position> positions() const;

 private:
  using Document = std::pair<std::string, std::string>;  // id, node
  using Failed = std::vector<Position>;
  const Failed* find(const Taint& taint) const;  // nullptr: not tainted
  void merge(Taint& taint) const;
  // Puts each as it is given, after the batch: without a failed entry it is gone.
  Async<Result<void>> put(std::vector<Taint> taints, Batch batch = {});

  Store& store_;
  Semaphore one_at_a_time_;
  std::map<Position, std::map<Document, Failed>> taints_;
};

}  // namespace miroir
