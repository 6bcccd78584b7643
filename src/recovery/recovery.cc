#include "recovery/recovery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/logging.h"
#include "cluster/entry_failures.h"
#include "cluster/history.h"
#include "cluster/state_reasons.h"
#include "meili/api_key.h"
#include "node_api/node_settings.h"

namespace miroir {
namespace {

constexpr Microseconds kInterval = Seconds(1);
constexpr Microseconds kRequestTimeout = Seconds(60);
constexpr std::size_t kPage = 1'000;
constexpr std::string_view kFilters = "filterableAttributes";
// The year 2255, and half of what can be written: no clock says so.
constexpr Stamp kStampEnd = Stamp{1} << 53;

Entry system_entry(EntryKind kind, Json arguments) {
  Entry entry;
  entry.origin = Origin::kSystem;
  entry.kind = kind;
  entry.arguments = std::move(arguments);
  return entry;
}

Entry adopted_index(const std::string& uid, const std::optional<std::string>& primary_key,
                    Json settings, const IndexState* replaced) {
  const std::string key = primary_key.value_or("");
  Entry entry = system_entry(EntryKind::kAdoptIndex,
                             Json::object({{"primaryKey", primary_key ? Json(key) : Json()},
                                           {"settings", settings_for_node(settings, Json(), key)},
                                           {"clientSettings", std::move(settings)}}));
  if (replaced != nullptr) entry.arguments.set("replaces", replaced->incarnation);
  entry.index_uid = uid;
  entry.primary_key = key;
  return entry;
}

// What an adopted index has, for all nodes: they had different versions of it.
Entry settings_for_all(const Entry& adopted) {
  Entry entry = system_entry(EntryKind::kUpdateSettings, adopted.arguments);
  entry.index_uid = adopted.index_uid;
  entry.primary_key = adopted.primary_key;
  return entry;
}

// Whether what failed there would have changed which documents the index has.
Async<Result<bool>> may_be_another(Log& log, const Taint& taint) {
  for (const Position position : taint.failed) {
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(log, position));
    if (entry == nullptr) co_return true;
    if (entry->kind == EntryKind::kUpdateSettings) continue;
    if (entry->kind != EntryKind::kCreateIndex) co_return true;
    MIROIR_CO_TRY(const auto failures, co_await log.failures(position));
    const auto failure = failures.find(taint.node);
    if (failure == failures.end() || is_error(failure->second, "index_already_exists"))
      co_return true;  // it may be this node's older one
  }
  co_return false;
}

}  // namespace

Async<Result<Recovery::Doubts>> Recovery::doubts() const {
  Doubts doubts;
  for (const Taint& taint : log_.index_taints()) {
    MIROIR_CO_TRY(auto names, co_await names_not_taken_away(log_, taint));
    if (const IndexState* index = log_.catalogue().by_incarnation(taint.incarnation))
      names.insert(index->uid);
    MIROIR_CO_TRY(const bool another, co_await may_be_another(log_, taint));
    const bool named = taint.newest() != Taint::kUnnamed;
    for (const std::string& name : names) {
      std::set<Position>& failed = doubts[{taint.node, name}];
      if (another) failed.insert(named ? taint.newest() : log_.head());
    }
  }
  co_return doubts;
}

// Nothing but comparing it as a whole ends this. Who failed to make the index or to set it has what
// was taken over, and is healed as anybody else.
Async<Result<void>> Recovery::keep(Doubts doubts) {
  std::vector<Taint> kept;
  std::vector<Taint> ended;
  for (const auto& [where, failed] : doubts) {
    const auto& [node, name] = where;
    const IndexState* index = log_.catalogue().index(name);
    if (index == nullptr) continue;
    const auto taint = log_.taint(index->incarnation, "", node);
    if (failed.empty()) {
      if (taint && taint->newest() < index->incarnation) ended.push_back(*taint);
    } else if (!taint || !std::ranges::includes(taint->failed, failed)) {
      kept.push_back({index->incarnation, "", node, {Taint::kUnnamed, *failed.rbegin()}});
    }
  }
  MIROIR_CO_CHECK(co_await log_.clear_taints(std::move(ended)));
  if (kept.empty()) co_return Result<void>();
  co_return co_await log_.add_taints(std::move(kept), log_.head());
}

