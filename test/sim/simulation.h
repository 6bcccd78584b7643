#pragma once

#include <string>
#include <vector>

#include "sim/plan.h"
#include "sim/witness.h"

namespace miroir::sim {

struct Outcome {
  std::vector<std::string> wrong;  // empty: everything held
  std::vector<std::string> story;
  std::uint64_t requests = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t repairs = 0;
  Witness::Judged judged;
  // Of the story and of the nodes' disks at the end.
  std::string hash;
};

// Runs a plan: in each phase requests and faults, then quiet, in which the replicas must become
// what the acknowledged requests say, and stay so.
Outcome simulate(const Plan& plan);

// A smaller plan that fails too: steps are left out one after another as long as it does.
Plan minimise(Plan plan);

}  // namespace miroir::sim
