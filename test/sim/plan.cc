#include "sim/plan.h"

#include <algorithm>

#include "base/random.h"
#include "sim/draw_phase.h"
#include "sim/draw_request.h"
#include "sim/draw_twists.h"

namespace miroir::sim {

bool is_key_act(Act act) { return act >= Act::kCreateKey; }

bool exchanges_names(Act act) { return act == Act::kSwap || act == Act::kRename; }

bool has_documents(Act act) { return act <= Act::kDeleteFilter; }

bool is_document_act(Act act) { return act <= Act::kClear; }

bool damages(FaultKind kind) {
  return (kind >= FaultKind::kFailTasks && kind < FaultKind::kClientCancel) ||
         kind >= FaultKind::kEverybody;
}

bool is_drift(FaultKind kind) {
  return kind >= FaultKind::kDriftSettings && kind <= FaultKind::kDriftRemake;
}

bool is_of_store(FaultKind kind) {
  return kind >= FaultKind::kStoreSnapshot && kind <= FaultKind::kStoreLost;
}

bool damages(const Phase& phase) {
  return std::ranges::any_of(phase.steps, is_fault([](FaultKind kind) { return damages(kind); }));
}

FaultSet default_faults() {
  FaultSet faults;
  for (int kind = 0; kind < kFaultKinds; ++kind) faults.insert(static_cast<FaultKind>(kind));
  return faults;
}

Plan draw_plan(std::uint64_t seed, const FaultSet& faults) {
  // Streams of their own: another kind of fault does not change the requests.
  Random shape(seed * 3);
  Random requests(seed * 3 + 1);
  Random random(seed * 3 + 2);
  Random store(~seed);
  Random more(~seed * 3);
  Random cancels(~seed * 5);
  Random slices(~seed * 7);
  Random policies(~seed * 17);
  Random strangers(~seed * 11);
  Random makers(~seed * 13);
  Random indexes(~seed * 19);
  Random operators(~seed * 23);
  Random drifts(~seed * 29);
  Random windows(~seed * 41);
  Random lags(~seed * 43);
  Random everybody(~seed * 47);
  Random ties(~seed * 53);
  Random tags(~seed * 59);
  Random hurry(~seed * 61);
  Random audits(~seed * 37);
  Random origins(~seed * 31);
  Random repairs(~seed * 67);
  Random copies(~seed * 73);
  Random chores(~seed * 79);
  Random forgets(~seed * 83);
  Random swift(~seed * 89);
  Plan plan;
  plan.seed = seed;
  plan.hurried = hurry.chance(0.5);
  plan.loses_again = hurry.chance(0.1);
  plan.copy_is_old = copies.chance(0.5);
  plan.groups = shape.chance(0.75) ? 2 : 3;
  plan.nodes_per_group = 1 + static_cast<int>(shape.below(2));
  plan.shards = 4 + static_cast<std::uint32_t>(shape.below(5));
  plan.light_interval = between(shape, Seconds(5), Seconds(40));
  plan.deep_interval = between(shape, Seconds(20), Seconds(300));
  plan.task_delay_max = between(shape, Milliseconds(1), Milliseconds(700));
  if (shape.chance(0.3)) plan.node_clocks_max = std::chrono::hours(1);
  if (shape.chance(0.3)) plan.deletes_max = 1 + shape.below(3);
  if (more.chance(0.25)) {
    plan.retention = between(more, Seconds(1), Seconds(20));
    plan.entries_kept = 10 + more.below(100);
    plan.outages = more.chance(0.5) && faults.contains(FaultKind::kNodeDown);
  } else {
    plan.has_subscriber = more.chance(0.4);
  }
  plan.late_group = more.chance(0.12) && faults.contains(FaultKind::kLateGroup);
  if (plan.late_group) plan.groups = 3;
  if (more.chance(0.2)) plan.node_tasks_kept = 5 + more.below(30);
  plan.commit_max = between(more, Microseconds(500), Milliseconds(10));
  const int phases = shape.chance(0.8) ? 1 : 2;
  int requests_drawn = 0;
  for (int i = 0; i < phases; ++i) {
    plan.phases.push_back(draw_phase(plan, requests, random, faults, requests_drawn));
    requests_drawn += static_cast<int>(plan.phases.back().steps.size());
  }
  if (more.chance(0.3)) let_expire(plan, more);
  if (more.chance(0.2)) let_rename(plan);
  if (plan.late_group) {
    Phase& phase = plan.phases.front();
    Fault late;
    late.kind = FaultKind::kLateGroup;
    late.duration = between(more, Seconds(1), Seconds(10));
    phase.steps.push_back({between(more, Milliseconds(0), phase.length), std::move(late)});
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
  if (phases == 2 && plan.trims() && !plan.outages) let_collect(plan, more);
  if (slices.chance(0.4)) let_slice(plan, 1 + slices.below(3));
  if (plan.sweep_interval && policies.chance(0.4) && faults.contains(FaultKind::kPolicy))
    let_say_policies(plan, policies);
  if (cancels.chance(0.25) && faults.contains(FaultKind::kClientCancel)) let_cancel(plan, cancels);
  // Not with a group to come: what a lost entry deleted by filter, it would be brought again.
  if (store.chance(0.15) && !plan.late_group) draw_store_loss(plan.phases.back(), store, faults);
  const bool store_goes = std::ranges::any_of(plan.phases.back().steps, is_fault(is_of_store));
  if (strangers.chance(0.25) && !store_goes && !plan.late_group && !plan.outages &&
      faults.contains(FaultKind::kStranger))
    let_strangers_write(plan, strangers);
  if (makers.chance(0.15) && !store_goes && !plan.late_group && !plan.outages &&
      faults.contains(FaultKind::kStrangeIndex))
    let_strangers_make_indexes(plan, makers);
  const bool strange = has_fault(plan, [](FaultKind kind) {
    return kind == FaultKind::kStranger || kind == FaultKind::kStrangeIndex;
  });
  // Of a log that keeps little so many failures leave documents for a person.
  if (indexes.chance(0.1) && !plan.late_group && !plan.trims() && !strange &&
      faults.contains(FaultKind::kCurse))
    let_fail_to_come_and_go(plan, indexes);
  if (operators.chance(0.25) && faults.contains(FaultKind::kOperator)) let_operate(plan, operators);
  if (windows.chance(0.15) && faults.contains(FaultKind::kOperator)) let_close(plan, windows);
  if (lags.chance(0.2)) let_lag(plan, lags, faults);
  if (everybody.chance(0.04) && !store_goes && !plan.late_group && !plan.trims() &&
      faults.contains(FaultKind::kEverybody))
    let_everybody_be_written_to(plan, everybody);
  // Of a log that keeps little, who is away and has a good copy may be no source.
  const bool everybody_written_to =
      has_fault(plan, [](FaultKind kind) { return kind == FaultKind::kEverybody; });
  if (ties.chance(0.12) && !everybody_written_to && !store_goes && !plan.late_group &&
      !plan.trims() && faults.contains(FaultKind::kMergedCorrupt))
    let_tie(plan, ties);
  if (tags.chance(0.12) && !everybody_written_to && !store_goes && !plan.late_group &&
      !plan.trims() && faults.contains(FaultKind::kTagCorrupt))
    let_tags_drift(plan, tags);
  // Not where a person must say what is right, or nothing is to befall the replicas otherwise.
  const bool undecided = has_fault(
      plan, [](FaultKind kind) { return kind >= FaultKind::kEverybody && !is_drift(kind); });
  const bool damaged =
      std::ranges::all_of(plan.phases, [](const Phase& phase) { return damages(phase); });
  if (drifts.chance(0.25) && !store_goes && !plan.outages && !undecided && damaged)
    let_drift(plan, drifts, faults);
  if (forgets.chance(0.2) && !plan.collects() && !store_goes && !plan.late_group && !strange)
    let_forget_deletes(plan, forgets, faults);
  if (audits.chance(0.25)) plan.audit_retention = between(audits, Seconds(2), Seconds(180));
  if (plan.has_subscriber) {
    plan.emit_ttl_deletes = origins.chance(0.5);
    plan.emit_internal_writes = origins.chance(0.5);
  }
  if (faults.contains(FaultKind::kOperator) && repairs.chance(0.1)) {
    plan.auto_repair = false;
    plan.hurried = true;
  }
  // Where a log that went back was copied, tasks are not gone that it knows to have been the
  // newest.
  if (faults.contains(FaultKind::kChore) && (chores.chance(0.2) || everybody_written_to))
    let_look_after(plan, chores, !store_goes);
  if (swift.chance(0.4)) let_disks_be_replaced_swiftly(plan, swift);
  return plan;
}

std::string other_index(const std::string& index) { return index == "books" ? "films" : "books"; }

std::string node_name(int group, int place) {
  return std::string(1, static_cast<char>('a' + group)) + std::to_string(place);
}

}  // namespace miroir::sim
