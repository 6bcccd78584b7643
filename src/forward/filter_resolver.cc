#include "forward/filter_resolver.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "cluster/entry_failures.h"
#include "cluster/present_taints.h"
#include "cluster/state_reasons.h"
#include "forward/filter_slice.h"
#include "forward/plan.h"
#include "forward/voiding.h"

namespace miroir {
namespace {

constexpr std::size_t kIdsPerPage = 10'000;
constexpr Milliseconds kRetryDelay{20};
// An owner that was restarted is back by then.
constexpr Microseconds kPeersAwaitedFor = Seconds(60);

// The slices before it say nothing of its documents, and nodes take deletes together.
bool stands_before(const Entry& entry, const NodeStatus& status) {
  return status.done + 1 >= slice_of(entry).first;
}

}  // namespace

Async<void> FilterResolver::run() {
  for (;;) {
    if (wanted_.empty()) {
      co_await context_.stirred.wait();
      continue;
    }
    const Position position = *wanted_.begin();
    auto resolved = co_await resolve(position);
    if (resolved && *resolved) {
      wanted_.erase(position);
      context_.stirred.notify_all();
      continue;
    }
    if (!resolved) {
      log_warning("delete by filter waits",
                  {{"position", position}, {"error", resolved.error().message}});
    }
    co_await context_.clock.sleep_for(kRetryDelay);
  }
}

Async<Result<bool>> FilterResolver::resolve(Position position) {
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(context_.log, position));
  if (entry == nullptr || !unresolved(*entry)) co_return true;
  // What was cancelled is sent to nobody, and deletes nothing: only a lane that went on past it
  // before a crash asks.
  MIROIR_CO_TRY(const auto failures,
                co_await EntryFailures::of(context_.log, context_.cluster, position));
  const auto is_canceled = [](const Json& error) { return voided_by(error).value_or(0) != 0; };
  if (failures.first(is_canceled) != nullptr) co_return true;
  const Instant now = context_.clock.now();
  std::erase_if(unread_,
                [&](const auto& each) { return now - each.second.last >= kPeersAwaitedFor; });
  for (auto& [node, unread] : unread_)
    if (!is_ready(*entry, node)) unread.last = now;  // nobody can ask it

  const Topology& topology = context_.cluster.topology();
  Attempt attempt;
  std::optional<Sources> sources;
  for (;;) {
    sources = choose_sources(*entry, attempt);
    if (!sources) co_return co_await give_up_waiting(entry, std::move(attempt));
    // Each is asked once, for all the shards that it is a source of.
    std::map<std::string, std::vector<ShardId>> to_ask;
    for (ShardId shard = 0; shard < sources->size(); ++shard) {
      for (const std::string& node : (*sources)[shard])
        if (!attempt.has_told(node, shard)) to_ask[node].push_back(shard);
    }
    if (to_ask.empty()) break;
    const auto& [node, shards] = *to_ask.begin();
    auto answer = co_await ask(entry, node, shards);
    if (!answer) {
      const Instant failed_at = context_.clock.now();
      unread_.try_emplace(node, Unread{failed_at, failed_at});
      attempt.silent.insert(node);
      context_.cluster.report_unhealthy(node, answer.error());  // so that its lane looks again
      continue;
    }
    if (answer->refusal) {
      MIROIR_CO_CHECK(co_await context_.log.fail_entry(position, *answer->refusal));
      co_return true;
    }
    std::map<ShardId, std::set<std::string>>& told = attempt.told[node];
    for (const ShardId shard : shards) told.try_emplace(shard);
    for (const std::string& id : answer->ids) {
      const auto of_shard = told.find(topology.shard_of(slot_of(id)));
      if (of_shard != told.end()) of_shard->second.insert(id);
    }
  }
  end(attempt);

  const Position incarnation = kept_under(context_.log, entry->incarnation, position);
  std::set<std::string> ids;
  for (ShardId shard = 0; shard < sources->size(); ++shard) {
    const std::vector<std::string>& owners = (*sources)[shard];
    for (const std::string& owner : owners) {
      for (const std::string& id : attempt.told[owner][shard]) {
        auto judge = std::ranges::find_if(owners, [&](const std::string& each) {
          return !context_.log.tainted(incarnation, id, each) &&
                 !context_.log.tainted(incarnation, "", each);
        });
        if (judge == owners.end() || attempt.told[*judge][shard].contains(id)) ids.insert(id);
      }
    }
  }
  attempt.told.clear();
  if (ids.empty()) {
    MIROIR_CO_TRY(const auto error, co_await failed_before(entry, *sources));
    if (error) {
      MIROIR_CO_CHECK(co_await context_.log.fail_entry(position, *error));
      co_return true;
    }
  }
  co_return co_await write(entry, std::move(ids));
}