std::vector<const Recovery::NodeHolds*> Recovery::holders(const std::string& uid,
                                                          const std::vector<NodeHolds>& nodes) {
  std::vector<const NodeHolds*> holders;
  for (const bool in_doubt : {false, true}) {
    for (const NodeHolds& node : nodes)
      if (node.holds(uid) && node.in_doubt.contains(uid) == in_doubt) holders.push_back(&node);
  }
  return holders;
}

// A node that missed the index's creation, or what is written into it, knows none.
std::optional<std::string> Recovery::primary_key_of(const std::string& uid,
                                                    const std::vector<const NodeHolds*>& nodes) {
  for (const NodeHolds* holds : nodes) {
    for (const NodeIndex& index : holds->indexes)
      if (index.uid == uid && index.primary_key) return index.primary_key;
  }
  return std::nullopt;
}

Async<void> Recovery::run() {
  for (;;) {
    if (awaiting_recovery(cluster_).empty()) fence_ = 0;
    if (auto done = co_await set_empty_aside(awaiting_recovery(cluster_)); !done)
      log_warning("recovery waits", {{"error", done.error().message}});
    if (const std::set<std::string> waiting = ready_nodes(); !waiting.empty()) {
      if (auto done = co_await recover(waiting); !done)
        log_warning("recovery waits", {{"error", done.error().message}});
    }
    co_await clock_.sleep_for(kInterval);
  }
}

Instant Recovery::deadline() const { return clock_.now() + kRequestTimeout; }

std::set<std::string> Recovery::ready_nodes() const {
  for (const NodeConfig& node : cluster_.topology().nodes()) {
    const NodeStatus status = cluster_.status(node.id);
    if (!status.healthy || status.stopped || status.done < fence_) return {};
  }
  return awaiting_recovery(cluster_);
}

// The log was lost together with a node's disk: by that log the empty node is all that it should
// be. Whoever lacks an index that a waiting node holds is neither read nor a source.
Async<Result<void>> Recovery::set_empty_aside(std::set<std::string> waiting) {
  if (waiting.empty()) co_return Result<void>();
  MIROIR_CO_TRY(const Doubts in_doubt, co_await doubts());
  std::set<std::string> held;
  for (const std::string& node : waiting) {
    if (!cluster_.status(node).healthy) continue;
    MIROIR_CO_TRY(const auto indexes, co_await cluster_.client(node).indexes(deadline()));
    for (const NodeIndex& index : indexes)
      if (!in_doubt.contains({node, index.uid})) held.insert(index.uid);
  }
  for (const NodeConfig& node : cluster_.topology().nodes()) {
    if (held.empty() || !cluster_.readable(node.id)) continue;
    MIROIR_CO_TRY(const auto indexes, co_await cluster_.client(node.id).indexes(deadline()));
    MIROIR_CO_CHECK(co_await set_aside_if_lacking(node.id, held, indexes));
  }
  co_return Result<void>();
}

Async<Result<void>> Recovery::set_aside_if_lacking(std::string node, std::set<std::string> held,
                                                   std::vector<NodeIndex> indexes) {
  for (const NodeIndex& index : indexes) held.erase(index.uid);
  // What the log knows it may have yet to make.
  std::erase_if(held, [this](const std::string& uid) { return log_.catalogue().index(uid); });
  if (held.empty()) co_return Result<void>();
  co_return co_await cluster_.set_state(
      std::move(node), ReplicaState::kStale,
      std::string(kLacksIndex) + *held.begin() + ", which the log forgot and others hold");
}

// Only an entry that reaches the node does that: this one deletes its own task, which has not
// ended, and so nothing.
Async<Result<void>> Recovery::fence() {
  const auto judge = [this](const Catalogue&, Position next) {
    std::vector<Entry> entries;
    for (const NodeConfig& node : cluster_.topology().nodes()) {
      entries.push_back(system_entry(EntryKind::kForgetNodeTasks,
                                     Json::object({{"first", next}, {"before", next + 1}})));
      entries.back().target = node.id;
      ++next;
    }
    return Result<std::vector<Entry>>(std::move(entries));
  };
  // Nothing is trimmed for nodes that wait: a full log becomes emptier only by recovery.
  MIROIR_CO_TRY(const auto appended, co_await log_.append(judge, WhenFull::kTake));
  fence_ = appended.back().position;
  co_return Result<void>();
}

