#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "log/log.h"
#include "store/store.h"

namespace miroir {

// The durable memory of deletes: a row for each, so that those before a delete that turns out to
// have failed everywhere still count. In memory only how many: few documents are asked for. Who
// takes some away does so alone.
class Tombstones {
 public:
  Async<Result<void>> load(Store& store);

  // A delete on its way into the log: its rows, and that they are durable.
  static void add(const Tombstone& tombstone, Batch& batch);
  void added(Position incarnation, std::uint64_t rows);

  // The document's with the greatest stamp below that one.
  Async<Result<std::optional<Tombstone>>> find(Store& store, Position incarnation, std::string id,
                                               std::optional<EntryStamp> below);
  // The documents of that delete, by looking at all of the index's.
  static Async<Result<std::vector<std::string>>> written_by(Store& store, Position incarnation,
                                                            Position position);
  std::uint64_t count(Position incarnation) const;
  // Takes away that delete of the documents.
  Async<Result<void>> make_void(Store& store, Position incarnation, Position position,
                                std::vector<std::string> ids);
  // Takes away those with positions up to `before`, and remembers up to which stamp.
  Async<Result<void>> collect(Store& store, Position incarnation, Position before);
  // The greatest stamp of those that were taken away so; 0: none was.
  EntryStamp horizon(Position incarnation) const;

  // Those with positions below `before` of either become the other's, horizons both's. `exchanged`
  // once the batch is durable.
  using Exchange = std::vector<std::pair<Tombstone, Position>>;  // to which incarnation
  Async<Result<Exchange>> exchange(Store& store, Position a, Position b, Position before,
                                   Batch& batch) const;
  void exchanged(const Exchange& exchange, Position a, Position b);

  // With the index all are gone.
  static void drop(Position incarnation, Batch& batch);
  void dropped(Position incarnation);

 private:
  void taken(Position incarnation, std::uint64_t rows);

  std::map<Position, std::uint64_t> counts_;
  std::map<Position, EntryStamp> horizons_;
};

}  // namespace miroir
