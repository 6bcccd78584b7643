#include "sim/draw_twists.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "sim/draw_request.h"

namespace miroir::sim {
namespace {

// Whether the newest copies tell all of it: what a task failed on, what content belongs to a stamp
// and whose a key is, a store that went back has forgotten.
bool newest_copies_tell(FaultKind kind) {
  switch (kind) {
    case FaultKind::kFailTasks:
    case FaultKind::kFailIndexTasks:  // a copy of the store may know of it, or not
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

}  // namespace

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
  if (kind == FaultKind::kStoreBack && random.chance(0.4))
    back.handlers = 7 + static_cast<int>(random.below(10));
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

// Scheduled deep passes may run in some minutes only.
void let_close(Plan& plan, Random& random) {
  plan.window_period = 3 + static_cast<std::uint32_t>(random.below(4));  // of which a day has many
  plan.window_minutes = 1 + static_cast<std::uint32_t>(random.below(plan.window_period - 1));
}

// Nodes answer late, and what their clocks show changes.
void let_lag(Plan& plan, Random& random, const FaultSet& faults) {
  for (Phase& phase : plan.phases) {
    for (std::uint64_t i = 1 + random.below(5); i > 0; --i) {
      Fault lag;
      lag.kind = random.chance(0.5) ? FaultKind::kNodeSlow : FaultKind::kNodeClock;
      int group = static_cast<int>(random.below(static_cast<std::uint64_t>(plan.groups)));
      // Who is slow counts as away: of others who is would be damaged too.
      if (plan.trims() && !plan.outages) group = phase.victims;
      const auto place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      lag.node = node_name(group, static_cast<int>(place));
      lag.duration = lag.kind == FaultKind::kNodeSlow
                         ? between(random, Seconds(1), Seconds(30))
                         : between(random, -std::chrono::hours(1), std::chrono::hours(1));
      const Microseconds when = between(random, Milliseconds(0), phase.length);
      if (faults.contains(lag.kind)) phase.steps.push_back({when, std::move(lag)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Nobody is left who is known to be right.
void let_everybody_be_written_to(Plan& plan, Random& random) {
  for (Phase& phase : plan.phases) {
    std::erase_if(phase.steps, is_fault([](FaultKind kind) { return damages(kind); }));
    Fault everybody;
    everybody.kind = FaultKind::kEverybody;
    everybody.index = draw_index(random);
    phase.steps.push_back({between(random, Milliseconds(0), phase.length), std::move(everybody)});
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Who runs the nodes looks after them.
void let_look_after(Plan& plan, Random& random, bool deletes) {
  for (Phase& phase : plan.phases) {
    for (Step& step : phase.steps) {
      Fault* fault = std::get_if<Fault>(&step.what);
      if (fault != nullptr && fault->kind == FaultKind::kEverybody)
        fault->handlers = static_cast<int>(random.below(2));
    }
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      Fault chore;
      chore.kind = FaultKind::kChore;
      const std::uint64_t group = random.below(static_cast<std::uint64_t>(plan.groups));
      const std::uint64_t place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      chore.node = node_name(static_cast<int>(group), static_cast<int>(place));
      chore.handlers = deletes ? static_cast<int>(random.below(2)) : 0;
      phase.steps.push_back({between(random, Milliseconds(0), phase.length), std::move(chore)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Nothing tells what the content of some documents ought to be.
void let_tie(Plan& plan, Random& random) {
  if (random.chance(0.5)) plan.tie = TieRule::kHash;
  for (Phase& phase : plan.phases) {
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      Fault fault;
      fault.kind = random.chance(0.5) ? FaultKind::kMergedCorrupt : FaultKind::kMergedPutBack;
      fault.index = draw_index(random);
      fault.id = draw_id(random, 'm');
      const auto place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      fault.node = node_name(phase.victims, static_cast<int>(place));
      const Microseconds when = between(random, Milliseconds(0), phase.length);
      if (fault.kind == FaultKind::kMergedPutBack) {
        Fault earlier = fault;
        earlier.kind = FaultKind::kRemember;
        phase.steps.push_back({between(random, Milliseconds(0), when), std::move(earlier)});
      }
      phase.steps.push_back({when, std::move(fault)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// And on some replicas they match other filters: what is deleted is what matches where that is
// asked. Of one that fails everywhere nobody sees what that was.
void let_tags_drift(Plan& plan, Random& random) {
  for (Phase& phase : plan.phases) {
    std::erase_if(phase.steps, is_fault([](FaultKind kind) { return kind == FaultKind::kCurse; }));
    for (std::uint64_t i = 1 + random.below(6); i > 0; --i) {
      Fault fault;
      fault.kind = FaultKind::kTagCorrupt;
      fault.index = draw_index(random);
      fault.id = draw_id(random, 'f');
      fault.handlers = static_cast<int>(random.below(kTags));
      const auto place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      fault.node = node_name(phase.victims, static_cast<int>(place));
      const Microseconds when = between(random, Milliseconds(0), phase.length);
      Request asked{Act::kDeleteFilter, fault.index, {}, "t" + std::to_string(random.below(kTags))};
      phase.steps.push_back({when, std::move(fault)});
      if (random.chance(0.5))
        phase.steps.push_back({when + between(random, Milliseconds(0), Seconds(5)), asked});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// Somebody who knows nothing of Miroir writes documents on the nodes. What was adopted and is put
// back with an old disk looks new (docs/deciding.md).
void let_strangers_write(Plan& plan, Random& random) {
  const bool disks_go_back = has_fault(
      plan, [](FaultKind kind) { return kind == FaultKind::kRestore || kind == FaultKind::kWipe; });
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

// Settings and indexes drift on one node. A delete by filter that such a node is asked for finds
// nothing where its index is gone.
void let_drift(Plan& plan, Random& random, const FaultSet& faults) {
  for (Phase& phase : plan.phases) {
    bool loses = false;
    for (std::uint64_t i = 1 + random.below(3); i > 0; --i) {
      Fault drift;
      drift.kind = static_cast<FaultKind>(static_cast<std::uint64_t>(FaultKind::kDriftSettings) +
                                          random.below(4));
      drift.index = draw_index(random);
      const auto place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      drift.node = node_name(phase.victims, static_cast<int>(place));
      drift.handlers = static_cast<int>(random.below(100));
      const Microseconds when = between(random, Milliseconds(0), phase.length);
      if (!faults.contains(drift.kind)) continue;
      loses = loses || drift.kind != FaultKind::kDriftSettings;
      phase.steps.push_back({when, std::move(drift)});
    }
    for (Step& step : phase.steps) {
      Request* request = std::get_if<Request>(&step.what);
      if (!loses || request == nullptr || request->act != Act::kDeleteFilter) continue;
      request->act = Act::kDeleteBatch;
      request->ids = {draw_id(random, 'f')};
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

// Deletes are forgotten soon, but no sooner than may be; copies from before them are put back until
// then. A clock that is set would make them older than they are.
void let_forget_deletes(Plan& plan, Random& random, const FaultSet& faults) {
  plan.tombstone_age_min = between(random, Seconds(8), Seconds(30));
  if (random.chance(0.5))
    plan.tombstone_retention = plan.tombstone_age_min + between(random, Seconds(0), Seconds(30));
  plan.deep_interval = between(random, Seconds(2), Seconds(6));
  for (Phase& phase : plan.phases) {
    std::erase_if(phase.steps,
                  is_fault([](FaultKind kind) { return kind == FaultKind::kClockStep; }));
    phase.length += between(random, Seconds(0), plan.tombstone_age_min);
    const std::uint64_t deletes = 1 + random.below(5);
    for (std::uint64_t i = 0; i < deletes; ++i) {
      Fault fault;
      fault.kind = FaultKind::kRemember;
      fault.index = draw_index(random);
      fault.id = draw_id(random, 'w');
      const auto place = random.below(static_cast<std::uint64_t>(plan.nodes_per_group));
      fault.node = node_name(phase.victims, static_cast<int>(place));
      const Microseconds within = plan.put_back_within();
      Microseconds when = between(random, Milliseconds(0), phase.length - within);
      Request write{Act::kReplace, fault.index, {fault.id}, ""};
      write.value = "d" + std::to_string(phase.steps.size());
      phase.steps.push_back({when, std::move(write)});
      when += Seconds(1);
      if (plan.outages || !faults.contains(FaultKind::kPutBack)) continue;
      phase.steps.push_back({when, fault});
      phase.steps.push_back({when + between(random, Milliseconds(0), Seconds(1)),
                             Request{Act::kDelete, fault.index, {fault.id}, ""}});
      fault.kind = FaultKind::kPutBack;
      phase.steps.push_back(
          {when + between(random, within / 4, within - Milliseconds(1)), std::move(fault)});
    }
    std::ranges::stable_sort(phase.steps, {}, &Step::at);
  }
}

// So that nobody looks while the node is away: its first answer must tell.
void let_disks_be_replaced_swiftly(Plan& plan, Random& random) {
  for (Phase& phase : plan.phases) {
    for (Step& step : phase.steps) {
      Fault* fault = std::get_if<Fault>(&step.what);
      const bool replaces = fault != nullptr &&
                            (fault->kind == FaultKind::kRestore || fault->kind == FaultKind::kWipe);
      if (replaces && random.chance(0.7))
        fault->duration =
            between(random, Milliseconds(0), random.chance(0.5) ? Milliseconds(100) : Seconds(8));
    }
  }
}

}  // namespace miroir::sim
