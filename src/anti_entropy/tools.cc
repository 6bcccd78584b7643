#include "anti_entropy/tools.h"

#include <algorithm>

namespace miroir::anti_entropy {

Async<bool> wait_done(const Tools& tools, std::string node, Position position,
                      Milliseconds timeout) {
  constexpr Milliseconds kStep{500};
  const Instant deadline = tools.clock.now() + timeout;
  while (!tools.stopping()) {
    const Instant step = std::min(deadline, tools.clock.now() + kStep);
    if (co_await tools.cluster.wait_done(node, position, step)) co_return true;
    if (tools.clock.now() >= deadline) co_return false;
  }
  co_return false;
}

Async<Applied> await_applied(const Tools& tools, std::string node, Position position) {
  Applied applied{.node = node, .error = std::nullopt};
  if (!co_await wait_done(tools, node, position, kRepairTimeout)) {
    applied.error = "node " + node + " has not applied it yet";
    co_return applied;
  }
  auto failures = co_await tools.log.failures(position);
  if (!failures) {
    applied.error = failures.error().message;
  } else if (auto failure = failures->find(node); failure != failures->end()) {
    const Json* message = failure->second.find("message");
    applied.error = "node " + node + " refused it: " +
                    (message != nullptr && message->is_string() ? message->as_string()
                                                                : to_text(failure->second));
  }
  co_return applied;
}

Position exchanged_at(const Pasts& pasts, Position incarnation) {
  Position newest = 0;
  for (const TakenBack& one : pasts.all()) {
    if (one.other != 0 && (one.index == incarnation || one.other == incarnation)) newest = one.at;
  }
  return newest;
}

Result<const IndexState*> unchanged(const Catalogue& catalogue, const IndexUnderTest& index) {
  const IndexState* state = catalogue.by_incarnation(index.incarnation);
  if (state == nullptr || state->uid != index.uid || state->named_at != index.named_at)
    return fail(ErrorCode::kConflict, "index " + index.uid + " was dropped, swapped or renamed");
  return state;
}

Error cut_off() { return Error{ErrorCode::kCancelled, "the reconciler is stopping"}; }

}  // namespace miroir::anti_entropy
