#include "cluster/history.h"

#include <algorithm>
#include <limits>

#include "cluster/state_reasons.h"

namespace miroir {
namespace {

constexpr std::size_t kPage = 1'000;
// How far back a node's queue is searched for a task of ours; further back it counts as empty.
constexpr int kPagesBackMax = 100;
// Tasks of others in a row, between two of ours, that are counted.
constexpr std::int64_t kStrangersMax = 32;
constexpr std::uint64_t kAnyRun = std::numeric_limits<std::uint64_t>::max();

TaskUid to_uid(std::int64_t number) {
  return static_cast<TaskUid>(
      std::clamp<std::int64_t>(number, 0, std::numeric_limits<TaskUid>::max()));
}

// The tasks of the page of numbers that ends with this one.
Async<Result<std::vector<NodeTask>>> page_up_to(NodeClient& client, std::int64_t last,
                                                Instant deadline) {
  const std::int64_t first = last - static_cast<std::int64_t>(kPage) + 1;
  return client.tasks(to_uid(first), to_uid(last), kPage, deadline);
}

// The newest run of Miroir that reached the node: its row may be older than what its tasks tell.
Async<Result<std::uint64_t>> newest_run(Log& log, std::uint64_t of_row, Position told) {
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(log, told));
  co_return std::max(of_row, entry == nullptr ? 0 : entry->run);
}

// Up to where the log is the one that had this entry, which it does not know: both rose, in number
// and in time, from the same. What runs of Miroir took that did not reach the node is not of it.
Async<Result<Position>> shared_before(SentLog sent, EntryMark lost, std::uint64_t reached) {
  MIROIR_CO_TRY(const Position later, co_await first_where(sent.log, [&](const Entry& entry) {
                  return entry.stamp >= lost.stamp || entry.run > reached;
                }));
  co_return std::min({lost.position - 1, later - 1, sent.up_to});
}

// What a node does for itself, or for who runs it: its indexes are as before.
bool changes_no_index(std::string_view type) {
  constexpr std::array<std::string_view, 6> kTypes = {"snapshotCreation", "dumpCreation",
                                                      "export",           "indexCompaction",
                                                      "upgradeDatabase",  "taskDeletion"};
  return std::ranges::count(kTypes, type) > 0;
}

// What tasks of ours tell that come after all that the log knows: it does not have their entries,
// or has others under their numbers, or these are beyond what the node was sent of it.
Async<Result<LostLog>> lost_in(std::vector<NodeTask> tasks, SentLog sent,
                               std::uint64_t run = kAnyRun) {
  LostLog lost;
  std::optional<EntryMark> first;
  Position told = 0;
  bool none_older = false;
  for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) {
    const auto mark = parse_task_metadata(task->custom_metadata);
    if (!mark) continue;
    MIROIR_CO_TRY(const bool known, co_await knows(sent, *mark));
    lost.any_known = known;
    if (known) told = mark->position;
    if (known) break;
    lost.newest = std::max(lost.newest, mark->position);
    first = mark;
    none_older = std::all_of(std::next(task), tasks.rend(),
                             [](const NodeTask& older) { return changes_no_index(older.type); });
  }
  if (first) {
    MIROIR_CO_TRY(std::uint64_t reached, co_await newest_run(sent.log, run, told));
    if (none_older) reached = kAnyRun;  // those of what was sent before may have been deleted
    MIROIR_CO_TRY(lost.shared, co_await shared_before(sent, *first, reached));
  }
  co_return lost;
}

std::string why_lost(Position lost, Position head) {
  return std::string(kLogWentBack) + ": the node holds a task of an entry " + std::to_string(lost) +
         " which the log does not know (its head is " + std::to_string(head) + ")";
}

