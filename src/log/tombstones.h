#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "log/log.h"
#include "store/store.h"

namespace miroir {

// The durable memory of deletes, by incarnation and document. In memory only the position of each
// one's newest delete: most documents that are asked for have none.
class Tombstones {
 public:
  Async<Result<void>> load(Store& store);

  // A delete on its way into the log: adds its row, unless a newer delete of the document stands in
  // line or is durable. Each must be settled, with the outcome of its batch.
  void propose(const Tombstone& tombstone, Batch& batch);
  void settle(const Tombstone& tombstone, bool durable);

  Async<Result<std::optional<Tombstone>>> find(Store& store, Position incarnation, std::string id);
  std::uint64_t count(Position incarnation) const;
  // Takes away those with positions up to `before`, unless they were renewed meanwhile.
  Async<Result<void>> collect(Store& store, Position incarnation, Position before);

  // With the index all are gone.
  static void drop(Position incarnation, Batch& batch);
  void dropped(Position incarnation) { durable_.erase(incarnation); }

 private:
  struct HashOf {
    std::size_t operator()(const Hash128& hash) const { return hash.low; }
  };
  using Positions = std::unordered_map<Hash128, Position, HashOf>;
  static Position newest(const std::map<Position, Positions>& all, Position incarnation,
                         const Hash128& id);

  std::map<Position, Positions> durable_;
  std::map<Position, Positions> in_line_;
};

}  // namespace miroir
