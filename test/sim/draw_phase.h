#pragma once

#include "base/random.h"
#include "sim/plan.h"

namespace miroir::sim {

// Requests and faults of a kind that every phase may have; requests are numbered from
// `first_number` on.
Phase draw_phase(const Plan& plan, Random& requests, Random& random, const FaultSet& faults,
                 int first_number);

}  // namespace miroir::sim
