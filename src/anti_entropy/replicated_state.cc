#include "anti_entropy/replicated_state.h"

#include <algorithm>
#include <iterator>

#include "anti_entropy/audit.h"
#include "anti_entropy/doubt.h"
#include "anti_entropy/refused_settings.h"
#include "anti_entropy/settings_readback.h"
#include "anti_entropy/sweep.h"
#include "cluster/entry_failures.h"
#include "cluster/present_taints.h"
#include "forward/plan.h"

namespace miroir::anti_entropy {
namespace {

// How often the reading is repeated when the catalogue changes under it.
constexpr int kAttemptsMax = 5;

struct NodeReading {
  std::string node;
  Result<NodeState> state;
};

Async<NodeReading> read_state(const Tools& tools, std::string node, std::vector<std::string> uids) {
  auto permit = co_await tools.reads.acquire();
  NodeClient& client = tools.cluster.client(node);
  auto deadline = [&] { return tools.clock.now() + kReadTimeout; };
  NodeState state;
  auto indexes = co_await client.indexes(deadline());
  if (!indexes) co_return NodeReading{node, std::unexpected(indexes.error())};
  for (NodeIndex& index : *indexes) state.indexes.emplace(index.uid, std::move(index));
  for (const std::string& uid : uids) {
    if (!state.indexes.contains(uid)) continue;
    auto settings = co_await client.settings(uid, deadline());
    if (!settings && settings.error().code == ErrorCode::kNotFound) continue;
    if (!settings) co_return NodeReading{node, std::unexpected(settings.error())};
    state.settings.emplace(uid, std::move(*settings));
    const IndexState* known = tools.log.catalogue().index(uid);
    const auto& key = state.indexes.at(uid).primary_key;
    if (known == nullptr || !key || key == known->primary_key) continue;
    auto holds = co_await holdings(client, uid, tools.options.names, deadline());
    if (!holds) co_return NodeReading{node, std::unexpected(holds.error())};
    state.holds.emplace(uid, *holds);
  }
  auto keys = co_await client.keys(deadline());
  if (!keys) co_return NodeReading{node, std::unexpected(keys.error())};
  for (Json& key : *keys) {
    if (const Json* uid = key.find("uid"); uid != nullptr && uid->is_string()) {
      state.keys.emplace(uid->as_string(), key);
    }
  }
  co_return NodeReading{node, std::move(state)};
}

struct Snapshot {
  Position head = 0;
  Catalogue catalogue;
  std::map<std::string, NodeState> nodes;
  Expectations expected;
  std::vector<StateDifference> differences;
};

// Whether all that failed is seen in what the node reads back.
Async<Result<bool>> all_is_read_back(const Tools& tools, Taint taint) {
  for (const Position position : taint.failed) {
    if (position == Taint::kUnnamed) co_return false;
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(tools.log, position));
    if (entry == nullptr || !is_read_back(*entry)) co_return false;
  }
  co_return true;
}

Async<Result<NamesOnNodes>> names_left(const Tools& tools, const Catalogue& catalogue) {
  NamesOnNodes left;
  for (const Taint& taint : present_index_taints(tools.log, tools.cluster.topology())) {
    MIROIR_CO_TRY(const auto names, co_await names_not_taken_away(tools.log, taint));
    for (const std::string& name : names)
      if (catalogue.index(name) == nullptr) left.emplace(taint.node, name);
  }
  co_return left;
}

// Whether it is not known yet that a node dropped it: all others may fail to.
Async<Result<bool>> may_come_back(const Tools& tools, const Catalogue& catalogue,
                                  Position incarnation) {
  const auto dropped = catalogue.dropped().find(incarnation);
  if (dropped == catalogue.dropped().end()) co_return false;
  MIROIR_CO_TRY(const auto failures,
                co_await EntryFailures::of(tools.log, tools.cluster, dropped->second.dropped_at));
  const auto shards = Sweep::all(tools.cluster.topology().shard_count());
  co_return std::ranges::none_of(shards, [&failures](ShardId shard) {
    return failures.fate(shard) == EntryFailures::Fate::kHappened;
  });
}

// What an index that is, or may be again, may be called where nobody could give its documents
// again. Where not all that failed is named, that is any name of what was `left` there.
Async<Result<NamesOnNodes>> names_kept(const Tools& tools, const Catalogue& catalogue,
                                       const Roster& roster, const NamesOnNodes& left) {
  NamesOnNodes kept;
  for (const Taint& taint : present_index_taints(tools.log, tools.cluster.topology())) {
    const IndexState* index = catalogue.by_incarnation(taint.incarnation);
    MIROIR_CO_TRY(const bool dropped, co_await may_come_back(tools, catalogue, taint.incarnation));
    if (!dropped && (index == nullptr || has_trusted_peers(tools, roster, taint))) continue;
    MIROIR_CO_TRY(auto names, co_await names_not_taken_away(tools.log, taint));
    if (index != nullptr) names.insert(index->uid);
    for (const std::string& name : names) kept.emplace(taint.node, name);
    if (std::ranges::count(taint.failed, Taint::kUnnamed) == 0) continue;
    std::ranges::copy_if(left, std::inserter(kept, kept.end()),
                         [&taint](const auto& each) { return each.first == taint.node; });
  }
  co_return kept;
}

NamesOnNodes names_in_doubt(const Tools& tools, const Catalogue& catalogue, const Roster& roster) {
  NamesOnNodes names;
  for (const auto& [uid, index] : catalogue.indexes()) {
    for (const Taint& doubt : indexes_in_doubt(tools, roster, index.incarnation))
      if (has_trusted_peers(tools, roster, doubt)) names.emplace(doubt.node, uid);
  }
  return names;
}

std::vector<StateDifference> compare(const Snapshot& snapshot) {
  return compare_states(snapshot.catalogue, snapshot.nodes, snapshot.expected);
}

// Reads all nodes at a moment at which the catalogue does not change.
Async<Result<Snapshot>> read_all(const Tools& tools, Roster& roster, bool repairs) {
  for (int attempt = 1;; ++attempt) {
    if (tools.stopping()) co_return std::unexpected(cut_off());
    Snapshot snapshot;
    snapshot.head = tools.log.head();
    snapshot.catalogue = tools.log.catalogue();
    std::vector<std::string> uids;
    for (const auto& [uid, index] : snapshot.catalogue.indexes()) uids.push_back(uid);
    for (const std::string& node : roster.readable_nodes()) {
      if (co_await wait_done(tools, node, snapshot.head, kCatchUpTimeout)) continue;
      roster.lose(node, "has not applied what was written before its settings were to be read");
    }
    std::vector<Async<NodeReading>> readings;
    for (const std::string& node : roster.readable_nodes())
      readings.push_back(read_state(tools, node, uids));
    for (NodeReading& reading : co_await gather(std::move(readings))) {
      if (reading.state) {
        snapshot.nodes.emplace(reading.node, std::move(*reading.state));
      } else {
        roster.lose(reading.node, reading.state.error().message);
      }
    }
    MIROIR_CO_TRY(snapshot.expected.settings,
                  co_await remembered_settings(tools, snapshot.catalogue));
    MIROIR_CO_TRY(snapshot.expected.left, co_await names_left(tools, snapshot.catalogue));
    MIROIR_CO_TRY(snapshot.expected.refused,
                  co_await refused_settings(tools, snapshot.catalogue, snapshot.nodes,
                                            snapshot.expected.settings));
    snapshot.expected.failed = failed_settings(tools, snapshot.catalogue);
    snapshot.expected.reports_only = !repairs;
    snapshot.expected.now = tools.clock.wall_now();
    snapshot.expected.in_doubt = names_in_doubt(tools, snapshot.catalogue, roster);
    MIROIR_CO_TRY(snapshot.expected.kept,
                  co_await names_kept(tools, snapshot.catalogue, roster, snapshot.expected.left));
    snapshot.differences = compare(snapshot);
    if (snapshot.differences.empty() || tools.log.head() == snapshot.head) co_return snapshot;
    if (attempt == kAttemptsMax) {
      // Steady writes; what differs is true only of indexes and keys that did not change meanwhile.
      std::erase_if(snapshot.differences, [&](const StateDifference& difference) {
        const IndexState* before = snapshot.catalogue.index(difference.name);
        const IndexState* now = tools.log.catalogue().index(difference.name);
        if (before == nullptr && now == nullptr) return false;
        return before == nullptr || now == nullptr || !now->is_still(*before) ||
               before->settings_version != now->settings_version ||
               before->primary_key != now->primary_key;
      });
      co_return snapshot;
    }
  }
}

Entry entry_for(const IndexState* index, const std::string& node, EntryKind kind, Json arguments) {
  Entry entry;
  entry.origin = Origin::kAntiEntropy;
  entry.kind = kind;
  entry.target = node;
  entry.arguments = std::move(arguments);
  if (index != nullptr) {
    entry.index_uid = index->uid;
    entry.incarnation = index->incarnation;
    entry.primary_key = index->primary_key.value_or("");
  }
  return entry;
}

// The settings as the log's entry of that version gave them to every node.
Async<Result<std::optional<Entry>>> settings_entry(const Tools& tools, const IndexState& index,
                                                   std::string node) {
  if (index.settings_version == 0) co_return std::nullopt;
  auto origin = co_await tools.log.entry(index.settings_version);
  if (!origin)
    co_return std::unexpected(std::move(origin).error().with_context("settings of " + index.uid));
  co_return entry_for(&index, node, EntryKind::kUpdateSettings, (*origin)->arguments);
}

Async<Result<std::vector<Entry>>> heal(const Tools& tools, const Catalogue& catalogue,
                                       StateDifference difference) {
  std::vector<Entry> entries;
  if (difference.of_key()) {
    // A key's actions cannot be changed: it is made again.
    entries.push_back(entry_for(nullptr, difference.node, EntryKind::kDeleteKey,
                                Json::object({{"uid", difference.name}})));
    if (difference.defect == StateDefect::kKey)
      entries.push_back(entry_for(nullptr, difference.node, EntryKind::kPutKey,
                                  catalogue.key(difference.name)->key));
    co_return entries;
  }
  if (difference.defect == StateDefect::kIndexLeft ||
      difference.defect == StateDefect::kIndexOther) {
    Entry drop = entry_for(nullptr, difference.node, EntryKind::kDropIndex, Json::object());
    drop.index_uid = difference.name;
    if (difference.defect == StateDefect::kIndexOther) drop.arguments.set("sparesForeign", true);
    entries.push_back(std::move(drop));
    if (difference.defect == StateDefect::kIndexLeft) co_return entries;
  }
  const IndexState& index = *catalogue.index(difference.name);
  const Json primary_key = index.primary_key ? Json(*index.primary_key) : Json();
  if (difference.defect == StateDefect::kPrimaryKeyMissing ||
      difference.defect == StateDefect::kPrimaryKeyOther) {
    entries.push_back(entry_for(&index, difference.node, EntryKind::kUpdateIndex,
                                Json::object({{"primaryKey", primary_key}, {"newUid", Json()}})));
    co_return entries;
  }
  if (difference.defect == StateDefect::kIndexMissing ||
      difference.defect == StateDefect::kIndexOther) {
    entries.push_back(entry_for(&index, difference.node, EntryKind::kCreateIndex,
                                Json::object({{"primaryKey", primary_key}})));
  }
  MIROIR_CO_TRY(auto settings, co_await settings_entry(tools, index, difference.node));
  if (settings) entries.push_back(std::move(*settings));
  co_return entries;
}

// As it was, or as absent.
bool is_unchanged_key(const Catalogue& now, const Catalogue& before, const std::string& uid) {
  const KeyState* key = now.key(uid);
  const KeyState* old = before.key(uid);
  return key == nullptr || old == nullptr ? key == old : key->key == old->key;
}

// What became of what was sent, by node and name: what the node said of it where it failed.
using Sent = std::map<NamesOnNodes::value_type, std::optional<std::string>>;

Async<Result<Sent>> heal_all(const Tools& tools, Snapshot& snapshot, std::uint64_t pass) {
  Sent sent;
  std::vector<StateDifference> differences;
  std::vector<Entry> entries;
  for (const StateDifference& difference : snapshot.differences) {
    if (!difference.healable()) continue;
    MIROIR_CO_TRY(auto its, co_await heal(tools, snapshot.catalogue, difference));
    if (!its.empty()) differences.push_back(difference);
    for (Entry& entry : its) {
      if (!is_key(entry.kind)) entry.arguments.set("pass", pass);
      entries.push_back(std::move(entry));
    }
  }
  if (entries.empty()) co_return sent;
  MIROIR_CO_CHECK(co_await tools.audit.announce(std::move(differences), tools.clock.wall_now()));
  // Only what still is as it was when it was read: newer entries of the same index or key have the
  // last word.
  auto appended =
      co_await tools.log.append([&](const Catalogue& now, Position) -> Result<std::vector<Entry>> {
        std::vector<Entry> still;
        for (const Entry& entry : entries) {
          if (is_key(entry.kind)) {
            const Json* uid = entry.arguments.find("uid");
            if (is_unchanged_key(now, snapshot.catalogue, uid->as_string())) still.push_back(entry);
            continue;
          }
          const IndexState* before = snapshot.catalogue.index(entry.index_uid);
          const IndexState* index = now.index(entry.index_uid);
          if (before == nullptr && index == nullptr) still.push_back(entry);
          if (before == nullptr) continue;
          if (index != nullptr && index->is_still(*before) &&
              index->settings_version == before->settings_version &&
              index->primary_key == before->primary_key) {
            still.push_back(entry);
          }
        }
        return still;
      });
  if (!appended) {
    MIROIR_CO_CHECK(co_await tools.audit.withdraw());
    co_return std::unexpected(appended.error());
  }
  for (const Entry& entry : *appended) {
    Applied applied = co_await await_applied(tools, *entry.target, entry.position);
    const Json* key = is_key(entry.kind) ? entry.arguments.find("uid") : nullptr;
    const std::string& name = key == nullptr ? entry.index_uid : key->as_string();
    auto& error = sent[{applied.node, name}];
    if (applied.error && !error) error = std::move(*applied.error);  // the others follow from it
  }
  co_return sent;
}

std::string did(StateDefect defect) {
  switch (defect) {
    case StateDefect::kIndexMissing:
      return "made";
    case StateDefect::kIndexLeft:
      return "dropped";
    case StateDefect::kIndexOther:
      return "dropped and made anew";
    case StateDefect::kPrimaryKeyMissing:
    case StateDefect::kPrimaryKeyOther:
      return "primary key set";
    case StateDefect::kSettings:
      return "settings set";
    case StateDefect::kKey:
      return "made anew";
    case StateDefect::kKeyLeft:
      return "deleted";
    case StateDefect::kIndexUnknown:
    case StateDefect::kIndexKept:
    case StateDefect::kDocumentsUnknown:
      break;
  }
  return "";
}

bool was_applied(const Sent& sent, const StateDifference& difference) {
  const auto found = sent.find({difference.node, difference.name});
  return found != sent.end() && !found->second;
}

HandledState outcome_of(StateDifference difference, const Snapshot& after, const Sent& sent,
                        bool repairs) {
  // It may be wrong in another way by now.
  const auto same = [&](const StateDifference& other) { return other.is_about(difference); };
  const bool left = std::ranges::any_of(after.differences, same);
  HandledState handled{.difference = std::move(difference), .healed = false, .outcome = ""};
  const StateDifference& its = handled.difference;
  if (!its.healable()) {
    handled.outcome = "left as it is";
  } else if (!repairs) {
    handled.outcome = "reported only: repairs are off";
  } else if (!after.nodes.contains(its.node)) {
    handled.outcome = "sent, but the node could not be read again";
  } else if (left) {
    handled.outcome = "sent, but it still differs";
    if (const auto found = sent.find({its.node, its.name}); found != sent.end() && found->second)
      handled.outcome += "; " + *found->second;
  } else {
    handled.healed = true;
    handled.outcome = did(its.defect) + ", verified";
  }
  return handled;
}

StateReport report_of(std::vector<StateDifference> found, Snapshot after, const Sent& sent,
                      bool repairs) {
  StateReport report;
  for (StateDifference& difference : found)
    report.found.push_back(outcome_of(std::move(difference), after, sent, repairs));
  report.left = std::move(after.differences);
  return report;
}

bool differs(const Snapshot& snapshot, const std::string& node, const std::string& name) {
  return std::ranges::any_of(snapshot.differences, [&](const StateDifference& difference) {
    return difference.node == node && difference.name == name;
  });
}

// A failed operation on an index taints the whole of it on its node. What this comparison can see
// ends here: settings and the index itself, once they are as the log says. A delete-all, a swap or
// a rename that failed leaves other documents, and so does a creation: what stood in its way was an
// index whose drop had failed. Only reading them all can tell (pass.cc).
Async<Result<void>> end_taints(const Tools& tools, const Snapshot& snapshot) {
  std::vector<Taint> ended;
  for (const Taint& taint : present_index_taints(tools.log, tools.cluster.topology())) {
    // What failed after the nodes were read is not in what was read.
    if (!snapshot.nodes.contains(taint.node) || taint.newest() > snapshot.head) continue;
    MIROIR_CO_TRY(const bool read_back, co_await all_is_read_back(tools, taint));
    const IndexState* index = snapshot.catalogue.by_incarnation(taint.incarnation);
    MIROIR_CO_TRY(const bool dropped,
                  co_await may_come_back(tools, snapshot.catalogue, taint.incarnation));
    if (dropped) continue;
    MIROIR_CO_TRY(const auto names, co_await names_not_taken_away(tools.log, taint));
    const bool left = std::ranges::any_of(
        names, [&](const auto& name) { return differs(snapshot, taint.node, name); });
    const bool is_as_it_should =
        index == nullptr || (read_back && !differs(snapshot, taint.node, index->uid) &&
                             !snapshot.expected.refused.contains(index->uid));
    if (is_as_it_should && !left) ended.push_back(taint);
  }
  if (ended.empty()) co_return Result<void>{};
  co_return co_await tools.log.clear_taints(std::move(ended));
}

}  // namespace

