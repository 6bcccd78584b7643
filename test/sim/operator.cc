// What who operates it says.
#include "sim/json_at.h"
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
    if (!order(kind, false)) say("no pass begins");
    return;
  }
  process_->set_paused(true, [this, number = operator_witness_.pausing()](bool done) {
    if (done) operator_witness_.paused(number);
  });
  later(fault.duration, [this] { resume(); });
}

Result<std::uint64_t> World::order(PassKind kind, bool repairs) {
  if (!process_ || !process_->ready()) return fail(ErrorCode::kUnavailable, "nobody there");
  auto pass = process_->reconciler().start(kind, repairs);
  if (pass) operator_witness_.ordered(*pass, repairs);
  return pass;
}

void World::approve(std::uint64_t pass) {
  const auto approved = await(process_->reconciler().approve(pass));
  if (approved && *approved)  // by the pass that does it
    operator_witness_.ordered(number(**approved, "pass"), true);
}

// However long that takes: the store may be full, or Miroir away.
void World::resume() {
  const bool ready = process_ && process_->ready();
  if (ready && !process_->reconciler().paused()) return;
  if (ready) {
    operator_witness_.resuming();
    process_->set_paused(false, [](bool) {});
  }
  later(Seconds(1), [this] { resume(); });
}

}  // namespace miroir::sim
