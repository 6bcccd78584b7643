#include "forward/task_watcher.h"

#include <algorithm>
#include <limits>

#include "cluster/state_reasons.h"
#include "forward/plan.h"
#include "meili/api_error.h"
#include "meili/task.h"

namespace miroir {
namespace {

constexpr Microseconds kPollMin = Milliseconds(10);
constexpr Microseconds kPollMax = Milliseconds(200);
constexpr std::size_t kTasksPerPage = 1'000;
// Ended tasks whose details are kept for the clients' tasks; older ones are asked of the node
// again.
constexpr std::size_t kRecentMax = 10'000;

EntryStamp stamp_of(const std::string& text) {
  auto time = meili::parse_date_time(text, false);
  return time ? static_cast<EntryStamp>(std::max<std::int64_t>(0, time->time_since_epoch().count()))
              : 0;
}

}  // namespace

EndedTask to_ended_task(const NodeTask& task) {
  EndedTask end;
  end.failed = task.status != "succeeded";
  end.details = task.details;
  end.error = task.error;
  if (end.failed && end.error.is_null()) {
    end.error = meili::to_json(
        meili::api_error("internal", "The task was " + task.status + " on the node."));
  }
  end.started = stamp_of(task.started_at);
  end.finished = stamp_of(task.finished_at);
  return end;
}

TaskWatcher::TaskWatcher(ForwardContext context, Outcomes& outcomes, std::string node,
                         Position done)
    : context_(context), outcomes_(outcomes), node_(std::move(node)), passed_(done) {}

void TaskWatcher::pass(Position position) {
  passed_ = std::max(passed_, position);
  context_.cluster.set_done(node_, done());
  context_.stirred.notify_all();
}

void TaskWatcher::add(std::shared_ptr<const Entry> entry, TaskUid uid, std::string enqueued_at) {
  const Position position = entry->position;
  const bool recovered = enqueued_at.empty();
  in_flight_[position] = {.entry = std::move(entry),
                          .uid = uid,
                          .enqueued_at = std::move(enqueued_at),
                          .recovered = recovered};
  pass(position);
}

void TaskWatcher::add_refused(Position position, Json error) {
  keep(position,
       {.failed = true, .details = {}, .error = std::move(error), .started = 0, .finished = 0});
  pass(position);
}

void TaskWatcher::restart(Position passed) {
  ++epoch_;
  in_flight_.clear();
  recent_.clear();
  passed_ = passed;
  context_.cluster.set_done(node_, done());
  context_.stirred.notify_all();
}

void TaskWatcher::resume(std::uint64_t looked_over) {
  looked_over_ = looked_over;
  ++looks_;
  for (auto& [position, task] : in_flight_) task.recovered = true;
  paused_ = false;
  trouble_.reset();
  context_.stirred.notify_all();
}

void TaskWatcher::report_trouble(Error error) {
  paused_ = true;
  if (!trouble_) trouble_ = std::move(error);
  context_.stirred.notify_all();
}

bool TaskWatcher::has_ended(Position position) const {
  if (position > passed_ || context_.cluster.progress(node_).skipped(position)) return false;
  auto found = in_flight_.find(position);
  return found == in_flight_.end() || found->second.ended;
}

bool TaskWatcher::has_begun(Position position) const {
  auto found = in_flight_.find(position);
  return found == in_flight_.end() ? recent_.contains(position)
                                   : found->second.processing || found->second.ended;
}

const EndedTask* TaskWatcher::ended(Position position) const {
  auto found = recent_.find(position);
  return found == recent_.end() ? nullptr : &found->second;
}

void TaskWatcher::keep(Position position, EndedTask end) {
  recent_[position] = std::move(end);
  if (recent_.size() > kRecentMax) recent_.erase(recent_.begin());
}

Async<void> TaskWatcher::run() {
  Microseconds delay = kPollMin;
  for (;;) {
    if (paused_ || in_flight_.empty()) {
      co_await context_.stirred.wait();
      delay = kPollMin;
      continue;
    }
    auto progressed = co_await poll();
    if (!progressed) {
      report_trouble(std::move(progressed).error());
      continue;
    }
    delay = *progressed ? kPollMin : std::min(delay * 2, kPollMax);
    co_await context_.clock.sleep_for(delay);
  }
}

Async<Result<bool>> TaskWatcher::poll() {
  const std::uint64_t epoch = epoch_;
  const std::uint64_t looks = looks_;
  // Those that its history told of may be numbered otherwise than in order.
  TaskUid first = std::numeric_limits<TaskUid>::max();
  TaskUid last = 0;
  for (const auto& [position, task] : in_flight_) {
    if (task.ended) continue;
    first = std::min(first, task.uid);
    last = std::max(last, task.uid);
  }
  auto answer = co_await context_.cluster.client(node_).tasks(
      first, last, kTasksPerPage, context_.clock.now() + context_.options.request_timeout);
  if (epoch != epoch_) co_return false;
  if (!answer) co_return std::unexpected(std::move(answer).error());
  std::map<TaskUid, const NodeTask*> by_uid;
  for (const NodeTask& task : *answer) by_uid[task.uid] = &task;
  const TaskUid covered = answer->size() < kTasksPerPage ? last : answer->back().uid;

  std::vector<Position> asked;
  for (const auto& [position, task] : in_flight_) {
    if (task.uid <= covered && !task.ended) asked.push_back(position);
  }
  bool progressed = false;
  for (Position position : asked) {
    auto found = in_flight_.find(position);
    if (found == in_flight_.end()) continue;
    InFlight& task = found->second;
    auto answered = by_uid.find(task.uid);
    if (answered == by_uid.end()) {
      // Over a new connection the node may have answered from another disk: it is looked at. Where
      // that finds its history right, so was the answer before.
      const bool same = context_.cluster.client(node_).connections() == looked_over_;
      const bool looked = task.gone_at != 0 && task.gone_at < looks;
      if (!task.recovered || !(same || looked)) {
        if (task.gone_at == 0 && looks == looks_ && !paused_) task.gone_at = looks;
        co_return fail(ErrorCode::kConflict,
                       "task " + std::to_string(task.uid) + " is gone from the node");
      }
      co_await settle_vanished(task.entry, task.uid);
    } else if (!task.recovered && answered->second->enqueued_at != task.enqueued_at) {
      co_return fail(ErrorCode::kConflict, "task " + std::to_string(task.uid) +
                                               " is not the one that the node acknowledged");
    } else if (!answered->second->ended()) {
      found->second.processing = answered->second->status == "processing";
      continue;
    } else {
      co_await settle(task.entry, to_ended_task(*answered->second));
    }
    if (epoch != epoch_) co_return false;
    progressed = true;
  }
  co_return progressed;
}

// Records the outcome, then counts the task as ended.
Async<void> TaskWatcher::settle(std::shared_ptr<const Entry> entry, EndedTask end) {
  const std::uint64_t epoch = epoch_;
  const auto its = in_flight_.find(entry->position);
  if (!end.failed && its != in_flight_.end() && its->second.recovered && context_.is_open(*entry)) {
    if (std::optional<Json> before = co_await failed_before(entry->position)) {
      end.failed = true;
      end.error = std::move(*before);
    }
    if (epoch != epoch_) co_return;
  }
  if (end.failed) {
    const Json* message = end.error.find("message");
    log_warning(
        "task failed on a node",
        {{"node", node_},
         {"position", entry->position},
         {"index", entry->index_uid},
         {"error", message != nullptr && message->is_string() ? message->as_string() : ""}});
  }
  co_await insist(context_.clock, "outcome", [this, entry, failed = end.failed, error = end.error] {
    return failed ? outcomes_.failed(entry, node_, error) : outcomes_.applied(entry, node_);
  });
  if (epoch != epoch_) co_return;
  auto found = in_flight_.find(entry->position);
  if (found == in_flight_.end()) co_return;
  found->second.ended = true;
  keep(entry->position, std::move(end));
  drop_ended();
  context_.cluster.set_done(node_, done());
  context_.stirred.notify_all();
}

Async<std::optional<Json>> TaskWatcher::failed_before(Position position) {
  std::map<std::string, Json> failures;
  co_await insist(context_.clock, "outcome", [this, position, &failures]() -> Async<Result<void>> {
    return [](Log& log, Position at, std::map<std::string, Json>& out) -> Async<Result<void>> {
      MIROIR_CO_TRY(out, co_await log.failures(at));
      co_return Result<void>();
    }(context_.log, position, failures);
  });
  const auto here = failures.find(node_);
  co_return here == failures.end() ? std::nullopt : std::optional(here->second);
}

// The node went on past the task and does not have it: it refused the request, and that outcome is
// recorded, or somebody deleted the task from its queue, which takes one that has ended. How,
// nobody knows; most succeed, and what is taken to have failed everywhere is taken back: what the
// nodes did is not to be undone. So the node is compared. Where the log went back it was a lost
// entry that deleted the task; and of a delete by filter that was looked up, and the log that knew
// it lost, nothing may have been sent.
Async<void> TaskWatcher::settle_vanished(std::shared_ptr<const Entry> entry, TaskUid uid) {
  if (unresolved(*entry) || context_.cluster.status(node_).state_why.starts_with(kLogWentBack))
    co_return co_await settle(std::move(entry), EndedTask{});
  EndedTask end;
  if (std::optional<Json> refused = co_await failed_before(entry->position)) {
    end.failed = true;
    end.error = std::move(*refused);
  } else {
    const std::string why =
        "task " + std::to_string(uid) + " was deleted from the node before it was seen to end";
    co_await insist(context_.clock, "replica state", [this, why] {
      return context_.cluster.set_state(node_, ReplicaState::kStale, why);
    });
  }
  co_await settle(std::move(entry), std::move(end));
}

void TaskWatcher::drop_ended() {
  while (!in_flight_.empty() && in_flight_.begin()->second.ended)
    in_flight_.erase(in_flight_.begin());
}

}  // namespace miroir