// Who told all that it was asked can be read by now.
void FilterResolver::end(const Attempt& attempt) {
  const Instant now = context_.clock.now();
  for (const auto& [node, told] : attempt.told)
    if (!attempt.silent.contains(node)) unread_.erase(node);
  for (const std::string& node : attempt.silent) unread_.at(node).last = now;
}

// With what it failed on all who were sent it before the log went back, of a shard that nobody else
// is asked about: what matched stays, for it is from these that others are healed.
Async<Result<std::optional<meili::ApiError>>> FilterResolver::failed_before(
    std::shared_ptr<const Entry> entry, const Sources& sources) const {
  MIROIR_CO_TRY(const auto failures,
                co_await EntryFailures::of(context_.log, context_.cluster, entry->position));
  const Json* error = failures.first([](const Json& each) { return !voided_by(each); });
  if (error == nullptr) co_return std::nullopt;
  const std::map<std::string, std::set<ShardId>> tainted = tainted_shards(*entry);
  const std::vector<ShardId> shards = shards_of(*entry);
  const bool failed = std::ranges::any_of(shards, [&](ShardId shard) {
    return sources[shard].empty() &&
           failures.on_all(shard, panel_of(*entry, shard, tainted).others);
  });
  if (!failed) co_return std::nullopt;
  MIROIR_CO_TRY(auto parsed, meili::parse_api_error(*error));
  co_return std::move(parsed);
}

// Those that hold what it may match, rising.
std::vector<ShardId> FilterResolver::shards_of(const Entry& entry) const {
  const Topology& topology = context_.cluster.topology();
  const SlotRange slots = slice_of(entry).slots;
  std::vector<ShardId> shards;
  for (ShardId shard = topology.shard_of(slots.first); shard <= topology.shard_of(slots.last);
       ++shard)
    shards.push_back(shard);
  return shards;
}

std::map<std::string, std::set<ShardId>> FilterResolver::tainted_shards(const Entry& entry) const {
  const Topology& topology = context_.cluster.topology();
  std::map<std::string, std::set<ShardId>> shards;
  const Position incarnation = kept_under(context_.log, entry.incarnation, entry.position);
  for (const Taint& taint : present_taints(context_.log, topology, incarnation)) {
    std::set<ShardId>& of_node = shards[taint.node];
    if (!taint.id.empty()) {
      of_node.insert(topology.shard_of(slot_of(taint.id)));
    } else {
      for (ShardId shard : topology.shards_of(taint.node)) of_node.insert(shard);
    }
  }
  return shards;
}

FilterResolver::Panel FilterResolver::panel_of(
    const Entry& entry, ShardId shard,
    const std::map<std::string, std::set<ShardId>>& tainted) const {
  Panel panel;
  panel.owners = context_.cluster.topology().owners(shard);
  const auto in_sync = [&](const std::string& owner) {
    return context_.cluster.is_source(owner, shard);
  };
  panel.in_sync = std::ranges::any_of(panel.owners, in_sync);
  if (panel.in_sync) std::erase_if(panel.owners, std::not_fn(in_sync));
  std::erase_if(panel.owners, [&](const std::string& owner) {
    if (!carried_out(entry, owner)) return false;
    panel.others.push_back(owner);
    return true;
  });
  if (!panel.in_sync) leave_out_lacking(entry, panel.owners);
  const auto clean = [&](const std::string& owner) {
    const auto taints = tainted.find(owner);
    return taints == tainted.end() || !taints->second.contains(shard);
  };
  panel.together = std::ranges::none_of(panel.owners, clean);
  if (!panel.together) std::erase_if(panel.owners, std::not_fn(clean));
  return panel;
}

