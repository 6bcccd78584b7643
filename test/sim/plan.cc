#include "sim/plan.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>

#include "base/random.h"
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
        // Longer than two looks of the health monitor: who was away has lost its connections.
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

// Whether the newest copies tell all of it: what a task failed on, what content belongs to a stamp
// and whose a key is, a store that went back has forgotten.
bool newest_copies_tell(FaultKind kind) {
  switch (kind) {
    case FaultKind::kFailTasks:
    case FaultKind::kCancelTasks:
    case FaultKind::kCorrupt:
    case FaultKind::kRemember:
    case FaultKind::kPutBack:
    case FaultKind::kPutBackTask:
    case FaultKind::kForeignKey:
      return false;
    default:
      return true;
  }
}

// Whether the step is a fault of such a kind.
template <class Predicate>
auto is_fault(Predicate of_kind) {
  return [of_kind](const Step& step) {
    const Fault* fault = std::get_if<Fault>(&step.what);
    return fault != nullptr && of_kind(fault->kind);
  };
}

// A PUT that lands on the content of an older disk has the stamp of one that lands on the newest.
void leave_out_merges_into_old_disks(Phase& phase) {
  const auto puts_a_disk_back = [](FaultKind kind) {
    return kind == FaultKind::kRestore || kind == FaultKind::kWipe;
  };
  if (std::ranges::none_of(phase.steps, is_fault(puts_a_disk_back))) return;
  std::erase_if(phase.steps, is_fault([](FaultKind kind) { return kind == FaultKind::kStorm; }));
  for (Step& step : phase.steps) {
    Request* request = std::get_if<Request>(&step.what);
    if (request != nullptr && request->act == Act::kMerge) request->act = Act::kReplace;
  }
}

void draw_store_loss(Phase& phase, Random& random, const FaultSet& faults) {
  const FaultKind kind = random.chance(0.7) ? FaultKind::kStoreBack : FaultKind::kStoreLost;
  if (!faults.contains(kind)) return;
  std::erase_if(phase.steps, is_fault(std::not_fn(newest_copies_tell)));
  leave_out_merges_into_old_disks(phase);
  const Microseconds when = between(random, Milliseconds(0), phase.length);
  Fault back;
  back.kind = kind;
  back.duration = between(random, Milliseconds(0), Seconds(5));
  if (kind == FaultKind::kStoreBack) {
    Fault copy;
    copy.kind = FaultKind::kStoreSnapshot;
    phase.steps.push_back({between(random, Milliseconds(0), when), std::move(copy)});
  }
  phase.steps.push_back({when, std::move(back)});
  std::ranges::stable_sort(phase.steps, {}, &Step::at);
}

// Creations and swaps become renamings, to a name that a drop set free.
void let_rename(Plan& plan) {
  for (Phase& phase : plan.phases) {
    for (Step& step : phase.steps) {
      Request* request = std::get_if<Request>(&step.what);
      if (request != nullptr && (request->act == Act::kCreate || request->act == Act::kSwap))
        request->act = Act::kRename;
    }
  }
}

// Some documents expire, soon or late; what is written again lives longer or shorter.
void let_expire(Plan& plan, Random& random) {
  plan.sweep_interval = Seconds(1 + random.below(15));
  for (Phase& phase : plan.phases) {
    for (Step& step : phase.steps) {
      Request* request = std::get_if<Request>(&step.what);
      if (request == nullptr || (request->act != Act::kReplace && request->act != Act::kMerge) ||
          !random.chance(0.5))
        continue;
      request->lifetime = random.chance(0.3)
                              ? std::chrono::days(30)
                              : Milliseconds(random.below(kLifetimeMax / Milliseconds(1)));
    }
  }
}

// Deletes by filter: their slices take numbers, and a log that forgets so soon that a rename failed
// is no log.
void let_slice(Plan& plan, std::uint64_t deleted_per_entry) {
  plan.deleted_per_entry = deleted_per_entry;
  if (!plan.trims()) return;
  for (const Phase& phase : plan.phases) {
    for (const Step& step : phase.steps) {
      const auto* request = std::get_if<Request>(&step.what);
      if (request != nullptr && request->act == Act::kDeleteFilter)
        plan.entries_kept += kSlicesUnknown;
    }
  }
}

