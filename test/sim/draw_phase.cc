#include "sim/draw_phase.h"

#include <algorithm>
#include <utility>

#include "sim/draw_request.h"

namespace miroir::sim {
namespace {

class FaultDrawer {
 public:
  FaultDrawer(const Plan& plan, Random& random, int victims)
      : plan_(plan), random_(random), victims_(victims) {}

  Fault draw(FaultKind kind) {
    Fault fault;
    fault.kind = kind;
    fault.index = draw_index(random_);
    fault.id = draw_id(random_, 'w');
    int group = damages(kind)
                    ? victims_
                    : static_cast<int>(random_.below(static_cast<std::uint64_t>(plan_.groups)));
    if (plan_.trims() && !plan_.outages)
      group = victims_;  // of others who was away would be damaged too
    fault.node = node_name(
        group, static_cast<int>(random_.below(static_cast<std::uint64_t>(plan_.nodes_per_group))));
    fault.probability = 0.05 + 0.45 * random_.unit();
    switch (kind) {
      case FaultKind::kCrash:
        fault.duration = between(random_, Milliseconds(0), Seconds(15));
        fault.handlers = static_cast<int>(random_.below(random_.chance(0.5) ? 40 : 400));
        break;
      case FaultKind::kStorm:
        fault.handlers = 1 + static_cast<int>(random_.below(3));
        break;
      case FaultKind::kCurse:
        fault.handlers = 3 + static_cast<int>(random_.below(15));
        break;
      case FaultKind::kForeignKey:
        fault.handlers = static_cast<int>(random_.below(100));
        break;
      case FaultKind::kClockStep:
        fault.duration = between(random_, -Seconds(30), Seconds(30));
        if (random_.chance(0.5)) fault.duration *= 120;
        break;
      case FaultKind::kRestore:
      case FaultKind::kWipe:
        // Longer than two looks of the health monitor, but for what draw_twists.cc makes of it.
        fault.duration = between(random_, Seconds(8), Seconds(40));
        break;
      case FaultKind::kForeignDelete:
        if (random_.chance(0.4)) fault.id = draw_id(random_, 'm');
        break;
      case FaultKind::kFailTasks:
      case FaultKind::kFailIndexTasks:
        if (random_.chance(0.4)) fault.probability = 1;
        [[fallthrough]];
      default:
        fault.duration = between(random_, Milliseconds(100), Seconds(random_.chance(0.5) ? 4 : 25));
    }
    return fault;
  }

 private:
  const Plan& plan_;
  Random& random_;
  int victims_;
};

// Every node is away, for longer than the log may keep what was written just before and is written
// meanwhile.
void draw_outage(const Plan& plan, Phase& phase, Random& random) {
  const Microseconds when = between(random, Milliseconds(0), phase.length);
  for (int group = 0; group < plan.groups; ++group) {
    for (int place = 0; place < plan.nodes_per_group; ++place) {
      Fault down;
      down.kind = FaultKind::kNodeDown;
      down.node = node_name(group, place);
      down.duration = between(random, Seconds(5), Seconds(35));
      phase.steps.push_back({when + between(random, Milliseconds(0), Seconds(2)), std::move(down)});
    }
  }
}

}  // namespace

Phase draw_phase(const Plan& plan, Random& requests, Random& random, const FaultSet& faults,
                 int first_number) {
  Phase phase;
  phase.length = between(random, Seconds(10), Seconds(60));
  const int count = 15 + static_cast<int>(requests.below(35));
  Microseconds at{0};
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) {
    // Bursts, then nothing for a while.
    if (requests.chance(0.5)) at = between(requests, Milliseconds(0), phase.length);
    at += between(requests, Microseconds(0), Milliseconds(20));
    phase.steps.push_back({at, draw_request(requests, first_number + i, keys)});
  }
  phase.victims = static_cast<int>(random.below(static_cast<std::uint64_t>(plan.groups)));
  FaultDrawer drawer(plan, random, phase.victims);
  // Each run knows only some kinds: a mix of all hides what a few would show.
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    const auto fault = static_cast<FaultKind>(kind);
    // Storms are long, and do harm only in a short moment.
    const bool storm = fault == FaultKind::kStorm;
    if (fault >= FaultKind::kStoreSnapshot) continue;  // drawn beside the others
    if (!random.chance(storm ? 0.4 : 0.35) || !faults.contains(fault)) continue;
    if (plan.outages && damages(fault)) continue;
    for (std::uint64_t i = storm ? 1 : 1 + random.below(3); i > 0; --i) {
      Microseconds when = between(random, Milliseconds(0), phase.length);
      if (storm) when /= 2;  // it waits for a pass
      Fault drawn = drawer.draw(fault);
      if (fault == FaultKind::kRestore || fault == FaultKind::kPutBack ||
          fault == FaultKind::kPutBackTask) {
        Fault earlier = drawn;
        earlier.kind = fault == FaultKind::kRestore ? FaultKind::kSnapshot : FaultKind::kRemember;
        phase.steps.push_back({between(random, Milliseconds(0), when), std::move(earlier)});
      }
      phase.steps.push_back({when, std::move(drawn)});
    }
  }
  if (plan.outages) draw_outage(plan, phase, random);
  std::ranges::stable_sort(phase.steps, {}, &Step::at);
  return phase;
}

}  // namespace miroir::sim
