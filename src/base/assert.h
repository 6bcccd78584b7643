#pragma once

namespace miroir {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}  // namespace miroir

// A broken invariant of ours ends the process, in every build. Never for input, peers or disks.
#define MIROIR_ASSERT(expression) \
  ((expression) ? void(0) : ::miroir::assertion_failed(#expression, __FILE__, __LINE__))
