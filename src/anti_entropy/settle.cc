#include "anti_entropy/settle.h"

#include <algorithm>

#include "anti_entropy/doubt.h"
#include "anti_entropy/harvest.h"
#include "cluster/clears.h"
#include "cluster/entry_failures.h"
#include "cluster/history.h"
#include "cluster/state_reasons.h"

namespace miroir::anti_entropy {
namespace {

// Of the same copies, when the node's disk was put back under them.
constexpr int kReadAttemptsMax = 3;

using CopiesById = std::map<std::string, Copy>;

// What a node holds of the first `asked` of the documents.
struct CopiesRead {
  std::size_t asked = 0;
  CopiesById copies;
};

struct NodeCopies {
  std::string node;
  Result<CopiesRead> read;
};

// What is read, and where it is counted.
struct Request {
  std::vector<std::string> ids;
  std::uint64_t bytes_max = 0;  // no more is asked for when a node's copies are as large as this
  Counter bytes;
};

// How many ids the next request names, after one of `ids`: so many that the answer is no larger
// than `kPageBytes` if the documents are as large as these.
std::size_t ids_of_next(std::size_t ids, std::size_t documents, std::uint64_t bytes) {
  std::uint64_t next = std::min(4 * ids, kIdsPerRequest);
  if (bytes > 0) next = std::min(next, kPageBytes * documents / bytes);
  return std::max<std::uint64_t>(next, 1);
}

Async<Result<CopiesRead>> read_once(const Tools& tools, IndexUnderTest index, std::string node,
                                    Request request) {
  auto permit = co_await tools.reads.acquire();
  const std::vector<std::string>& ids = request.ids;
  CopiesRead read;
  std::uint64_t bytes = 0;
  std::size_t count = kIdsOfFirstRequest;
  while (read.asked < ids.size() && bytes < request.bytes_max) {
    if (tools.stopping()) co_return std::unexpected(cut_off());
    DocumentQuery query;
    query.index_uid = index.uid;
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(read.asked);
    count = std::min(count, ids.size() - read.asked);
    query.ids.assign(first, first + static_cast<std::ptrdiff_t>(count));
    query.limit = count;
    query.vectors = true;  // they may be there before the embedder that they are for
    MIROIR_CO_TRY(auto page, co_await tools.cluster.client(node).documents(
                                 std::move(query), tools.clock.now() + kReadTimeout));
    std::uint64_t page_bytes = 0;
    for (std::string& text : page.documents) {
      page_bytes += text.size();
      MIROIR_CO_TRY(auto parsed,
                    parse_copy(std::move(text), index.primary_key, tools.options.names));
      Copy copy;
      copy.presence = Presence::kPresent;
      copy.stored = parsed.stored;
      MIROIR_CO_TRY(copy.content, content_of(parsed.text, tools.options.names));
      copy.text = std::move(parsed.text);
      read.copies.insert_or_assign(parsed.id, std::move(copy));
    }
    request.bytes.increment(static_cast<double>(page_bytes));
    bytes += page_bytes;
    read.asked += count;
    count = ids_of_next(count, page.documents.size(), page_bytes);
  }
  co_return read;
}

// A disk that was put back between two questions must not speak for the log: what was read before
// its history was settled is read again.
Async<Result<CopiesRead>> read_settled(const Tools& tools, IndexUnderTest index, std::string node,
                                       Request request, Position fence) {
  for (int attempt = 1;; ++attempt) {
    MIROIR_CO_TRY(CopiesRead read, co_await read_once(tools, index, node, request));
    MIROIR_CO_TRY(History history,
                  co_await tools.forwarders.recheck(node, tools.clock.now() + kReadTimeout));
    if (history.verdict == History::Verdict::kOurs) co_return read;
    if (attempt < kReadAttemptsMax) {
      MIROIR_CO_TRY(history, co_await settled_history(tools, node));
    }
    if (history.verdict != History::Verdict::kOurs)
      co_return fail(ErrorCode::kUnavailable, "its history is not the log's: " + history.why);
    if (!co_await wait_done(tools, node, fence, kCatchUpTimeout))
      co_return fail(ErrorCode::kUnavailable, "has not applied again what its disk had lost");
  }
}

Async<NodeCopies> read_copies(const Tools& tools, IndexUnderTest index, std::string node,
                              Request request, Position fence) {
  auto read = co_await read_settled(tools, std::move(index), node, std::move(request), fence);
  co_return NodeCopies{node, std::move(read)};
}

Async<std::pair<std::string, bool>> catch_up(const Tools& tools, std::string node, Position fence) {
  const bool done = co_await wait_done(tools, node, fence, kCatchUpTimeout);
  co_return std::pair{node, done};
}

Copy copy_of(const Tools& tools, const IndexUnderTest& index, const Roster& roster,
             std::map<std::string, CopiesById>& read, const std::string& node,
             const std::string& id) {
  Copy copy;
  if (roster.readable(node)) {
    CopiesById& copies = read.at(node);
    if (auto found = copies.find(id); found != copies.end()) {
      copy = std::move(found->second);
    } else {
      copy.presence = Presence::kAbsent;
    }
  }
  copy.node = node;
  copy.in_sync = roster.is_source(node, tools.cluster.topology().shard_of(slot_of(id)));
  copy.in_doubt = tools.log.tainted(index.incarnation, "", node);
  copy.tainted = copy.in_doubt || tools.log.tainted(index.incarnation, id, node);
  copy.missed_entries = !copy.in_sync && tools.cluster.progress(node).missed_entries();
  return copy;
}

DocumentCopies assemble(const Tools& tools, const IndexUnderTest& index, const Roster& roster,
                        std::map<std::string, CopiesById>& read, const std::string& id) {
  const Topology& topology = tools.cluster.topology();
  const std::vector<std::string> owners = topology.owners(topology.shard_of(slot_of(id)));
  DocumentCopies document{.id = id, .owners = {}, .strays = {}};
  for (const std::string& owner : owners) {
    document.owners.push_back(copy_of(tools, index, roster, read, owner, id));
  }
  for (auto& [node, copies] : read) {
    if (!roster.readable(node) || !copies.contains(id)) continue;
    if (std::ranges::find(owners, node) != owners.end()) continue;
    document.strays.push_back(copy_of(tools, index, roster, read, node, id));
  }
  return document;
}

// Of copies that are tainted, or in doubt, whether what failed there is known not to have happened.
// One for each batch of documents.
class Failures {
 public:
  Failures(const Tools& tools, Position incarnation) : tools_(tools), incarnation_(incarnation) {}

