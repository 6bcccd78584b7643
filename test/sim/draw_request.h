#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "sim/plan.h"

namespace miroir::sim {

// Three classes of documents. What is damaged and written at the same time has a knowable truth
// only within its class:
// w: written whole or deleted; may be corrupted or put back: a later whole write ends it.
// m: merged into as well; may vanish where it was once written whole, for a PUT that lands on
//    nothing has no base and loses. Not corrupted: a PUT on top would make two copies that nothing
//    tells apart.
// f: deleted by filter as well; never touched behind Miroir's back, for the filter is resolved on
//    whichever replica is in sync.
// x: written by strangers only, maybe in all groups; these write w too, in the damaged group.
std::string draw_id(Random& random, char kind);
std::string draw_index(Random& random);
Microseconds between(Random& random, Microseconds low, Microseconds high);

// `keys`: of the requests before it.
Request draw_request(Random& random, int number, std::vector<std::string>& keys);

}  // namespace miroir::sim
