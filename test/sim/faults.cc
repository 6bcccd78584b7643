// What befalls the nodes, the network, the clock and Miroir.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/on_node.h"
#include "sim/world.h"

namespace miroir::sim {
namespace {

bool keeps_a_node_away(FaultKind kind) {
  return kind == FaultKind::kNodeDown || kind == FaultKind::kNodeFull || kind == FaultKind::kCut ||
         kind == FaultKind::kNetwork || kind == FaultKind::kNodeSlow;
}

}  // namespace

void World::take_down(const std::string& node, Microseconds for_so_long) {
  Instant& until = down_until_[node];
  until = std::max(until, clock_.now() + for_so_long);
  nodes_[node]->catch_up();
  nodes_[node]->options().down = true;
  later(for_so_long, [this, node] {
    if (!nodes_[node]->options().down || clock_.now() < down_until_[node]) return;
    // What was on its way to the old process is lost with its connections.
    nodes_[node]->catch_up();
    nodes_[node]->drop_late_requests();
    nodes_[node]->options().down = false;
    say(node + " is up");
  });
}

void World::fail_tasks(const Fault& fault) {
  damaged_ += kAllDocuments;
  const bool documents = fault.kind == FaultKind::kFailTasks;
  auto dice = std::make_shared<Random>(random_.next());
  const std::string node = fault.node;
  nodes_[node]->catch_up();
  nodes_[node]->fail_tasks([this, dice, documents, node, probability = fault.probability](
                               const NodeTask& task) -> std::optional<std::string> {
    if (task.type.starts_with("document") != documents) return std::nullopt;
    if (task.type == "taskDeletion" || !dice->chance(probability)) return std::nullopt;
    say(fmt::format("{} fails task {} ({})", node, task.uid, task.type));
    return "internal";
  });
  later(fault.duration, [this, node] {
    nodes_[node]->catch_up();
    nodes_[node]->fail_tasks({});
  });
}

// Whatever is sent already has a number below these. Where replicas are damaged too, only one: of
// several failures of one document it is not remembered which of them were everywhere.
void World::curse(const Fault& fault) {
  const bool one =
      std::ranges::any_of(plan_.phases, [](const Phase& phase) { return damages(phase); });
  for (int i = 1; i <= fault.handlers; ++i) {
    if (one && !cursed_.empty()) return;
    if (random_.chance(fault.probability))
      cursed_.insert(ledger_.head() + static_cast<Position>(i));
  }
}

// Its content, or when it expires: that only comes earlier, for of two the later one wins.
// What strangers wrote has no stamp to be under.
bool World::corrupt(SimulatedNode& node, const Fault& fault) {
  const bool content = !plan_.sweep_interval || random_.chance(0.5);
  if (!is_stamped(node, fault)) return false;
  if (content) return node.corrupt(fault.index, fault.id, "v", "corrupt");
  const std::string now = encode_expiry(milliseconds());
  const Json* expires = document_on(node, fault)->find(kExpiresAt);
  if (expires != nullptr && expires->is_string() && expires->as_string() <= now) return false;
  return node.corrupt(fault.index, fault.id, std::string(kExpiresAt), now);
}

void World::touch_key(const Fault& fault) {
  SimulatedNode& node = *nodes_[fault.node];
  const auto dice = static_cast<std::size_t>(fault.handlers);
  if (node.disk().keys.empty()) return;
  const auto chosen = std::next(node.disk().keys.begin(),
                                static_cast<std::ptrdiff_t>(dice % node.disk().keys.size()));
  if (dice % 2 == 0) {
    node.delete_key(std::string(chosen->first));
  } else {
    node.put_key(Json::object({{"uid", chosen->first}, {"name", "foreign"}}));
  }
}

void World::put_back(const Fault& fault, bool by_task) {
  SimulatedNode& node = *nodes_[fault.node];
  const auto found = remembered_.find(fault.node + "/" + fault.index + "/" + fault.id);
  if (found == remembered_.end() || !node.disk().indexes.contains(fault.index) ||
      has_other_key(node, fault.index) ||
      clock_.now() - found->second.at >= plan_.put_back_within())
    return;
  // Under its name there may be the other index by now, in which it never was; and what a store
  // that was lost knew of its deletion, nobody does any more.
  if (names_changed_ || in_recovery()) return;
  ++damaged_;
  witness_.damaged(clock_.now() + plan_.task_delay_max);
  // Behind a drop it would make an index that Miroir does not know: reported, and a person's.
  if (by_task && is_being_dropped(node, fault.index)) return;
  if (!by_task) {
    node.write_directly(fault.index, fault.id, found->second.document);
    return;
  }
  write_by_task(node, fault.index, "id", found->second.document);
}

// In between clients make the index anew: what comes back is of another life.
void World::put_back_later(const Fault& fault) {
  begin(Request{Act::kDrop, fault.index, {}, ""});
  Request rebirth{Act::kReplace, fault.index, {"w0", "w1"}, ""};
  std::erase(rebirth.ids, fault.id);
  rebirth.value = "s" + std::to_string(operations_.size());
  begin(rebirth);
  later(Seconds(3), [this, fault] {
    nodes_[fault.node]->catch_up();
    put_back(fault, false);
  });
}

void World::cancel_newest(int count) {
  if (!process_ || !process_->ready() || in_recovery()) return;
  std::vector<Position> tasks;
  for (auto entry = ledger_.entries().rbegin(); entry != ledger_.entries().rend() && count > 0;
       ++entry) {
    const bool of_client = !entry->second->task_type.empty() && !entry->second->born_failed &&
                           entry->second->kind != EntryKind::kTaskOperation;
    if (!of_client || ledger_.end_of(entry->second->task) != nullptr) continue;
    tasks.push_back(entry->second->task);
    --count;
  }
  asked_to_cancel_.insert(tasks.begin(), tasks.end());
  process_->cancel(std::move(tasks));
}

void World::begin(const Fault& fault) {
  // What only one holds is lost with it, until the nodes are equal.
  if (damages(fault.kind) && in_recovery()) return;
  // Of a log that keeps little who is away would miss entries before it has caught up with the
  // recovery: that is left to a person (docs/deciding.md).
  if (keeps_a_node_away(fault.kind) && (needs_all_nodes() || (plan_.trims() && in_recovery())))
    return;
  if (!fault.node.empty() && !nodes_.contains(fault.node)) return;  // of a group to come
  SimulatedNode* node = fault.node.empty() ? nullptr : nodes_.at(fault.node).get();
  if (node != nullptr) node->catch_up();
  say(describe(fault));
  if (damages(fault.kind)) witness_.damaged(clock_.now() + plan_.task_delay_max);
  const std::string place = fault.node + "/" + fault.index + "/" + fault.id;
  switch (fault.kind) {
    case FaultKind::kCrash:
      handlers_to_crash_ = fault.handlers;
      away_after_crash_ = fault.duration;
      break;
    case FaultKind::kNodeDown:
      take_down(fault.node, fault.duration);
      break;
    case FaultKind::kNodeFull:
      node->options().full = true;
      later(fault.duration, [node] { node->options().full = false; });
      break;
    case FaultKind::kCurse:
      curse(fault);
      break;
    case FaultKind::kForeignKey:
      touch_key(fault);
      break;
    case FaultKind::kForeignSetting:
      node->set_directly(fault.index, "stopWords", Json::array({"foreign"}));
      break;
    case FaultKind::kCancelTasks:
      damaged_ += kAllDocuments;
      node->cancel_tasks();
      break;
    case FaultKind::kStorm:
      gather_storm(fault);
      break;
    case FaultKind::kCut:
      networks_[fault.node].cut = true;
      later(fault.duration, [this, id = fault.node] { networks_[id].cut = false; });
      break;
    case FaultKind::kNetwork: {
      SimulatedNetwork& network = networks_[fault.node];
      for (double* rate : {&network.lose_request, &network.lose_answer, &network.delay_request,
                           &network.duplicate, &network.refuse})
        *rate = random_.chance(0.5) ? fault.probability * random_.unit() : 0;
      later(fault.duration, [this, id = fault.node] { networks_[id] = {}; });
      break;
    }
    case FaultKind::kStoreFull:
      store_.fill_disk(true);
      later(fault.duration, [this] { store_.fill_disk(false); });
      break;
    case FaultKind::kStoreSnapshot:
      store_copy_ = store_.snapshot();
      sweep_witness_.store_copied();
      audit_witness_.store_copied();
      disk_witness_.store_copied();
      break;
    case FaultKind::kStoreBack:
      if (store_copy_ && store_goes_back(*store_copy_)) die_before_nodes_tell(fault);
      break;
    case FaultKind::kStoreLost:
      if (store_goes_back({})) crash(fault.duration);
      break;
    case FaultKind::kLateGroup:
      add_group(fault.duration);
      break;
    case FaultKind::kClientCancel:
      cancel_newest(fault.handlers);
      break;
    case FaultKind::kStranger:
      write_as_stranger(fault);
      break;
    case FaultKind::kStrangeIndex:
      make_index_as_stranger(fault);
      break;
    case FaultKind::kDriftSettings:
    case FaultKind::kDriftDrop:
    case FaultKind::kDriftLost:
    case FaultKind::kDriftRemake:
      drift(fault);
      break;
    case FaultKind::kPolicy:
      say_policy(fault);
      break;
    case FaultKind::kNodeClock:
      node->options().clock_offset = fault.duration;
      break;
    case FaultKind::kNodeSlow:
      networks_[fault.node].latency_min = Milliseconds(50);
      networks_[fault.node].latency_max = Seconds(2);
      later(fault.duration, [this, id = fault.node] { networks_[id] = {}; });
      break;
    case FaultKind::kChore:
      if (fault.handlers == 0) node->make_task("snapshotCreation");
      if (fault.handlers > 0) delete_tasks(fault.node, false);
      break;
    case FaultKind::kEverybody:
      disturb_everybody(fault);
      break;
    case FaultKind::kMergedCorrupt:
      if (!is_stamped(*node, fault) || !node->corrupt(fault.index, fault.id, "v", "corrupt")) break;
      ++damaged_;
      doubtful_.insert(fault.id);
      break;
    case FaultKind::kMergedPutBack:
      doubtful_.insert(fault.id);
      put_back(fault, false);
      break;
    case FaultKind::kTagCorrupt: {
      const std::string tag = "t" + std::to_string(fault.handlers);
      if (!is_stamped(*node, fault) || !node->corrupt(fault.index, fault.id, "tag", tag)) break;
      ++damaged_;
      drifted_tags_[fault.id].insert(tag);
      break;
    }
    case FaultKind::kOperator:
      operate(fault);
      break;
    case FaultKind::kClockStep:
      set_clock(fault.duration);
      break;
    case FaultKind::kFailTasks:
    case FaultKind::kFailIndexTasks:
      fail_tasks(fault);
      break;
    case FaultKind::kSnapshot:
      snapshots_[fault.node] = node->snapshot();
      break;
    case FaultKind::kRestore:
    case FaultKind::kWipe:
      damaged_ += kAllDocuments;
      take_down(fault.node, fault.duration);
      // A task that such a disk runs once more ends as it did: by its number and its time nobody
      // could tell that it did not (DESIGN.md, invariant 10).
      node->fail_tasks({});
      node->restore(fault.kind == FaultKind::kWipe ? SimulatedNode::Disk{}
                                                   : snapshots_[fault.node]);
      for (const auto& [uid, index] : node->disk().indexes) put_back_.insert({fault.node, uid});
      break;
    case FaultKind::kForeignDelete:
      // Made by a PUT alone, and merged into again once it is gone here: two copies without a base,
      // which nothing tells apart (DESIGN.md, "Deciding").
      if (fault.id[0] == 'm' && !has_base(*node, fault)) break;
      ++damaged_;
      node->delete_directly(fault.index, fault.id);
      break;
    case FaultKind::kForeignDeleteTask:
      ++damaged_;
      (void)node->enqueue(DeleteDocuments{fault.index, {fault.id}}, std::nullopt, "");
      break;
    case FaultKind::kCorrupt:
      damaged_ += corrupt(*node, fault) ? 1 : 0;
      break;
    case FaultKind::kRemember:
      if (is_stamped(*node, fault)) remembered_[place] = {*document_on(*node, fault), clock_.now()};
      break;
    case FaultKind::kPutBack:
    case FaultKind::kPutBackTask:
      if (remembered_.contains(place) && random_.chance(0.2)) {
        put_back_later(fault);
        break;
      }
      put_back(fault, fault.kind == FaultKind::kPutBackTask);
      break;
  }
}

}  // namespace miroir::sim