  Async<Result<void>> mark(DocumentCopies& copies) {
    const Topology& topology = tools_.cluster.topology();
    const ShardId shard = topology.shard_of(slot_of(copies.id));
    for (Copy& copy : copies.owners) {
      if (!copy.tainted) continue;
      if (copy.in_doubt) {
        MIROIR_CO_TRY(copy.in_doubt, co_await in_doubt(copy.node, shard));
        copy.tainted = copy.in_doubt || tools_.log.tainted(incarnation_, copies.id, copy.node);
      }
      const auto taint = tools_.log.taint(incarnation_, copies.id, copy.node);
      if (!taint) continue;
      copy.harmless = true;
      for (const Position position : taint->failed) {
        MIROIR_CO_TRY(const bool told, co_await failed_in(position, shard));
        copy.harmless = copy.harmless && told;
      }
    }
    co_return Result<void>{};
  }

 private:
  Async<Result<bool>> in_doubt(std::string node, ShardId shard) {
    const auto taint = tools_.log.taint(incarnation_, "", node);
    if (!taint) co_return false;  // not any more
    auto known = doubts_.find({node, taint->failed});
    if (known == doubts_.end()) {
      MIROIR_CO_TRY(InDoubt doubt, co_await what_is_in_doubt(tools_, *taint));
      known = doubts_.emplace(std::pair{node, taint->failed}, std::move(doubt)).first;
    }
    co_return known->second.shards.contains(shard);
  }

  Async<Result<bool>> failed_in(Position position, ShardId shard) {
    auto known = told_.find(position);
    if (known == told_.end()) {
      std::vector<ShardId> shards;
      MIROIR_CO_TRY(const auto entry, co_await kept_entry(tools_.log, position));
      if (entry != nullptr) {
        MIROIR_CO_TRY(auto told, co_await told_to_have_failed(tools_.log, entry));
        if (told) shards = std::move(*told);
      }
      known = told_.emplace(position, std::move(shards)).first;
    }
    co_return std::ranges::count(known->second, shard) > 0;
  }

