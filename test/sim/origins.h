#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sim/ledger.h"
#include "sim/plan.h"

namespace miroir::sim {

// Whether the plan's subscriber is told of changes of that origin, as the change stream names it.
bool is_told(const Plan& plan, std::string_view origin);

// Of what the log was given behind that position: the changes that he is not told of because of
// their origin. Each document of an entry is one, whatever became of it.
std::map<std::string, std::uint64_t> left_out(const Plan& plan, const Ledger& ledger,
                                              Position behind);

}  // namespace miroir::sim