Async<Result<void>> Recovery::recover(std::set<std::string> waiting) {
  if (fence_ == 0) co_return co_await fence();
  std::map<std::string, NodeHolds> nodes;
  for (const NodeConfig& node : cluster_.topology().nodes()) {
    MIROIR_CO_TRY(nodes[node.id], co_await read(node.id));
  }
  MIROIR_CO_TRY(const Doubts in_doubt, co_await doubts());
  for (const auto& [where, failed] : in_doubt)
    if (nodes.contains(where.first)) nodes[where.first].in_doubt.insert(where.second);
  // All of them were read: those too that did not answer before.
  std::set<std::string> held;
  for (const std::string& node : waiting) {
    for (const NodeIndex& index : nodes.at(node).indexes)
      if (!in_doubt.contains({node, index.uid})) held.insert(index.uid);
  }
  for (const auto& [node, holds] : nodes) {
    if (cluster_.status(node).state == ReplicaState::kInSync)
      MIROIR_CO_CHECK(co_await set_aside_if_lacking(node, held, holds.indexes));
  }
  std::vector<NodeHolds> sources;
  std::vector<NodeHolds> others;
  for (auto& [node, holds] : nodes)
    (is_source(cluster_.status(node), waiting.contains(node)) ? sources : others)
        .push_back(std::move(holds));
  if (sources.empty()) std::swap(sources, others);
  std::string adopted;
  const auto judge = [&](const Catalogue& catalogue, Position) {
    auto entries = adopt(catalogue, sources, others);
    for (const Entry& entry : *entries) {
      if (entry.kind == EntryKind::kAdoptIndex)
        adopted += (adopted.empty() ? "" : ", ") + entry.index_uid;
    }
    return entries;
  };
  MIROIR_CO_CHECK(co_await log_.take_back(judge));
  MIROIR_CO_CHECK(co_await keep(in_doubt));
  MIROIR_CO_CHECK(co_await take(std::move(waiting)));

  log_warning("recovered: the nodes were ahead of the log, and are taken as they are",
              {{"indexes", adopted}, {"position", log_.head()}});
  co_return Result<void>();
}

bool Recovery::is_behind(const NodeStatus& status) {
  return status.state_why.starts_with(kLogWentBackBehind) ||
         status.state_why.starts_with(kLacksIndex);
}

bool Recovery::is_source(const NodeStatus& status, bool waits) {
  if (status.state == ReplicaState::kInSync) return true;
  return waits && may_await_recovery(status.state_why) && !is_behind(status);
}

// By what is known of them now: something may have befallen one while all were read. All at once:
// that some are to be taken at all, others tell.
Async<Result<void>> Recovery::take(std::set<std::string> waiting) {
  std::map<std::string, Cluster::NewState> taken;
  std::set<std::string> sources;
  std::set<std::string> behind;
  std::set<std::string> empty;
  for (const NodeConfig& node : cluster_.topology().nodes()) {
    const NodeStatus status = cluster_.status(node.id);
    if (status.state == ReplicaState::kInSync) continue;
    if (is_behind(status)) {
      behind.insert(node.id);
    } else if (status.state_why == kBroughtUp) {
      empty.insert(node.id);
    } else if (is_source(status, waiting.contains(node.id))) {
      sources.insert(node.id);
    }
  }
  for (const std::string& node : sources) taken[node] = {ReplicaState::kInSync, ""};
  for (const std::string& node : behind) {
    const Cluster::NewState not_taken{cluster_.status(node).state, std::string(kNotTaken)};
    taken[node] = taken_behind(node, sources).value_or(not_taken);
  }
  // Of a shard whose owners lost their disks with the log nothing is left but what came since.
  sources.merge(behind);
  for (const std::string& node : empty)
    if (auto state = taken_behind(node, sources)) taken[node] = std::move(*state);
  co_return co_await cluster_.set_states(std::move(taken));
}

