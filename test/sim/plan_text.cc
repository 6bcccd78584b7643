// Plans in words.
#include <fmt/format.h>

#include <array>

#include "sim/plan.h"

namespace miroir::sim {
namespace {

std::string join(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  return all;
}

double seconds(Microseconds time) { return static_cast<double>(time.count()) / 1e6; }

}  // namespace

std::string_view name(FaultKind kind) {
  static constexpr std::array<std::string_view, kFaultKinds> kNames = {
      "crash",          "node-down",
      "node-full",      "cut",
      "network",        "store-full",
      "clock-step",     "curse",
      "fail-tasks",     "fail-index-tasks",
      "cancel-tasks",   "snapshot",
      "restore",        "wipe",
      "foreign-delete", "foreign-delete-task",
      "corrupt",        "remember",
      "put-back",       "put-back-task",
      "foreign-key",    "foreign-setting",
      "storm",          "store-snapshot",
      "store-back",     "store-lost",
      "late-group",     "stranger",
      "strange-index",  "client-cancel",
      "policy",         "operator",
      "node-clock",     "node-slow",
      "chore",          "everybody",
      "merged-corrupt", "merged-put-back",
      "tag-corrupt",    "drift-settings",
      "drift-drop",     "drift-lost",
      "drift-remake"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string describe(const Request& request) {
  static constexpr std::array<std::string_view, 14> kNames = {
      "POST",       "PUT",          "DELETE",     "delete-batch", "delete by filter",
      "delete all", "create index", "drop index", "settings",     "swap with other",
      "rename",     "create key",   "rename key", "delete key"};
  return fmt::format("{} {} [{}] {}{}", kNames[static_cast<std::size_t>(request.act)],
                     request.index, join(request.ids), request.value,
                     request.lifetime
                         ? fmt::format(" for {:.3f} s", seconds(Microseconds(*request.lifetime)))
                         : "");
}

std::string describe(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kCrash:
      return fmt::format("crash after {} handlers, away {:.3f} s", fault.handlers,
                         seconds(fault.duration));
    case FaultKind::kClockStep:
      return fmt::format("the wall clock is set {:.3f} s off", seconds(fault.duration));
    case FaultKind::kStoreSnapshot:
      return "Miroir's store is copied";
    case FaultKind::kStoreBack:
      return fmt::format("Miroir's store is replaced by its copy, in {:.3f} s",
                         seconds(fault.duration));
    case FaultKind::kLateGroup:
      return fmt::format("Miroir ends, and is back with another group in {:.3f} s",
                         seconds(fault.duration));
    case FaultKind::kStoreLost:
      return fmt::format("Miroir's store is lost, in {:.3f} s", seconds(fault.duration));
    case FaultKind::kStoreFull:
      return fmt::format("store full for {:.3f} s", seconds(fault.duration));
    case FaultKind::kCurse:
      return fmt::format("p={:.2f} of the next {} entries fail everywhere", fault.probability,
                         fault.handlers);
    case FaultKind::kStorm:
      return fmt::format("storm of {} on {} {}", fault.handlers, fault.node, fault.index);
    case FaultKind::kClientCancel:
      return fmt::format("a client cancels the newest {} open tasks", fault.handlers);
    case FaultKind::kStranger:
      return fmt::format("a stranger writes {}/{} on {}{}", fault.index, fault.id,
                         fault.node.empty() ? "its owners" : fault.node,
                         fault.handlers > 0 ? " by a task" : "");
    case FaultKind::kStrangeIndex:
      return fmt::format("a stranger makes the index {} on {}", fault.index, fault.node);
    case FaultKind::kPolicy:
      return fmt::format("{} is to be swept every {} s, {} documents at most (0: as others)",
                         fault.index, fault.duration / Seconds(1), fault.handlers);
    case FaultKind::kOperator:
      return fault.duration == Microseconds(0)
                 ? std::string("a dry run")
                 : fmt::format("passes are paused for {:.3f} s", seconds(fault.duration));
    case FaultKind::kNodeClock:
      return fmt::format("the clock of {} is set {:.3f} s off", fault.node,
                         seconds(fault.duration));
    case FaultKind::kNodeSlow:
      return fmt::format("{} is slow for {:.3f} s", fault.node, seconds(fault.duration));
    case FaultKind::kEverybody:
      return fault.handlers > 0 ? std::string("somebody deletes the finished tasks of every node")
                                : fmt::format("somebody sends every node tasks in {}", fault.index);
    case FaultKind::kChore:
      return fmt::format("{} {}", fault.node,
                         fault.handlers > 0 ? "has old tasks deleted" : "makes a snapshot");
    case FaultKind::kCancelTasks:
      return fmt::format("cancel-tasks {}", fault.node);
    case FaultKind::kDriftSettings:
    case FaultKind::kDriftDrop:
    case FaultKind::kDriftLost:
    case FaultKind::kDriftRemake:
      return fmt::format("{} {} {} {}", name(fault.kind), fault.node, fault.index, fault.handlers);
    case FaultKind::kForeignSetting:
      return fmt::format("foreign-setting {} {}", fault.node, fault.index);
    case FaultKind::kForeignKey:
      return fmt::format("foreign-key {} {}", fault.node, fault.handlers);
    case FaultKind::kNodeDown:
    case FaultKind::kNodeFull:
    case FaultKind::kCut:
    case FaultKind::kSnapshot:
    case FaultKind::kRestore:
    case FaultKind::kWipe:
      return fmt::format("{} {} for {:.3f} s", name(fault.kind), fault.node,
                         seconds(fault.duration));
    case FaultKind::kNetwork:
    case FaultKind::kFailTasks:
    case FaultKind::kFailIndexTasks:
      return fmt::format("{} {} p={:.2f} for {:.3f} s", name(fault.kind), fault.node,
                         fault.probability, seconds(fault.duration));
    default:
      return fmt::format("{} {} {}/{}", name(fault.kind), fault.node, fault.index, fault.id);
  }
}

std::string describe(const Plan& plan) {
  static constexpr std::array<std::string_view, 3> kForeign = {"report", "adopt", "remove"};
  std::string text = fmt::format(
      "seed {}: {} groups of {}, {} shards, light {:.1f} s, deep {:.1f} s, commits "
      "{:.1f} ms, foreign documents: {}, {} shards a pass, {} reads at once, windows of {} "
      "minutes in {}, ties {}, audit {:.1f} s, deletes {:.1f} s{}{}{}\n",
      plan.seed, plan.groups, plan.nodes_per_group, plan.shards, seconds(plan.light_interval),
      seconds(plan.deep_interval), 1'000 * seconds(plan.commit_max),
      kForeign[static_cast<std::size_t>(plan.foreign_documents)], plan.shards_per_pass,
      plan.max_read_concurrency, plan.window_minutes, plan.window_period,
      plan.tie == TieRule::kHash ? "broken by hash" : "left to a person",
      seconds(plan.audit_retention), seconds(plan.tombstone_age_min),
      plan.emit_ttl_deletes ? ", told of sweeps" : "",
      plan.emit_internal_writes ? ", told of what Miroir does itself" : "",
      plan.auto_repair ? "" : ", scheduled passes repair nothing");
  for (const Phase& phase : plan.phases) {
    text += fmt::format("phase of {:.1f} s\n", seconds(phase.length));
    for (const Step& step : phase.steps) {
      text += fmt::format("  {:9.3f}  {}\n", seconds(step.at),
                          std::visit([](const auto& what) { return describe(what); }, step.what));
    }
  }
  return text;
}

}  // namespace miroir::sim