// The node still has the last task we saw: are those after it ours? Others that change no index
// only move the offset, where the task before each is there: it would be a stranger's, deleted, and
// nobody knows what it did. By how much, where the store was put back and has the row from before
// that, only tasks tell that carry their position.
Async<Result<History>> check_newer(NodeClient& client, NodeProgress progress, SentLog sent,
                                   NodeTask newest, std::int64_t first, Instant deadline) {
  History history{.verdict = History::Verdict::kOurs,
                  .resume_after = progress.acknowledged,
                  .offset = progress.offset,
                  .resume_at = progress.acknowledged_at,
                  .why = {},
                  .lost = 0};
  // Where it was not seen to hold any task before, those may have been deleted.
  if (progress.acknowledged_at.empty()) {
    history.obscured = std::numeric_limits<Position>::max();
  } else {
    history.held[progress.acknowledged] = to_uid(first - 1);
  }
  std::optional<EntryMark> lost;  // the first
  Position told = 0;              // by metadata, of the log's: it was sent all before, too
  Position guessed = 0;           // before the first, by the others: it may be of either log
  std::int64_t offset = progress.offset;  // that the newest of ours had
  std::int64_t strangers = 0;             // since that one
  for (std::int64_t before = first - 1; first <= std::int64_t{newest.uid};) {
    MIROIR_CO_TRY(const std::vector<NodeTask> page,
                  co_await client.tasks(to_uid(first), newest.uid, kPage, deadline));
    for (const NodeTask& task : page) {
      const bool follows = std::int64_t{task.uid} == std::exchange(before, task.uid) + 1;
      MIROIR_CO_TRY(const std::optional<Position> position,
                    co_await identify(task, offset, sent));
      const auto mark = parse_task_metadata(task.custom_metadata);
      if (mark && position) {
        told = std::max(told, *position);
        history.held[*position] = task.uid;
        history.obscured = std::min(history.obscured, *position - 1);
      }
      if (mark && !position) {
        history.lost = std::max(history.lost, mark->position);
        if (!lost) lost = mark;
      }
      if (!position && task.type == node_task_type(EntryKind::kForgetNodeTasks))
        history.obscured = std::numeric_limits<Position>::max();
      const std::int64_t theirs =
          std::int64_t{task.uid} - static_cast<std::int64_t>(position.value_or(0));
      if (position && theirs >= offset && theirs <= offset + strangers) {
        history.resume_after = *position;
        history.resume_at = task.enqueued_at;
        if (!lost) guessed = *position;
        offset = theirs;
        strangers = 0;
      } else if (history.verdict == History::Verdict::kOurs && follows &&
                 changes_no_index(task.type)) {
        strangers = std::min(strangers + 1, kStrangersMax);
      } else if (history.verdict == History::Verdict::kOurs) {
        strangers = 0;
        history.verdict = History::Verdict::kForeign;
        history.why = std::string(kForeignTask) + ": its task " + std::to_string(task.uid) + " (" +
                      task.type + (task.index_uid.empty() ? "" : " of index " + task.index_uid) +
                      ") is not Miroir's";
      }
    }
    if (page.size() < kPage) break;
    first = std::int64_t{page.back().uid} + 1;
  }
  if (lost) {
    history.why = why_lost(history.lost, sent.log.head());
    MIROIR_CO_TRY(const Position older, co_await shared_before(sent, *lost, kAnyRun));
    const bool untold = told == 0 && history.obscured > 0;
    if (guessed <= older) told = std::max(told, guessed);
    MIROIR_CO_TRY(std::uint64_t reached, co_await newest_run(sent.log, progress.run, told));
    if (untold) reached = kAnyRun;
    MIROIR_CO_TRY(const Position shared, co_await shared_before(sent, *lost, reached));
    history.resume_after = std::max({progress.acknowledged, shared, told});
  }
  history.offset = std::int64_t{newest.uid} - static_cast<std::int64_t>(history.resume_after);
  history.resume_at = newest.enqueued_at;
  co_return history;
}

// The newest task of ours among these, and whether others came after it. A disk that was put back
// was written under an older offset, which the tasks that carry their position tell; what others
// wrote after those moved it, by one at most for each. A swap that is taken for somebody else's
// would be done twice.
struct NewestOfOurs {
  Position position = 0;            // 0: none is ours
  std::optional<TaskUid> stranger;  // the newest task after it
  std::int64_t deletion = -1;       // the newest of those that deletes tasks
  std::int64_t any_deletion = -1;   // …of those before it, too
};
Async<Result<NewestOfOurs>> newest_of_ours(std::vector<NodeTask> tasks, std::int64_t current,
                                           SentLog sent) {
  NewestOfOurs newest;
  Position told = 0;              // by metadata; the others are guessed
  std::int64_t offset = current;  // that the newest of ours had
  std::int64_t strangers = 0;     // since that one
  for (const NodeTask& task : tasks) {
    const bool tells = parse_task_metadata(task.custom_metadata).has_value();
    const Position before = tells ? told : newest.position;
    const std::int64_t moved_max = tells ? 0 : strangers;
    std::optional<Position> position;
    for (std::int64_t moved = 0; moved <= moved_max && !position; ++moved) {
      MIROIR_CO_TRY(position, co_await identify(task, offset + moved, sent));
      if (position && (*position <= before || *position > task.uid)) position.reset();
    }
    if (position) {
      newest.position = *position;
      newest.stranger.reset();
      newest.deletion = -1;
      if (tells) told = *position;
      offset = std::int64_t{task.uid} - static_cast<std::int64_t>(*position);
      strangers = 0;
    } else {
      newest.stranger = task.uid;
      if (task.type == node_task_type(EntryKind::kForgetNodeTasks)) {
        newest.deletion = task.uid;
        newest.any_deletion = task.uid;
      }
      if (newest.position > 0) strangers = std::min(strangers + 1, kStrangersMax);
    }
  }
  co_return newest;
}

