#pragma once

#include <memory>
#include <string>
#include <vector>

#include "forward/context.h"
#include "forward/forwarder.h"
#include "forward/outcomes.h"

namespace miroir {

// Takes entries back from nodes that were not sent them, and never will be: what a client cancels,
// and what failed on all owners but one that is away (DESIGN.md, "Writing" 7). Lanes stand before a
// held entry until it is let go or its outcome there, a failure that says so, is durable.
class Voiding {
 public:
  // An entry, and the places of nodes in topology().nodes().
  struct Part {
    std::shared_ptr<const Entry> entry;
    std::vector<std::size_t> nodes;
  };

  Voiding(ForwardContext context, Outcomes& outcomes,
          const std::vector<std::unique_ptr<Forwarder>>& forwarders)
      : context_(context), outcomes_(outcomes), forwarders_(forwarders) {}

  // The entries of a task, in order, with all nodes that they concern; none where it does more than
  // change documents, or concerns no node.
  Async<Result<std::vector<Part>>> parts_of(Position task) const;
  // Holds every part, or none where a node may have been sent one. Does not suspend.
  bool hold(const std::vector<Part>& parts);
  void let_go(const std::vector<Part>& parts);
  // Of parts that are held; durable when it returns. Repeats what the store does not take.
  Log::Places places_of(const std::vector<Part>& parts) const;
  Async<void> make_void(std::vector<Part> parts, Json outcome);

 private:
  ForwardContext context_;
  Outcomes& outcomes_;
  const std::vector<std::unique_ptr<Forwarder>>& forwarders_;
};

// Whether nothing but documents depends on the entry: what was judged after it does not count on
// it.
bool only_changes_documents(EntryKind kind);

// The outcomes of what was never sent: beside the members of an error, who cancelled it, or 0.
inline constexpr std::string_view kNeverSent = "neverSent";
Json canceled_by(Position task);
Json failed_elsewhere(const Json& error);
// Nothing where it is no such outcome.
std::optional<Position> voided_by(const Json& outcome);

}  // namespace miroir
