#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "forward/context.h"

namespace miroir {

// Copy, then replay (DESIGN.md, "Repairing"): a repair's documents as they must be at its place in
// the log, made of the copies that it carries and of what the log did to them in between, told in
// order. Pure.
class Replay {
 public:
  Replay(std::vector<BodyRecord> copies, FieldNames names);
  bool empty() const { return copies_.empty(); }
  bool contains(const std::string& id) const { return copies_.contains(id); }
  // A PUT that happened: its members replace the copy's, and the stored fields are those of a PUT.
  // One that names `_vectors` leaves the document out: which of its vectors remain depends on how a
  // node batches PUTs.
  void merge(const BodyRecord& put, EntryStamp stamp);
  // Written whole or deleted (there is nothing left to repair), or nobody can say.
  void leave_out(const std::string& id) { copies_.erase(id); }
  void leave_out_all() { copies_.clear(); }
  std::vector<BodyRecord> take();

 private:
  FieldNames names_;
  std::map<std::string, BodyRecord> copies_;
};

// What a node must be sent of a repair. A PUT that failed on all owners did not happen; where that
// is not known yet it is waited for, a while, and then its documents are left out: the next pass
// finds them. So whatever is sent is right at the repair's place, now and when it is sent again.
// kUnavailable: `interrupted` while waiting.
Async<Result<std::vector<BodyRecord>>> replayed(const ForwardContext& context,
                                                std::shared_ptr<const Entry> repair,
                                                std::function<bool()> interrupted);

}  // namespace miroir