std::optional<FilterResolver::Sources> FilterResolver::choose_sources(
    const Entry& entry, const Attempt& attempt) const {
  const std::map<std::string, std::set<ShardId>> tainted = tainted_shards(entry);
  Sources sources(context_.cluster.topology().shard_count());
  for (const ShardId shard : shards_of(entry)) {
    Panel panel = panel_of(entry, shard, tainted);
    if (!panel.in_sync && !panel.others.empty()) {
      for (const std::string& owner : lost(entry, shard, panel, attempt))
        std::erase(panel.owners, owner);
    }
    if (panel.owners.empty()) continue;
    const auto is_away = [&](const std::string& owner) {
      return !attempt.has_told(owner, shard) &&
             (attempt.silent.contains(owner) || !is_ready(entry, owner));
    };
    if (panel.together) {
      if (std::ranges::any_of(panel.owners, is_away)) return std::nullopt;
      sources[shard] = std::move(panel.owners);
      continue;
    }
    std::erase_if(panel.owners, is_away);
    if (panel.owners.empty()) return std::nullopt;
    // In turn, where they could not be read.
    sources[shard] = {*std::ranges::min_element(panel.owners, {}, [this](const std::string& owner) {
      const auto unread = unread_.find(owner);
      return unread == unread_.end() ? Instant::min() : unread->second.last;
    })};
  }
  return sources;
}

bool FilterResolver::is_ready(const Entry& entry, const std::string& owner) const {
  const NodeStatus status = context_.cluster.status(owner);
  return status.healthy && stands_before(entry, status);
}

// The log does not give it all: what it does not hold is not absent where another owner is.
void FilterResolver::leave_out_lacking(const Entry& entry, std::vector<std::string>& owners) const {
  const std::function<bool(const std::string&)> filled = [this](const std::string& owner) {
    return is_filled(owner);
  };
  const std::function<bool(const std::string&)> emptied = [&](const std::string& owner) {
    return may_lack_taken_over(entry, owner);
  };
  for (const auto& lacks : {filled, emptied})
    if (!std::ranges::all_of(owners, lacks)) std::erase_if(owners, lacks);
}

// By comparison, with what it lacks.
bool FilterResolver::is_filled(const std::string& node) const {
  return context_.cluster.status(node).state == ReplicaState::kJoining ||
         context_.cluster.progress(node).missed_entries();
}

// Its disk may be an older one, filled from a log that does not hold what a recovery took over.
bool FilterResolver::may_lack_taken_over(const Entry& entry, const std::string& node) const {
  const Position incarnation = kept_under(context_.log, entry.incarnation, entry.position);
  const IndexState* index = context_.log.catalogue().there_or_dropped(incarnation);
  return index != nullptr && index->taken_over() &&
         !context_.cluster.status(node).state_why.starts_with(kForeignTask);
}

// A log that went back has forgotten what matched: it was deleted there already, or will be.
bool FilterResolver::carried_out(const Entry& entry, const std::string& node) const {
  return context_.cluster.status(node).done >= entry.position ||
         context_.cluster.progress(node).acknowledged >= entry.position;
}

// Since when it does not tell; nullopt: it has, or is there, or about to be.
std::optional<Instant> FilterResolver::silent_since(const Entry& entry, ShardId shard,
                                                    const std::string& owner,
                                                    const Attempt& attempt) const {
  if (attempt.has_told(owner, shard)) return std::nullopt;
  const NodeStatus status = context_.cluster.status(owner);
  const bool stands = stands_before(entry, status);
  const auto unread = unread_.find(owner);
  if (unread != unread_.end() && (attempt.silent.contains(owner) || (stands && !status.healthy)))
    return unread->second.since;
  return stands && status.healthy ? std::nullopt : status.held_up_since;
}

// Those without whom it cannot be told, and who have not for so long that nobody waits for them:
// but not while no lane could go on anyway.
std::vector<std::string> FilterResolver::lost(const Entry& entry, ShardId shard, const Panel& panel,
                                              const Attempt& attempt) const {
  std::vector<std::string> lost;
  if (all_held_up()) return lost;
  std::ranges::copy_if(panel.owners, std::back_inserter(lost), [&](const std::string& owner) {
    const std::optional<Instant> since = silent_since(entry, shard, owner, attempt);
    return since && context_.clock.now() - *since >= kPeersAwaitedFor;
  });
  if (!panel.together && lost.size() < panel.owners.size()) lost.clear();
  return lost;
}

