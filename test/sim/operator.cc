// What who operates it says.
#include "sim/world.h"

namespace miroir::sim {

void World::say_policy(const Fault& fault) {
  if (!process_ || !process_->ready()) return;
  TtlOverride change;
  if (fault.duration > Microseconds(0))
    change.sweep_interval = Seconds(fault.duration / Seconds(1));
  if (fault.handlers > 0) change.deletes_max = static_cast<std::uint64_t>(fault.handlers);
  const int number = sweep_witness_.said(fault.index, change);
  process_->set_policy(fault.index, change, [this, number](bool taken) {
    say(taken ? "the policy holds" : "the policy was not taken");
    sweep_witness_.answered(number, taken);
  });
}

void World::operate(const Fault& fault) {
  if (!process_ || !process_->ready()) return;
  if (fault.duration == Microseconds(0)) {
    const PassKind kind = fault.handlers == 0 ? PassKind::kLight : PassKind::kDeep;
    if (!process_->reconciler().start(kind, false)) say("no pass begins");
    return;
  }
  process_->set_paused(true);
  later(fault.duration, [this] { resume(); });
}

// However long that takes: the store may be full, or Miroir away.
void World::resume() {
  const bool ready = process_ && process_->ready();
  if (ready && !process_->reconciler().paused()) return;
  if (ready) process_->set_paused(false);
  later(Seconds(1), [this] { resume(); });
}

}  // namespace miroir::sim
