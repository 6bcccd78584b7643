#pragma once

#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace miroir::sim {

// A copy of a document, to be put back later.
struct Remembered {
  Json document;
  Instant at{};
};

// Writes that are to come while a document is repaired.
struct Storm {
  std::string index;
  std::string id;
  int writes = 0;
  Instant announced{};
};

}  // namespace miroir::sim
