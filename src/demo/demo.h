#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace miroir {

struct DemoOptions {
  std::string meilisearch;       // path of a real server's binary; empty: the embedded node
  std::string packages_file;     // empty: the machine's package index, or a small list of our own
  std::size_t packages_max = 0;  // 0: all
  bool keep = false;
  bool sabotage = false;
};

// The main job, with real processes on loopback: load, search, kill, damage, heal, and a proof at
// the end by a checker that shares no code with what it checks. An error: the proof failed, or
// something before it.
Result<void> run_demo(const DemoOptions& options);

}  // namespace miroir
