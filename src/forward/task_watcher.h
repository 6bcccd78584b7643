#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "forward/context.h"
#include "forward/outcomes.h"

namespace miroir {

// How an entry's task ended on one node.
struct EndedTask {
  bool failed = false;
  Json details;
  Json error;
  EntryStamp started = 0;
  EntryStamp finished = 0;
};
EndedTask to_ended_task(const NodeTask& task);

// The tasks of one node that were handed over and have not ended: asks after them until they have,
// has their outcomes recorded, and moves `done`. The forwarder hands over; what goes wrong here is
// told to it as trouble, and nothing is asked until it has looked at the node's history and
// resumes.
class TaskWatcher {
 public:
  TaskWatcher(ForwardContext context, Outcomes& outcomes, std::string node, Position done);
  Async<void> run();

  // Everything up to here was handed over, or is not for the node.
  Position passed() const { return passed_; }
  void pass(Position position);
  // `enqueued_at`: as the node acknowledged it; empty: only its history tells that it has the task.
  void add(std::shared_ptr<const Entry> entry, TaskUid uid, std::string enqueued_at);
  void add_refused(Position position, Json error);
  // Forgets all tasks and goes back to a position.
  void restart(Position passed);
  void pause() { paused_ = true; }
  // From here on tasks that are not on the node were refused by it, or vanished. `looked_over`:
  // connections up to here led to the node that was looked at.
  void resume(std::uint64_t looked_over);
  void report_trouble(Error error);
  std::optional<Error> take_trouble() { return std::exchange(trouble_, std::nullopt); }
  bool has_trouble() const { return trouble_.has_value(); }

  std::size_t size() const { return in_flight_.size(); }
  Position done() const { return in_flight_.empty() ? passed_ : in_flight_.begin()->first - 1; }
  // Ended there: not where the node skipped it.
  bool has_ended(Position position) const;
  bool has_begun(Position position) const;
  // Of recent tasks only.
  const EndedTask* ended(Position position) const;

 private:
  struct InFlight {
    std::shared_ptr<const Entry> entry;
    TaskUid uid = 0;
    std::string enqueued_at;
    bool recovered = false;  // its history told of it since it was acknowledged
    bool processing = false;
    bool ended = false;
    std::uint64_t gone_at =
        0;  // the look at the node after which it was found to be gone; 0: never
  };
  // Whether anything ended.
  Async<Result<bool>> poll();
  Async<void> settle(std::shared_ptr<const Entry> entry, EndedTask end);
  Async<void> settle_vanished(std::shared_ptr<const Entry> entry, TaskUid uid);
  Async<std::optional<Json>> failed_before(Position position);
  void keep(Position position, EndedTask end);
  void drop_ended();

  ForwardContext context_;
  Outcomes& outcomes_;
  std::string node_;
  Position passed_ = 0;
  std::map<Position, InFlight> in_flight_;
  std::map<Position, EndedTask> recent_;
  std::uint64_t epoch_ = 0;  // what was asked before a restart says nothing after it
  bool paused_ = true;
  std::uint64_t looked_over_ = 0;
  std::uint64_t looks_ = 0;  // at the node, as far as is known here
  std::optional<Error> trouble_;
};

}  // namespace miroir