// The newest of ours under numbers up to `last`, 0 if none is seen; nothing: it has no such task.
Async<Result<std::optional<Position>>> newest_up_to(NodeClient& client, std::int64_t last,
                                                    std::int64_t offset, SentLog sent,
                                                    Instant deadline) {
  MIROIR_CO_TRY(const auto oldest, co_await client.tasks(0, to_uid(last), 1, deadline));
  if (oldest.empty()) co_return std::nullopt;
  for (int pages = 0; pages < kPagesBackMax && last >= std::int64_t{oldest[0].uid}; ++pages) {
    MIROIR_CO_TRY(const std::vector<NodeTask> page, co_await page_up_to(client, last, deadline));
    MIROIR_CO_TRY(const NewestOfOurs ours, co_await newest_of_ours(page, offset, sent));
    if (ours.position > 0) co_return ours.position;
    last -= static_cast<std::int64_t>(kPage);
  }
  co_return 0;
}

// The tasks of entries after one, up to another, as they tell themselves: a disk that was put back
// has them under other numbers than the row says. Of one that was sent twice the newest.
Async<Result<std::map<Position, TaskUid>>> tasks_between(NodeClient& client, Position after,
                                                         Position up_to, std::int64_t last,
                                                         SentLog sent, Instant deadline) {
  std::map<Position, TaskUid> found;
  if (after >= up_to) co_return found;
  MIROIR_CO_TRY(const auto oldest, co_await client.tasks(0, to_uid(last), 1, deadline));
  const std::int64_t first = oldest.empty() ? last + 1 : oldest[0].uid;
  bool older = false;
  for (int pages = 0; pages < kPagesBackMax && last >= first && !older; ++pages) {
    MIROIR_CO_TRY(const std::vector<NodeTask> page, co_await page_up_to(client, last, deadline));
    for (auto task = page.rbegin(); task != page.rend() && !older; ++task) {
      const auto mark = parse_task_metadata(task->custom_metadata);
      if (!mark) continue;
      MIROIR_CO_TRY(const bool known, co_await knows({sent.log, sent.node, up_to}, *mark));
      older = known && mark->position <= after;
      if (known && !older) found.try_emplace(mark->position, task->uid);
    }
    last -= static_cast<std::int64_t>(kPage);
  }
  co_return found;
}

// The last task we saw is gone: the newest one of ours that is left tells how far back the node
// went. Or it is the log that went back, and one of the entries that it lost deleted the task. Or
// somebody else deleted it: what tasks there were is not known, but nothing says that the node
// lacks what it acknowledged, and to do it all again would be to undo what came after. Unless its
// number was given to another since: then the disk was put back besides, and of what clients were
// not told of yet nobody knows that it is there.
Async<Result<History>> find_back(NodeClient& client, NodeProgress progress, SentLog sent,
                                 NodeTask newest, bool given_again, Instant deadline) {
  const std::int64_t marker = static_cast<std::int64_t>(progress.acknowledged) + progress.offset;
  History history;
  if (std::int64_t{newest.uid} < marker) {
    history.verdict = History::Verdict::kWentBack;
    history.why = "it went back: its newest task is " + std::to_string(newest.uid) + ", and task " +
                  std::to_string(marker) + " had been acknowledged";
  } else {
    history.verdict = History::Verdict::kForeign;
    history.why = std::string(kForeignHistory) + ": task " + std::to_string(marker) +
                  " is not the one it acknowledged";
  }
  history.resume_after = 0;
  std::int64_t last = newest.uid;
  bool found = false;
  bool deleted = false;
  for (int pages = 0; pages < kPagesBackMax && last >= 0 && !found; ++pages) {
    MIROIR_CO_TRY(const std::vector<NodeTask> page, co_await page_up_to(client, last, deadline));
    // Of a node that took newer ones it is the disk that went back.
    MIROIR_CO_TRY(const LostLog lost, co_await lost_in(page, sent, progress.run));
    if (lost.newest > progress.acknowledged) {
      const Position resume_after = std::max(progress.acknowledged, lost.shared);
      MIROIR_CO_TRY(auto held, co_await tasks_between(client, progress.done, resume_after,
                                                      newest.uid, sent, deadline));
      co_return History{
          .verdict = History::Verdict::kForeign,
          .resume_after = resume_after,
          .offset = std::int64_t{newest.uid} - static_cast<std::int64_t>(resume_after),
          .resume_at = newest.enqueued_at,
          .why = why_lost(lost.newest, sent.log.head()),
          .lost = lost.newest,
          .held = std::move(held),
          .obscured = std::numeric_limits<Position>::max()};
    }
    MIROIR_CO_TRY(const NewestOfOurs ours, co_await newest_of_ours(page, progress.offset, sent));
    history.resume_after = ours.position;
    const bool hidden = deleted || ours.any_deletion > marker;
    if (ours.position > progress.acknowledged && (given_again || !hidden)) {
      history.put_back = true;
      MIROIR_CO_TRY(history.put_back_to,
                    co_await newest_up_to(client, marker, progress.offset, sent, deadline));
      history.obscured = history.put_back_to.value_or(0);
    }
    found = ours.position > 0;
    deleted = deleted || ours.deletion > marker;
    if (ours.stranger && history.verdict == History::Verdict::kWentBack) {
      history.verdict = History::Verdict::kForeign;
      history.why += "; its task " + std::to_string(*ours.stranger) + " is not Miroir's";
    }
    last -= static_cast<std::int64_t>(kPage);
  }
  if (deleted) {
    if (given_again && !history.put_back) history.put_back_to = history.resume_after;
    const Position kept =
        given_again ? std::min(progress.settled, progress.acknowledged) : progress.acknowledged;
    history.resume_after = std::max(history.resume_after, kept);
    history.why += "; somebody deleted tasks of it";
  }
  const Position after =
      history.put_back ? std::min(progress.done, history.obscured) : progress.done;
  MIROIR_CO_TRY(history.held, co_await tasks_between(client, after, history.resume_after,
                                                     newest.uid, sent, deadline));
  history.offset = std::int64_t{newest.uid} - static_cast<std::int64_t>(history.resume_after);
  history.resume_at = newest.enqueued_at;
  co_return history;
}

}  // namespace