Async<Result<StateReport>> check_replicated_state(const Tools& tools, Roster& roster,
                                                  std::uint64_t pass, bool repairs) {
  MIROIR_CO_TRY(Snapshot snapshot, co_await read_all(tools, roster, repairs));
  std::vector<StateDifference> found = snapshot.differences;
  const bool healable = std::ranges::any_of(found, &StateDifference::healable);
  Sent sent;
  if (repairs && healable) {
    MIROIR_CO_TRY(sent, co_await heal_all(tools, snapshot, pass));
    auto after = co_await read_all(tools, roster, repairs);
    if (!after && after.error().code == ErrorCode::kCancelled) {
      StateReport report = report_of(std::move(found), Snapshot{}, sent, repairs);
      report.cut_off = true;
      co_return report;
    }
    const Catalogue before = std::move(snapshot.catalogue);
    MIROIR_CO_TRY(snapshot, std::move(after));
    // The nodes have just applied the log's version: what they now read back alike is right,
    // whatever was remembered (another version of the node normalises otherwise).
    struct Given {
      bool to_any = false;
      bool to_all = true;
    };
    std::map<std::string, Given> given;
    for (const StateDifference& difference : snapshot.differences) {
      if (difference.defect != StateDefect::kSettings) continue;
      const IndexState* old = before.index(difference.name);
      const IndexState& now = *snapshot.catalogue.index(difference.name);
      bool applied = was_applied(sent, difference) && old != nullptr &&
                     old->settings_version == now.settings_version;
      if (applied) {  // unless somebody has made the index anew since
        MIROIR_CO_TRY(applied,
                      co_await shows_rule(tools, now,
                                          snapshot.nodes.at(difference.node).settings.at(now.uid)));
      }
      Expectations& expected = snapshot.expected;
      Given& its = given[difference.name];
      its.to_any |= applied;
      its.to_all &= applied || expected.failed.contains({difference.node, difference.name});
      if (!applied) continue;
      expected.refused.erase(difference.name);
      expected.failed.erase({difference.node, difference.name});
    }
    for (const auto& [name, its] : given) {
      if (!its.to_any || !its.to_all) continue;
      snapshot.expected.settings.erase(name);
      snapshot.expected.given_again.insert(name);
    }
    snapshot.differences = compare(snapshot);
  }
  MIROIR_CO_CHECK(co_await remember_settings(tools, snapshot.catalogue, roster, snapshot.nodes,
                                             snapshot.expected));
  MIROIR_CO_CHECK(co_await end_taints(tools, snapshot));
  co_return report_of(std::move(found), std::move(snapshot), sent, repairs);
}

}  // namespace miroir::anti_entropy