// In the shards that have nobody else.
std::optional<Cluster::NewState> Recovery::taken_behind(
    const std::string& node, const std::set<std::string>& sources) const {
  std::set<ShardId> alone = cluster_.shards_without_source(node, sources);
  if (alone.empty()) return std::nullopt;
  if (alone.size() == cluster_.topology().shards_of(node).size())
    return Cluster::NewState{ReplicaState::kInSync, "", std::move(alone)};
  return Cluster::NewState{ReplicaState::kStale, std::string(kTakenForSome), std::move(alone)};
}

Async<Result<Recovery::NodeHolds>> Recovery::read(std::string node) {
  NodeClient& client = cluster_.client(node);
  MIROIR_CO_CHECK(co_await await_nothing(node));
  NodeHolds holds;
  MIROIR_CO_TRY(holds.indexes, co_await client.indexes(deadline()));
  for (const NodeIndex& index : holds.indexes) {
    MIROIR_CO_TRY(holds.settings[index.uid], co_await client.settings(index.uid, deadline()));
    MIROIR_CO_TRY(const Stamp newest, co_await newest_stamp(node, index));
    holds.newest = std::max(holds.newest, newest);
  }
  MIROIR_CO_TRY(const std::vector<Json> keys, co_await client.keys(deadline()));
  for (const Json& key : keys) {
    if (const Json* uid = key.find("uid"); uid != nullptr && uid->is_string())
      holds.keys.emplace(uid->as_string(), key);
  }
  MIROIR_CO_CHECK(co_await cluster_.verify(node, deadline()));
  co_return holds;
}

// A node may still have before it what the log forgot: nobody watches those tasks, and what they
// will have made is not there to be read. Beyond the fence all are ours, and of documents only.
Async<Result<void>> Recovery::await_nothing(std::string node) {
  const std::int64_t last = static_cast<std::int64_t>(fence_) + cluster_.progress(node).offset;
  MIROIR_CO_TRY(const bool ended,
                co_await newest_tasks_ended(cluster_.client(node), deadline(), last));
  if (!ended)
    co_return fail(ErrorCode::kUnavailable, "node " + node + " has tasks that have not ended");
  co_return Result<void>();
}

// Clocks jump: stamps go on above those that are there already, but for those that are not what was
// written: their digest tells.
Async<Result<Stamp>> Recovery::newest_stamp(std::string node, NodeIndex index) {
  Stamp newest = 0;
  if (!index.primary_key) co_return newest;
  std::size_t damaged = 0;  // that many first ones are
  for (;;) {
    // What was written meanwhile is not above it; between two pages what they skip would move.
    if (damaged == 0) newest = std::max(newest, log_.head_stamp());
    DocumentQuery query;
    query.index_uid = index.uid;
    query.filter = Json(names_.updated_at + " > \"" + encode_stamp(newest) + "\"");
    query.fields = {*index.primary_key, names_.updated_at};
    query.fields.insert(query.fields.end(), kDigestFields.begin(), kDigestFields.end());
    query.limit = kPage;
    query.offset = damaged;
    auto page = co_await cluster_.client(node).documents(std::move(query), deadline());
    // Not by our settings: nothing in it is ours.
    if (!page && page.error().code == ErrorCode::kInvalid) co_return newest;
    MIROIR_CO_CHECK(page);
    const Stamp before = newest;
    const bool last_page = page->documents.size() < kPage;
    for (std::string& text : page->documents) {
      MIROIR_CO_TRY(const DocumentCopy copy,
                    parse_copy(std::move(text), *index.primary_key, names_));
      const Stamp stamp = copy.stored.stamp.value_or(0);
      if (stamp < kStampEnd && copy.stored.digest == digest_of(copy.id, stamp)) {
        newest = std::max(newest, stamp);
      } else {
        log_warning("recovery does not believe a stamp",
                    {{"node", node}, {"index", index.uid}, {"id", copy.id}});
      }
    }
    damaged = newest == before ? damaged + kPage : 0;
    if (newest == before && last_page) co_return newest;
  }
}