bool FilterResolver::all_held_up() const {
  return std::ranges::all_of(context_.cluster.topology().nodes(), [this](const NodeConfig& node) {
    return context_.cluster.status(node.id).held_up_since.has_value();
  });
}

// Who alone could tell what matched is not waited for for ever. Where its peers have carried the
// delete out, it is no replica in sync without it. Where something failed on them, or none is here,
// nobody knows what matches, and the delete fails, for all writes wait behind it.
Async<Result<bool>> FilterResolver::give_up_waiting(std::shared_ptr<const Entry> entry,
                                                    Attempt attempt) {
  end(attempt);
  if (all_held_up()) {
    unread_.clear();
    co_return false;
  }
  const std::map<std::string, std::set<ShardId>> tainted = tainted_shards(*entry);
  std::set<std::string> awaited;
  std::set<std::string> behind;
  std::set<std::string> missing;
  for (const ShardId shard : shards_of(*entry)) {
    const Panel panel = panel_of(*entry, shard, tainted);
    std::ranges::copy_if(panel.owners, std::inserter(awaited, awaited.end()),
                         [&](const std::string& owner) {
                           return silent_since(*entry, shard, owner, attempt).has_value();
                         });
    const std::vector<std::string> lost = this->lost(*entry, shard, panel, attempt);
    if (panel.others.empty()) {
      missing.insert(lost.begin(), lost.end());
    } else if (panel.in_sync) {
      behind.insert(lost.begin(), lost.end());
    }
  }
  for (const std::string& node : behind) {
    MIROIR_CO_CHECK(co_await context_.cluster.set_state(
        node, ReplicaState::kStale, "it was away while a delete by filter waited for it alone"));
  }
  if (missing.empty()) {
    if (!awaited.empty() && std::exchange(told_, entry->position) != entry->position) {
      std::string names;
      for (const std::string& node : awaited) names += (names.empty() ? "" : ", ") + node;
      log_warning("delete by filter waits: who could tell what matches is away",
                  {{"position", entry->position}, {"nodes", names}});
    }
    co_return false;
  }
  log_warning("delete by filter fails: who could tell what matches is away",
              {{"position", entry->position}, {"node", *missing.begin()}});
  MIROIR_CO_CHECK(co_await context_.log.fail_entry(
      entry->position,
      meili::api_error("miroir_shard_unavailable",
                       "Index `" + entry->index_uid +
                           "`: it cannot be told which documents match while nodes are away, or "
                           "cannot be read: no other holds them all, without a write that failed "
                           "there.")));
  co_return true;
}

Async<Result<FilterResolver::Answer>> FilterResolver::ask(std::shared_ptr<const Entry> entry,
                                                          std::string node,
                                                          std::vector<ShardId> shards) {
  const std::uint64_t setbacks = context_.cluster.status(node).setbacks;
  Answer answer;
  auto ids = co_await read_matching(entry, node, std::move(shards));
  if (ids) {
    answer.ids = std::move(*ids);
  } else if (ids.error().code == ErrorCode::kConflict) {
    answer.refusal = meili::api_error("miroir_shard_unavailable", ids.error().message);
  } else if (ids.error().code == ErrorCode::kInvalid) {
    MIROIR_CO_TRY(answer.refusal, co_await explain(entry, node));
  } else {
    co_return std::unexpected(std::move(ids).error());
  }
  // What a disk that was put back, or emptied, meanwhile does not hold is not absent, and what it
  // cannot filter by others can.
  MIROIR_CO_TRY(const History history, co_await recheck_(node));
  if (history.verdict != History::Verdict::kOurs)
    co_return fail(ErrorCode::kUnavailable, "node " + node + ": " + history.why);
  // Its lane may have noticed it first, and go on from what is left there.
  if (context_.cluster.status(node).setbacks != setbacks)
    co_return fail(ErrorCode::kUnavailable, "node " + node + " fell back while it was asked");
  if (history.resume_after >= entry->position)
    co_return fail(ErrorCode::kConflict, "node " + node + " has carried it out before");
  co_return answer;
}

