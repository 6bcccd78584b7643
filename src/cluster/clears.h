#pragma once

#include <string>
#include <vector>

#include "cluster/entry_failures.h"
#include "node_api/stored_fields.h"

namespace miroir {

// The delete-alls of an index, as far as they happened: one that failed on every owner of a
// document did not, for that document.
class Clears {
 public:
  static Async<Result<Clears>> of(Log& log, const Cluster& cluster, IndexState index);

  // The stamp of the newest that the document's owners did not all miss; 0: none. Copies up to it
  // are dead.
  Stamp newest_of(const std::string& id) const;

 private:
  struct Clear {
    Stamp stamp = 0;
    EntryFailures failures;
  };
  explicit Clears(const Topology& topology) : topology_(&topology) {}

  const Topology* topology_;
  std::vector<Clear> newest_first_;
};

}  // namespace miroir
