#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "forward/context.h"

namespace miroir {

// Records what became of entries on nodes, and the taints that follow (DESIGN.md, "Writing" 6). A
// part that failed is tainted at once, for what is not known to be equal may not be a source; once
// it is known to have failed on all owners of a shard it did not happen, and those taints end.
class Outcomes {
 public:
  explicit Outcomes(ForwardContext context) : context_(context) {}
  // Both are durable when they return, and may be repeated.
  Async<Result<void>> failed(std::shared_ptr<const Entry> entry, std::string node, Json error);
  Async<Result<void>> applied(std::shared_ptr<const Entry> entry, std::string node);
  // Nothing more is to be learnt of the entry, for which some waited that have left since.
  Async<Result<void>> decided(std::shared_ptr<const Entry> entry);
  // A node skipped the entries after `first`, up to `last`: what failed on all others of its owners
  // did not happen, but where a client was told that it had.
  Async<Result<void>> skipped(Position first, Position last);

 private:
  struct Named {  // what an entry names on a node
    Position incarnation = 0;  // as it names it
    std::string id;  // empty: the index
    ShardId shard = 0;
    auto operator<=>(const Named&) const = default;
  };
  Async<Result<std::vector<Named>>> named_by(std::shared_ptr<const Entry> entry, std::string node);
  Async<Result<std::vector<Named>>> still_known(std::shared_ptr<const Entry> entry,
                                                std::string node);
  Async<Result<void>> end_if_failed_everywhere(std::shared_ptr<const Entry> entry,
                                               std::vector<Named> named);
  Async<Result<void>> end_skipped(Position first, Position last);
  Async<Result<void>> forget_older_settings(std::shared_ptr<const Entry> newest);
  Position index_of(const Entry& entry) const;  // that has its taints by now
  Async<Result<bool>> is_forgotten(std::shared_ptr<const Entry> entry);
  // Takes back the document's newest deletes in between that no owner carried out.
  Async<Result<void>> void_failed_deletes(Named document, Position first, Position last);

  ForwardContext context_;
};

}  // namespace miroir