// kConflict: by another primary key than the entry's.
Async<Result<std::set<std::string>>> FilterResolver::read_matching(
    std::shared_ptr<const Entry> entry, std::string node, std::vector<ShardId> shards) {
  std::set<std::string> ids;
  const auto index = co_await context_.cluster.client(node).index(
      entry->index_uid, context_.clock.now() + context_.options.request_timeout);
  if (!index && index.error().code != ErrorCode::kNotFound)
    co_return std::unexpected(index.error());
  if (!index || !index->primary_key) co_return ids;  // it holds no document
  // What gave it that name, or the key, failed: its documents have other ids.
  if (*index->primary_key != entry->primary_key) {
    co_return fail(ErrorCode::kConflict, "Index `" + entry->index_uid + "`: its primary key is `" +
                                             *index->primary_key + "` on node " + node +
                                             ", for what was done to the index before failed.");
  }
  DocumentQuery query;
  query.index_uid = entry->index_uid;
  query.slots = join_ranges(context_.cluster.topology(), shards);
  const SlotRange slice = slice_of(*entry).slots;
  for (SlotRange& range : query.slots)
    range = {std::max(range.first, slice.first), std::min(range.last, slice.last)};
  const Json* filter = entry->arguments.find("filter");
  if (filter != nullptr) query.filter = *filter;
  query.fields = {entry->primary_key};
  query.limit = kIdsPerPage;
  // Nothing that may match changes on the node between two pages: its lane stands before this
  // entry.
  for (;;) {
    auto page = co_await context_.cluster.client(node).documents(
        query, context_.clock.now() + context_.options.request_timeout);
    if (!page && page.error().code == ErrorCode::kNotFound) co_return ids;
    if (!page) co_return std::unexpected(std::move(page).error());
    for (std::string& document : page->documents) {
      MIROIR_CO_TRY(DocumentCopy copy,
                    parse_copy(std::move(document), entry->primary_key, context_.options.names));
      ids.insert(std::move(copy.id));
    }
    if (page->documents.size() < kIdsPerPage) co_return ids;
    query.offset += page->documents.size();
  }
}

// What Meilisearch says of the client's filter, without ours beside it.
Async<Result<meili::ApiError>> FilterResolver::explain(std::shared_ptr<const Entry> entry,
                                                       std::string node) {
  const Json* filter = entry->arguments.find("filter");
  const Json body = Json::object({{"filter", filter == nullptr ? Json() : *filter}, {"limit", 0}});
  http::ClientRequest request{
      "POST",
      "/indexes/" + http::percent_encode(entry->index_uid) + "/documents/fetch",
      {{"Content-Type", "application/json"}},
      to_text(body)};
  MIROIR_CO_TRY(const http::Response answer,
                co_await context_.cluster.client(node).read(
                    std::move(request), context_.clock.now() + context_.options.request_timeout));
  auto json = parse_json(answer.body);
  auto error = json ? meili::parse_api_error(*json) : std::unexpected(json.error());
  if (answer.status >= 500 || answer.status == 429 || answer.status == 401 ||
      answer.status == 403) {
    co_return fail(ErrorCode::kUnavailable, "status " + std::to_string(answer.status));
  }
  if (answer.status < 400 || !error) {
    co_return meili::api_error("invalid_document_filter", "The filter cannot be evaluated.");
  }
  // As in a task's error; our own attributes are nobody's business.
  error->message = "Index `" + entry->index_uid + "`: " + error->message;
  const std::string ours = "`" + std::string(kReservedPrefix) + "*`, ";
  for (std::size_t at; (at = error->message.find(ours)) != std::string::npos;) {
    error->message.erase(at, ours.size());
  }
  co_return std::move(*error);
}

Async<Result<bool>> FilterResolver::write(std::shared_ptr<const Entry> entry,
                                          std::set<std::string> ids) {
  const Topology& topology = context_.cluster.topology();
  std::set<ShardId> shards;
  auto next = ids.begin();
  const auto next_record = [&]() -> Result<std::optional<BodyRecord>> {
    if (next == ids.end()) return std::nullopt;
    const std::string& id = *next++;
    const Slot slot = slot_of(id);
    shards.insert(topology.shard_of(slot));
    return BodyRecord{.slot = slot, .checksum = 0, .id = id, .document = {}};
  };
  MIROIR_CO_TRY(const Body body, co_await context_.log.write_body(next_record, WhenFull::kTake));
  MIROIR_CO_CHECK(
      co_await context_.log.resolve(entry->position, body, {shards.begin(), shards.end()}));
  co_return true;
}

}  // namespace miroir
