#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>

#include "base/async.h"
#include "cluster/own_tasks.h"
#include "log/log.h"
#include "node_api/node_client.h"

namespace miroir {

// Compares what the node remembers with what the log knows of it (invariant 10). kOurs: go on after
// `resume_after`.
struct History {
  enum class Verdict {
    kOurs,      // the last task we saw is still there; tasks after it are ours
    kWentBack,  // an older disk, or an empty one: its newest task is an older one of ours (or none)
    kForeign,   // somebody else made tasks after ours
  };
  Verdict verdict = Verdict::kOurs;
  Position resume_after = 0;  // positions up to here are on the node already
  std::int64_t offset = 0;    // to use from now on
  std::string resume_at;      // enqueuedAt of the newest task, whose uid is resume_after + offset
  std::string why;            // a sentence for people where the verdict is not kOurs
  Position lost = 0;          // LostLog::newest
  bool put_back = false;      // its disk, which took `resume_after` before anybody looked
  // What that disk held, or at least where tasks of it were deleted; nothing: no task.
  std::optional<Position> put_back_to = {};
  // Where it was, or the log was lost: entries that tasks there tell of, and these tasks. Up to
  // `obscured` there may be, or have been, others.
  std::map<Position, TaskUid> held = {};
  Position obscured = 0;
};
// Whether the newest page of a node's tasks have ended, up to a number.
Async<Result<bool>> newest_tasks_ended(
    NodeClient& client, Instant deadline,
    std::int64_t last = std::numeric_limits<std::int64_t>::max());
// What a node tells of a log that went on otherwise than this one (invariant 11).
struct LostLog {
  Position newest = 0;     // of which it holds a task; 0: it tells of none
  Position shared = 0;     // entries up to here are of both
  bool any_known = false;  // before those it holds a task of an entry that the log has
};
// Looks for such tasks in the queue of a node that the log never knew, up to one that it has.
Async<Result<LostLog>> find_lost_log(NodeClient& client, SentLog sent, Instant deadline);
Async<Result<History>> check_history(NodeClient& client, NodeProgress progress, SentLog sent,
                                     Instant deadline);

}  // namespace miroir