// Soon after requests, before nodes are sent what these ask for.
void let_cancel(Plan& plan, Random& random) {
  for (Phase& phase : plan.phases) {
    std::vector<Step> drawn;
    for (const Step& step : phase.steps) {
      if (!std::holds_alternative<Request>(step.what) || !random.chance(0.15)) continue;
      Fault cancel;
      cancel.kind = FaultKind::kClientCancel;
      cancel.handlers = 1 + static_cast<int>(random.below(4));
      drawn.push_back({step.at + between(random, Microseconds(0), Milliseconds(30)), cancel});
    }
    std::ranges::move(drawn, std::back_inserter(phase.steps));
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Indexes are swept each in its way; all others hardly, or as before.
void let_say_policies(Plan& plan, Random& random) {
  if (random.chance(0.5)) plan.sweep_interval = Seconds(60 + random.below(120));
  for (Phase& phase : plan.phases) {
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      Fault policy;
      policy.kind = FaultKind::kPolicy;
      policy.index = random.chance(0.5) ? "books" : "films";
      if (random.chance(0.8)) policy.duration = Seconds(1 + random.below(40));
      if (random.chance(0.6)) policy.handlers = 1 + static_cast<int>(random.below(3));
      phase.steps.push_back({between(random, Milliseconds(0), phase.length), std::move(policy)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Scheduled passes take turns, stand still, and are not the only ones.
void let_operate(Plan& plan, Random& random) {
  if (random.chance(0.5)) plan.shards_per_pass = 1 + static_cast<std::uint32_t>(random.below(3));
  plan.max_read_concurrency = 1 + static_cast<std::uint32_t>(random.below(4));
  for (Phase& phase : plan.phases) {
    for (std::uint64_t i = random.below(4); i > 0; --i) {
      Fault said;
      said.kind = FaultKind::kOperator;
      said.handlers = static_cast<int>(random.below(2));
      if (random.chance(0.5)) said.duration = between(random, Seconds(1), Seconds(40));
      phase.steps.push_back({between(random, Milliseconds(0), phase.length), std::move(said)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Somebody who knows nothing of Miroir writes documents on the nodes. What was adopted and is put
// back with an old disk looks new (docs/deciding.md).
void let_strangers_write(Plan& plan, Random& random) {
  const bool disks_go_back = std::ranges::any_of(plan.phases, [](const Phase& phase) {
    return std::ranges::any_of(phase.steps, is_fault([](FaultKind kind) {
                                 return kind == FaultKind::kRestore || kind == FaultKind::kWipe;
                               }));
  });
  const std::uint64_t dice = random.below(3);
  if (dice == 1) plan.foreign_documents = ForeignDocuments::kRemove;
  if (dice == 2 && !disks_go_back) plan.foreign_documents = ForeignDocuments::kAdopt;
  for (Phase& phase : plan.phases) {
    for (std::uint64_t i = 1 + random.below(5); i > 0; --i) {
      Fault stranger;
      stranger.kind = FaultKind::kStranger;
      stranger.index = draw_index(random);
      stranger.id = draw_id(random, random.chance(0.5) ? 'x' : 'w');
      const auto place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      stranger.node = node_name(phase.victims, static_cast<int>(place));
      stranger.handlers = random.chance(0.5) ? 1 : 0;  // by a task
      // On all owners, and without one: of nodes with tasks of others none would be in sync.
      if (stranger.id[0] == 'x' && stranger.handlers == 0) stranger.node.clear();
      phase.steps.push_back({between(random, Milliseconds(0), phase.length), std::move(stranger)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// And makes indexes there, of which Miroir knows nothing, or not yet.
void let_strangers_make_indexes(Plan& plan, Random& random) {
  for (Phase& phase : plan.phases) {
    for (std::uint64_t i = 1 + random.below(2); i > 0; --i) {
      Fault stranger;
      stranger.kind = FaultKind::kStrangeIndex;
      stranger.index = random.chance(0.5) ? kTheirs : draw_index(random);
      stranger.id = draw_id(random, random.chance(0.5) ? 'x' : 'w');
      const auto place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      stranger.node = node_name(phase.victims, static_cast<int>(place));
      phase.steps.push_back({between(random, Milliseconds(0), phase.length), std::move(stranger)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Indexes come and go all the time, or fail to: nothing else befalls the replicas.
void let_fail_to_come_and_go(Plan& plan, Random& random) {
  for (Phase& phase : plan.phases) {
    std::erase_if(phase.steps, is_fault([](FaultKind kind) { return damages(kind); }));
    for (Step& step : phase.steps) {
      Request* request = std::get_if<Request>(&step.what);
      if (request == nullptr || is_key_act(request->act) || !random.chance(0.3)) continue;
      request->act = random.chance(0.6) ? Act::kDrop : Act::kCreate;
      request->ids.clear();
      request->lifetime.reset();
    }
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      Fault curse;
      curse.kind = FaultKind::kCurse;
      curse.probability = 0.2 + 0.6 * random.unit();
      curse.handlers = 5 + static_cast<int>(random.below(30));
      phase.steps.push_back({between(random, Milliseconds(0), phase.length), std::move(curse)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Deletes are forgotten between the phases, and so are the bodies of the log; then disks are put
// back that are older.
void let_collect(Plan& plan, Random& random) {
  Phase& last = plan.phases.back();
  const auto of_node = std::ranges::find_if(last.steps, [](const Step& step) {
    const Fault* fault = std::get_if<Fault>(&step.what);
    return fault != nullptr && !fault->node.empty();
  });
  if (of_node == last.steps.end()) return;
  plan.tombstone_age_min = between(random, Milliseconds(100), Seconds(5));
  const std::string node = std::get<Fault>(of_node->what).node;
  std::erase_if(last.steps, is_fault([](FaultKind kind) { return kind == FaultKind::kSnapshot; }));
  Fault back;
  back.kind = FaultKind::kRestore;
  back.node = node;
  back.duration = between(random, Seconds(8), Seconds(40));
  last.steps.push_back({between(random, Milliseconds(0), last.length), back});
  Phase& first = plan.phases.front();
  for (const Step& step : last.steps) {
    const Fault* fault = std::get_if<Fault>(&step.what);
    if (fault == nullptr || fault->kind != FaultKind::kRestore) continue;
    Fault copy;
    copy.kind = FaultKind::kSnapshot;
    copy.node = fault->node;
    first.steps.push_back({between(random, Milliseconds(0), first.length), std::move(copy)});
  }
  std::ranges::stable_sort(first.steps, {}, &Step::at);
  std::ranges::stable_sort(last.steps, {}, &Step::at);
}

}  // namespace

bool is_key_act(Act act) { return act >= Act::kCreateKey; }

bool exchanges_names(Act act) { return act == Act::kSwap || act == Act::kRename; }

bool has_documents(Act act) { return act <= Act::kDeleteFilter; }

bool is_document_act(Act act) { return act <= Act::kClear; }

bool damages(FaultKind kind) {
  return kind >= FaultKind::kFailTasks && kind < FaultKind::kClientCancel;
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
  Plan plan;
  plan.seed = seed;
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
  const bool strange = std::ranges::any_of(plan.phases, [](const Phase& phase) {
    return std::ranges::any_of(phase.steps, is_fault([](FaultKind kind) {
                                 return kind == FaultKind::kStranger ||
                                        kind == FaultKind::kStrangeIndex;
                               }));
  });
  // Of a log that keeps little so many failures leave documents for a person.
  if (indexes.chance(0.1) && !plan.late_group && !plan.trims() && !strange &&
      faults.contains(FaultKind::kCurse))
    let_fail_to_come_and_go(plan, indexes);
  if (operators.chance(0.25) && faults.contains(FaultKind::kOperator)) let_operate(plan, operators);
  return plan;
}

std::string other_index(const std::string& index) { return index == "books" ? "films" : "books"; }

std::string node_name(int group, int place) {
  return std::string(1, static_cast<char>('a' + group)) + std::to_string(place);
}

}  // namespace miroir::sim
