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

Result<const IndexState*> unchanged(const Catalogue& catalogue, const IndexUnderTest& index) {
  const IndexState* state = catalogue.by_incarnation(index.incarnation);
  if (state == nullptr || state->uid != index.uid)
    return fail(ErrorCode::kConflict, "index " + index.uid + " was dropped, swapped or renamed");
  return state;
}

Error cut_off() { return Error{ErrorCode::kCancelled, "the reconciler is stopping"}; }

}  // namespace miroir::anti_entropy