  const Tools& tools_;
  Position incarnation_;
  std::map<Position, std::vector<ShardId>> told_;
  std::map<std::pair<std::string, std::vector<Position>>, InDoubt> doubts_;
};

// Whether the expiry's entry found another version than the one it was to delete: a newer PUT that
// did not fail on all owners came after its reading and before it.
Async<Result<bool>> was_passed_over(const Tools& tools, Position incarnation, std::string id,
                                    EntryStamp version, std::shared_ptr<const Entry> sweep) {
  const Json* read_at = sweep->arguments.find("readAt");
  if (read_at == nullptr || !read_at->is_integer()) co_return false;
  MIROIR_CO_TRY(const Log::Later later,
                co_await tools.log.later_writes(incarnation, id, read_at->as_uint64()));
  const ShardId shard = tools.cluster.topology().shard_of(slot_of(id));
  for (const Position put : later.merges) {
    if (put >= sweep->position) break;
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(tools.log, put));
    if (entry == nullptr || entry->stamp <= version) continue;  // the reading saw it
    MIROIR_CO_TRY(const auto failures, co_await EntryFailures::of(tools.log, tools.cluster, put));
    if (!failures.on_all(shard)) co_return true;
  }
  co_return false;
}

// What the log knows of deletes of the document.
Async<Result<void>> recall_deletes(const Tools& tools, Position incarnation,
                                   const DocumentCopies& copies, Knowledge& knowledge) {
  MIROIR_CO_TRY(const auto tombstone, co_await tools.log.tombstone(incarnation, copies.id));
  if (!tombstone) co_return Result<void>{};
  knowledge.deleted = tombstone->stamp;
  knowledge.expired = tombstone->of_expiry;
  // It may have outlived several, one after the other.
  for (std::optional<Tombstone> each = tombstone; each && each->of_expiry;) {
    MIROIR_CO_TRY(const auto sweep, co_await kept_entry(tools.log, each->position));
    if (sweep == nullptr) break;
    if (each->position == tombstone->position) knowledge.swept = sweep->stamp;
    const bool any_rests = std::ranges::any_of(copies.owners, [&](const Copy& copy) {
      return copy.stored.base && *copy.stored.base <= each->stamp &&
             copy.stored.stamp > tombstone->stamp;
    });
    if (!any_rests) break;
    MIROIR_CO_TRY(const bool passed_over,
                  co_await was_passed_over(tools, incarnation, copies.id, each->stamp, sweep));
    if (!passed_over) break;
    MIROIR_CO_TRY(each, co_await tools.log.tombstone(incarnation, copies.id, each->stamp));
    knowledge.passed_over = each ? each->stamp : 0;
  }
  co_return Result<void>{};
}

}  // namespace

Async<Result<bool>> outdated(const Tools& tools, const IndexUnderTest& index, const Judged& judged,
                             Position read_at) {
  MIROIR_CO_TRY(const Log::Later later,
                co_await tools.log.later_writes(index.incarnation, judged.copies.id, read_at));
  const bool copies =
      judged.decision.action != Action::kDelete && judged.decision.action != Action::kAdopt;
  co_return later.overtaken || (!later.merges.empty() && !copies);
}