// Entries that make the catalogue what the nodes hold. An index that several nodes hold is taken
// with the settings of the first, of the sources before others, and last of those where it is in
// doubt; where only these hold one that was dropped, it is left to them. One that none holds stays,
// and is made again, empty. One that no source holds, and the log knows, keeps its settings: who is
// behind may have missed them.
Result<std::vector<Entry>> Recovery::adopt(const Catalogue& catalogue,
                                           const std::vector<NodeHolds>& sources,
                                           const std::vector<NodeHolds>& others) const {
  std::vector<NodeHolds> nodes = sources;
  nodes.insert(nodes.end(), others.begin(), others.end());
  std::vector<Entry> entries;
  std::set<std::string> adopted;
  Stamp newest = 0;
  for (const NodeHolds& holds : nodes) {
    newest = std::max(newest, holds.newest);
    for (const NodeIndex& index : holds.indexes) {
      if (!adopted.insert(index.uid).second) continue;
      const IndexState* known = catalogue.index(index.uid);
      const auto held = holders(index.uid, nodes);
      const bool dropped = std::ranges::any_of(sources, [&](const NodeHolds& source) {
        return !source.holds(index.uid) && !source.in_doubt.contains(index.uid);
      });
      if (known == nullptr && dropped && held.front()->in_doubt.contains(index.uid)) continue;
      const Json& taken = held.front()->settings.at(index.uid);
      const auto key = primary_key_of(index.uid, held);
      const bool missed = std::ranges::none_of(
          sources, [&](const NodeHolds& source) { return source.holds(index.uid); });
      const bool keeps = known != nullptr && missed;
      Json settings = keeps ? known->settings
                            : settings_from_node(taken, key.value_or(""),
                                                 known == nullptr ? Json() : known->settings);
      entries.push_back(adopted_index(index.uid, key, std::move(settings), known));
      const bool alike = std::ranges::all_of(nodes, [&](const NodeHolds& other) {
        const auto theirs = other.settings.find(index.uid);
        return theirs != other.settings.end() && theirs->second == taken;
      });
      // One that documents made again, after a drop which the log forgot, is without our rules.
      const Json* rules = taken.find(kFilters);
      const bool ours =
          rules != nullptr && *rules == *entries.back().arguments.find("settings")->find(kFilters);
      if (keeps || !alike || !ours) entries.push_back(settings_for_all(entries.back()));
    }
  }
  for (const auto& [uid, index] : catalogue.indexes()) {
    if (adopted.contains(uid)) continue;
    entries.push_back(adopted_index(uid, index.primary_key, index.settings, &index));
    entries.push_back(settings_for_all(entries.back()));
  }
  // Keys that every source holds are clients'; a node's own default keys are only its own.
  for (const auto& [uid, key] : sources.front().keys) {
    const bool everywhere = std::ranges::all_of(
        sources, [&](const NodeHolds& node) { return node.keys.contains(uid); });
    if (!everywhere) continue;
    const KeyState* known = catalogue.key(uid);
    const auto all = [&](const auto& same) {
      return std::ranges::all_of(
          sources, [&](const NodeHolds& node) { return same(node.keys.at(uid), key); });
    };
    // Other rights has only one that was deleted and made again.
    const bool taken = known == nullptr ||
                       (all(meili::same_rights) && !meili::same_rights(known->key, key)) ||
                       (all(meili::same_key) && !meili::same_key(known->key, key));
    if (!taken) continue;
    entries.push_back(system_entry(EntryKind::kPutKey, key));
    entries.back().arguments.erase("key");  // the secret, which is computed
  }
  for (const auto& [uid, key] : catalogue.keys()) {
    const bool nowhere =
        std::ranges::none_of(nodes, [&](const NodeHolds& node) { return node.keys.contains(uid); });
    if (nowhere)
      entries.push_back(system_entry(EntryKind::kDeleteKey, Json::object({{"uid", uid}})));
  }
  if (entries.empty()) entries.push_back(system_entry(EntryKind::kTaskOperation, Json::object()));
  entries.front().stamp = newest + 1;
  return entries;
}

}  // namespace miroir
