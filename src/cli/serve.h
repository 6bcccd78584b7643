#pragma once

#include "base/result.h"
#include "cli/config.h"

namespace miroir {

// `miroir serve`: puts one process together and runs it until SIGINT or SIGTERM. Returns once
// everything has ended; an error is a refusal to start.
Result<void> serve(const Config& config);

}  // namespace miroir
