// How a lane finds out where its node stands: joining, and what follows from the node's history.
#include <algorithm>

#include "cluster/state_reasons.h"
#include "forward/doubt_indexes.h"
#include "forward/forwarder.h"
#include "forward/plan.h"

namespace miroir {
namespace {

constexpr std::size_t kEntriesAtOnce = 256;
constexpr Microseconds kBacklogLook = Milliseconds(5);
// More than any node lags behind, and fewer than the log keeps by default: what is older than that
// counts as known.
constexpr Position kPositionsLeftOut = 500'000;

}  // namespace

Async<Result<void>> Forwarder::establish() {
  const Instant until = deadline();
  MIROIR_CO_CHECK(co_await client_.probe(until));
  if (!context_.cluster.joined(node_)) MIROIR_CO_CHECK(co_await join(until));
  const std::uint64_t connections = client_.connections();
  MIROIR_CO_TRY(History history,
                co_await check_history(client_, row_as_watched(), sent(handed_over_), until));
  looked_over_ = connections;
  co_return co_await adopt(std::move(history));
}

Async<Result<History>> Forwarder::recheck(Instant deadline) {
  if (!context_.cluster.joined(node_))
    co_return fail(ErrorCode::kUnavailable, "node " + node_ + " has not joined yet");
  const Position acknowledged = progress_.acknowledged;
  MIROIR_CO_TRY(History history,
                co_await check_history(client_, row_as_watched(), sent(), deadline));
  if (history.verdict != History::Verdict::kOurs) {
    // Where the lane went on meanwhile, it looks anew.
    if (progress_.acknowledged == acknowledged &&
        context_.cluster.status(node_).state == ReplicaState::kInSync) {
      MIROIR_CO_CHECK(
          co_await context_.cluster.set_state(node_, ReplicaState::kStale, history.why));
    }
    watcher_.report_trouble(Error{ErrorCode::kConflict, history.why});
  }
  co_return history;
}

SentLog Forwarder::sent(Position up_to) const { return {context_.log, node_, up_to}; }

// The tasks of what is behind it are looked for.
NodeProgress Forwarder::row_as_watched() const {
  NodeProgress row = progress_;
  row.done = watcher_.passed();
  row.settled = context_.settled;
  return row;
}

// The offset is fixed here: its task numbers go on where the node's own end.
Async<Result<void>> Forwarder::join(Instant until) {
  MIROIR_CO_TRY(const std::optional<NodeTask> newest, co_await client_.newest_task(until));
  MIROIR_CO_TRY(const bool ended, co_await newest_tasks_ended(client_, until));
  MIROIR_CO_TRY(const std::vector<NodeIndex> indexes, co_await client_.indexes(until));
  if (!ended && indexes.empty())
    co_return fail(ErrorCode::kUnavailable, "what it holds is not known while it has tasks");
  NodeProgress row;
  row.run = context_.log.run();
  if (newest) {
    row.offset = newest->uid;
    row.acknowledged_at = newest->enqueued_at;
  }
  const auto& nodes = context_.cluster.topology().nodes();
  const bool all_new = std::ranges::all_of(
      nodes, [this](const NodeConfig& node) { return context_.cluster.status(node.id).done == 0; });
  ReplicaState state = ReplicaState::kJoining;
  if (newest) {
    MIROIR_CO_TRY(const LostLog lost, co_await find_lost_log(client_, sent(handed_over_), until));
    // Who is empty where others are not was once another Miroir's: it holds nothing of the log's.
    const bool told = !indexes.empty() || all_new;
    if (!told) MIROIR_CO_CHECK(co_await raise_log(lost.newest));
    if (told && lost.newest > 0) lost_ = lost;
    if (lost_.newest > 0) {
      row.acknowledged = row.done = lost_.shared;
      row.offset = std::int64_t{newest->uid} - static_cast<std::int64_t>(row.done);
    }
  }
  if (!indexes.empty() || lost_.newest > 0) {
    row.reason = lost_.newest == 0
                     ? std::string(kHeldIndexes)
                     : std::string(kLogWentBack) + ": the node holds entries of another";
    MIROIR_CO_CHECK(co_await raise_log(lost_.newest));
  } else if (all_new && awaiting_recovery(context_.cluster).empty()) {
    state = ReplicaState::kInSync;  // empty, as the others are
  } else {
    row.reason = kBroughtUp;
    complete_at_ = context_.log.head();
  }
  if (!all_new) {
    // What is decided, is decided without it; of all else it is an owner.
    while (!context_.backlog_read) co_await context_.clock.sleep_for(kBacklogLook);
    row.joined = context_.settled;
    looked_up_to_ = context_.log.head();
  }
  watcher_.pass(row.done);
  progress_ = row;
  co_return co_await context_.cluster.join(node_, std::move(row), state);
}

// Positions go on far above those that the node was sent before the log went back (another may have
// been sent more), so that what carries such a number is never taken for what is given it again.
// Once for all that tell, or nearly so.
Async<Result<void>> Forwarder::raise_log(Position lost) {
  if (lost == 0 || context_.log.head() > lost + kPositionsLeftOut / 2) co_return Result<void>();
  const auto judge = [&](const Catalogue&, Position) -> Result<std::vector<Entry>> {
    Entry entry;
    entry.origin = Origin::kSystem;
    entry.kind = EntryKind::kTaskOperation;
    entry.position = lost + kPositionsLeftOut;
    return std::vector{std::move(entry)};
  };
  MIROIR_CO_CHECK(co_await context_.log.append(judge, WhenFull::kTake));
  co_return Result<void>();
}

bool Forwarder::holds_less(const History& history) const {
  return history.verdict == History::Verdict::kWentBack ||
         history.resume_after < progress_.acknowledged;
}

// Recovery takes nodes as they are when they tell that the log went back: not those of which more
// is known. So what a node lacks is told first, and what somebody else did to it besides.
std::string Forwarder::reason_of(const History& history) const {
  const NodeStatus before = context_.cluster.status(node_);
  const std::string behind = std::string(kLogWentBackBehind) + ": ";
  if (holds_less(history) && before.state_why.starts_with(kLogWentBack))
    return behind + history.why;
  const bool was_behind =
      before.state != ReplicaState::kInSync &&
      (!may_await_recovery(before.state_why) || before.state_why.starts_with(kForeignHistory));
  if (history.lost > 0) return was_behind ? behind + before.state_why : history.why;
  const bool written_to = history.why.starts_with(kForeignTask);
  if (!written_to && before.state_why.starts_with(kForeignTask))
    return history.why + "; " + before.state_why;
  if (!written_to || !was_behind) return history.why;
  return before.state_why.contains(kForeignTask) ? before.state_why
                                                 : before.state_why + "; " + history.why;
}

Async<Result<void>> Forwarder::adopt(History history) {
  MIROIR_CO_CHECK(co_await raise_log(history.lost));
  if (history.verdict != History::Verdict::kOurs) {
    log_warning("node's history", {{"node", node_}, {"why", history.why}});
    complete_at_.reset();
    const bool joining = context_.cluster.status(node_).state == ReplicaState::kJoining;
    MIROIR_CO_CHECK(co_await context_.cluster.set_state(
        node_, joining ? ReplicaState::kJoining : ReplicaState::kStale, reason_of(history)));
    if (holds_less(history)) {
      // What the node does not hold any more is sent again; what it holds may still be under way.
      looked_up_to_ = std::max(looked_up_to_, watcher_.passed());
      watcher_.restart(std::min(watcher_.done(), history.resume_after));
      progress_.renumbered = std::min(progress_.renumbered, watcher_.done());
      missed_ = 0;
    }
    // What it took since would hide what it lacks of all that clients were not told of yet.
    if (history.put_back)
      watcher_.restart(std::min(watcher_.done(), std::max(history.obscured, context_.settled)));
  }
  if (history.put_back_to) {
    // What was deleted there of its tasks it may have done, and does again.
    const Position taken = history.put_back ? history.resume_after : progress_.acknowledged + 1;
    MIROIR_CO_CHECK(co_await doubt_if_renamed(context_, node_, *history.put_back_to, taken));
  }
  Position unsent = 0;
  if (history.lost > 0) {
    MIROIR_CO_TRY(unsent, co_await newest_unsent(history));
  }
  // Recovery takes it for what it holds of later entries.
  if (unsent > 0) MIROIR_CO_CHECK(co_await doubt_indexes(context_.log, node_, unsent));
  co_await recover_tasks(history, unsent);
  if (history.offset != progress_.offset) {
    // Tasks under the old numbers must have ended before the offset moves: no row tells which
    // number was whose.
    MIROIR_CO_CHECK(co_await drain());
    progress_.renumbered = watcher_.done();
  }
  progress_.acknowledged = history.resume_after;
  progress_.acknowledged_at = history.resume_at;
  progress_.offset = history.offset;
  progress_.run = context_.log.run();
  // It answered: that the store is full makes no node away, whose bodies may go (DESIGN.md,
  // "Trimming"). Until it is written down, the node is looked at anew.
  if (auto saved = co_await save(); !saved)
    co_return fail(ErrorCode::kConflict, std::move(saved).error().message);
  co_return Result<void>();
}

Async<Result<void>> Forwarder::drain() {
  watcher_.resume(looked_over_);
  while (watcher_.size() > 0) {
    if (auto trouble = watcher_.take_trouble()) co_return std::unexpected(std::move(*trouble));
    co_await wait();
  }
  watcher_.pause();
  co_return Result<void>();
}

// A log that went back may not know that the node was never sent an entry: the body was gone, or it
// was refused or cancelled. A disk that was put back lost what it had been sent. Between the tasks
// before and behind such entries theirs are missing.
bool Forwarder::was_unsent(const Entry& entry, const History& history) const {
  if (entry.body == 0 || !concerns(entry, node_, context_.cluster.topology()) ||
      history.held.contains(entry.position))
    return false;
  // What a client was told stands.
  if (history.put_back) return entry.position > history.obscured && context_.is_open(entry);
  return history.lost > 0 && entry.position > std::max(progress_.acknowledged, history.obscured);
}

// The newest of those whose bodies are gone; 0: none.
Async<Result<Position>> Forwarder::newest_unsent(History history) const {
  const Position last = std::min(history.resume_after, context_.log.trimmed());
  std::vector<Position> unsent;
  for (Position next = std::max(watcher_.passed(), progress_.acknowledged) + 1; next <= last;) {
    MIROIR_CO_TRY(const auto entries, co_await context_.log.entries(next, kEntriesAtOnce));
    if (entries.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : entries) {
      const Position position = entry->position;
      if (position <= last && has_lost_body(*entry) && was_unsent(*entry, history))
        unsent.push_back(position);
    }
    next = entries.back()->position + 1;
  }
  for (; !unsent.empty(); unsent.pop_back()) {
    MIROIR_CO_TRY(const auto failures, co_await context_.log.failures(unsent.back()));
    if (!failures.contains(node_)) co_return unsent.back();
  }
  co_return 0;
}

// Whose number is not told follows those that are.
TaskUid Forwarder::task_of(Position position, const History& history) const {
  std::int64_t offset = progress_.offset;
  auto told = history.held.upper_bound(position);
  if (told != history.held.begin()) --told;
  if (told != history.held.end())
    offset = std::int64_t{told->second} - static_cast<std::int64_t>(told->first);
  return static_cast<TaskUid>(std::max<std::int64_t>(0, std::int64_t(position) + offset));
}

// The tasks that the node has and nobody watches: sent before a crash, or without an answer. Up to
// `unsent` it was not sent those whose bodies are gone.
Async<void> Forwarder::recover_tasks(History history, Position unsent) {
  const Position last = history.resume_after;
  while (watcher_.passed() < last) {
    std::vector<std::shared_ptr<const Entry>> entries;
    co_await insist(context_.clock, "reading the log", [this, &entries] {
      return [](Log& log, Position first,
                std::vector<std::shared_ptr<const Entry>>& out) -> Async<Result<void>> {
        MIROIR_CO_TRY(out, co_await log.entries(first, kEntriesAtOnce));
        co_return Result<void>();
      }(context_.log, watcher_.passed() + 1, entries);
    });
    // Of what is forgotten nobody knows how it ended.
    const Position forgotten = context_.log.forgotten();
    co_await miss(std::min(last, forgotten));
    if (entries.empty()) watcher_.pass(last);
    for (std::shared_ptr<const Entry>& entry : entries) {
      if (entry->position > last) {
        watcher_.pass(last);
        break;
      }
      const bool unknown = entry->position <= forgotten && !is_operation(*entry);
      if (unknown || is_key(entry->kind) || !concerns(*entry, node_, context_.cluster.topology())) {
        watcher_.pass(entry->position);
        continue;
      }
      if (has_lost_body(*entry)) {
        if (entry->position > progress_.acknowledged && entry->position <= unsent)
          co_await miss(unsent);
        if (progress_.skipped(entry->position)) {
          watcher_.pass(entry->position);
          continue;
        }
      } else if (was_unsent(*entry, history)) {
        std::map<std::string, Json> failures;
        co_await insist(context_.clock, "outcomes", [this, &entry, &failures] {
          return [](Log& log, Position position,
                    std::map<std::string, Json>& out) -> Async<Result<void>> {
            MIROIR_CO_TRY(out, co_await log.failures(position));
            co_return Result<void>();
          }(context_.log, entry->position, failures);
        });
        if (!failures.contains(node_)) {
          co_await not_sent(entry, history.put_back
                                       ? "the node's disk was put back to before it was sent"
                                       : "it was not sent before the log went back");
          continue;
        }
      }
      if (unresolved(*entry)) resolver_.want(entry->position);  // a log that went back forgot it
      const TaskUid uid = task_of(entry->position, history);
      watcher_.add(std::move(entry), uid, "");
    }
  }
}

}  // namespace miroir