Async<Result<bool>> newest_tasks_ended(NodeClient& client, Instant deadline, std::int64_t last) {
  MIROIR_CO_TRY(const auto newest, co_await client.newest_task(deadline));
  if (!newest) co_return true;
  last = std::min(last, std::int64_t{newest->uid});
  MIROIR_CO_TRY(const auto tasks, co_await page_up_to(client, last, deadline));
  co_return std::ranges::all_of(tasks, &NodeTask::ended);
}

Async<Result<LostLog>> find_lost_log(NodeClient& client, SentLog sent, Instant deadline) {
  MIROIR_CO_TRY(const std::optional<NodeTask> newest, co_await client.newest_task(deadline));
  std::int64_t last = newest ? std::int64_t{newest->uid} : -1;
  for (int pages = 0; pages < kPagesBackMax && last >= 0; ++pages) {
    MIROIR_CO_TRY(const std::vector<NodeTask> page, co_await page_up_to(client, last, deadline));
    MIROIR_CO_TRY(const LostLog lost, co_await lost_in(page, sent));
    if (lost.newest > 0 || lost.any_known) co_return lost;
    last -= static_cast<std::int64_t>(kPage);
  }
  co_return LostLog();
}

Async<Result<History>> check_history(NodeClient& client, NodeProgress progress, SentLog sent,
                                     Instant deadline) {
  MIROIR_CO_TRY(const std::optional<NodeTask> newest, co_await client.newest_task(deadline));
  // No task of any kind when we last looked: nothing to find again.
  const bool unmarked = progress.acknowledged_at.empty();
  if (!newest) {
    History history{.verdict = History::Verdict::kOurs,
                    .resume_after = progress.acknowledged,
                    .offset = progress.offset,
                    .resume_at = progress.acknowledged_at,
                    .why = {}};
    if (!unmarked) {
      history.verdict = History::Verdict::kWentBack;
      history.resume_after = 0;
      history.offset = 0;
      history.resume_at.clear();
      history.why = "it went back: its task queue is empty";
    }
    co_return history;
  }
  const std::int64_t marker = static_cast<std::int64_t>(progress.acknowledged) + progress.offset;
  if (!unmarked) {
    MIROIR_CO_TRY(const std::optional<NodeTask> last_seen,
                  co_await client.task(to_uid(marker), deadline));
    if (!last_seen || last_seen->enqueued_at != progress.acknowledged_at) {
      co_return co_await find_back(client, std::move(progress), sent, *newest,
                                   last_seen.has_value(), deadline);
    }
  }
  co_return co_await check_newer(client, std::move(progress), sent, *newest,
                                 unmarked ? 0 : marker + 1, deadline);
}

}  // namespace miroir