Async<Result<Settled>> settle_and_judge(const Tools& tools, IndexUnderTest index, Roster& roster,
                                        std::vector<std::string> ids, Counter bytes, Lanes lanes) {
  std::optional<Semaphore::Permit> standing;
  if (lanes == Lanes::kStand) standing = tools.forwarders.stand_still(kStandstillMax);
  Settled settled;
  settled.read_at = tools.log.head();
  const Stamp fence_stamp = tools.log.head_stamp();

  std::vector<Async<std::pair<std::string, bool>>> waits;
  for (const std::string& node : roster.readable_nodes()) {
    waits.push_back(catch_up(tools, node, settled.read_at));
  }
  for (const auto& [node, done] : co_await gather(std::move(waits))) {
    if (!done)
      roster.lose(node, "has not applied what was written before the copies were to be read");
  }
  if (tools.stopping()) co_return std::unexpected(cut_off());

  const std::vector<std::string> nodes = roster.readable_nodes();
  std::vector<Async<NodeCopies>> reads;
  for (const std::string& node : nodes) {
    Request request{.ids = ids, .bytes_max = kCopiesBytesMax / nodes.size(), .bytes = bytes};
    reads.push_back(read_copies(tools, index, node, std::move(request), settled.read_at));
  }
  std::map<std::string, CopiesById> read;
  std::size_t asked = ids.size();
  for (NodeCopies& its : co_await gather(std::move(reads))) {
    if (its.read) {
      asked = std::min(asked, its.read->asked);
      read.emplace(its.node, std::move(its.read->copies));
      const NodeStatus status = tools.cluster.status(its.node);
      if (status.state != ReplicaState::kInSync)
        roster.demote(its.node, status.state_why, tools.cluster.progress(its.node).taken_behind);
    } else {
      roster.lose(its.node, its.read.error().message);
    }
  }
  const auto left_over = ids.begin() + static_cast<std::ptrdiff_t>(asked);
  settled.left_over.assign(std::move_iterator(left_over), std::move_iterator(ids.end()));
  ids.erase(left_over, ids.end());
  for (const std::string& node : awaiting_recovery(tools.cluster))
    if (read.erase(node) > 0) roster.lose(node, tools.cluster.status(node).state_why);
  standing.reset();
  if (tools.stopping()) co_return std::unexpected(cut_off());

  MIROIR_CO_TRY(const IndexState* state, unchanged(tools.log.catalogue(), index));
  Knowledge knowledge;
  knowledge.born = state->born;
  knowledge.newest = tools.log.head_stamp();
  knowledge.horizon = horizon_of(tools.log, *state);
  Harvest harvest(tools, index);
  Failures failures(tools, index.incarnation);
  if (tools.options.names.expiry) knowledge.now = tools.clock.wall_now();

  MIROIR_CO_TRY(const Clears clears, co_await Clears::of(tools.log, tools.cluster, *state));
  const Policy policy{.tie = tools.options.tie, .foreign = tools.options.foreign_documents};

  for (const std::string& id : ids) {
    DocumentCopies copies = assemble(tools, index, roster, read, id);
    bool moving = false;
    for (const auto* group : {&copies.owners, &copies.strays}) {
      for (const Copy& copy : *group) {
        moving =
            moving || (copy.stored.stamp > fence_stamp && copy.stored.stamp <= knowledge.newest);
      }
    }
    Judged judged{.copies = std::move(copies), .knowledge = knowledge, .decision = {}};
    if (!moving) {
      MIROIR_CO_CHECK(
          co_await recall_deletes(tools, index.incarnation, judged.copies, judged.knowledge));
      judged.knowledge.cleared = clears.newest_of(id);
      MIROIR_CO_CHECK(co_await harvest.mark_taken_over(judged.copies));
      MIROIR_CO_CHECK(co_await failures.mark(judged.copies));
      judged.decision = decide(judged.copies, judged.knowledge, policy);
      const Reason reason = judged.decision.reason;
      if (reason == Reason::kMaybeDeleted || reason == Reason::kNoSource) {
        MIROIR_CO_CHECK(co_await harvest.ask_log(judged.copies));
        judged.decision = decide(judged.copies, judged.knowledge, policy);
      }
      if (const Copy* winner = winner_of(judged.copies, judged.decision);
          winner != nullptr && judged.decision.action == Action::kRestore) {
        MIROIR_CO_TRY(const bool any, co_await harvest.find_as_logged(judged.copies, *winner));
        if (any) judged.decision = decide(judged.copies, judged.knowledge, policy);
      }
      if (judged.decision.action != Action::kNone) {
        MIROIR_CO_TRY(moving, co_await outdated(tools, index, judged, settled.read_at));
      }
    }
    if (moving) {
      settled.moving.push_back(id);
    } else {
      settled.documents.push_back(std::move(judged));
    }
  }
  co_return settled;
}

std::vector<Taint> ended_taints(const Tools& tools, const IndexUnderTest& index, Position read_at,
                                const Judged& judged) {
  std::vector<Taint> ended;
  // Alone, a copy is right whatever it is.
  const auto& owners = judged.copies.owners;
  const bool compared = std::ranges::any_of(owners, [](const Copy& copy) {
    return copy.presence != Presence::kUnknown && copy.in_sync && !copy.tainted;
  });
  const bool agreed = owners.size() > 1 && judged.decision.action == Action::kNone &&
                      std::ranges::any_of(owners, &Copy::in_sync) &&
                      std::ranges::none_of(owners, [](const Copy& copy) {
                        return copy.presence == Presence::kUnknown;
                      });
  for (std::size_t i = 0; i < judged.copies.owners.size(); ++i) {
    const Copy& copy = judged.copies.owners[i];
    if (judged.decision.owners[i].finding != Finding::kRight || !(compared || agreed)) continue;
    // The log knows of those too that were found harmless only until the first clean pass.
    auto taint = tools.log.taint(index.incarnation, judged.copies.id, copy.node);
    if (taint && taint->newest() <= read_at) ended.push_back(std::move(*taint));
  }
  return ended;
}

}  // namespace miroir::anti_entropy
