#pragma once

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/history.h"
#include "forward/context.h"
#include "forward/filter_resolver.h"
#include "forward/outcomes.h"
#include "forward/task_watcher.h"

namespace miroir {

// One node's lane: hands it the entries that concern it, one request after another, in the log's
// order. Before its first request, and after anything went wrong, it looks at the node's history
// and goes on where the node stands (invariant 10); so a lost answer is never sent twice, and
// nothing is skipped. What is not answered is repeated for ever; what is refused is a failed
// outcome here, and several in a row stop the lane until the node takes the next.
class Forwarder {
 public:
  Forwarder(ForwardContext context, Outcomes& outcomes, FilterResolver& resolver, Metrics& metrics,
            std::string node);
  Async<void> run();  // sends
  Async<void> run_watch() { return watcher_.run(); }
  Async<void> run_saving();  // keeps the node's row near what is known
  // Durable when it returns.
  Async<Result<void>> save();
  // Looks at the history beside the lane; what it finds wrong the lane will act on.
  Async<Result<History>> recheck(Instant deadline);
  // The node stopped answering, or may have been restarted: look before the next use.
  void doubt();

  // Whether the node cannot have been sent the entry, by this process or one before it, and nobody
  // holds it.
  bool can_hold(Position position) const {
    return position > handed_over_ && !held_.contains(position);
  }
  // The lane stands before an entry that it has not handed over until it is released: with the
  // outcome that is recorded for it here, it is never sent.
  void hold(Position position) { held_.emplace(position, std::nullopt); }
  void release(Position position, std::optional<Json> outcome);

  bool has_looked() const { return looked_; }
  const std::string& node() const { return node_; }
  const TaskWatcher& tasks() const { return watcher_; }
  std::int64_t offset() const { return progress_.offset; }

 private:
  Async<Result<void>> establish();
  Async<Result<void>> join(Instant deadline);
  Async<Result<void>> raise_log(Position lost);
  Async<Result<void>> adopt(History history);
  bool holds_less(const History& history) const;
  std::string reason_of(const History& history) const;
  Async<Result<void>> drain();
  Async<void> recover_tasks(History history, Position unsent);
  bool was_unsent(const Entry& entry, const History& history) const;
  TaskUid task_of(Position position, const History& history) const;
  SentLog sent(Position up_to = std::numeric_limits<Position>::max()) const;
  NodeProgress row_as_watched() const;
  Async<Result<Position>> newest_unsent(History history) const;
  Async<Error> forward();
  Async<Result<void>> hand_over(std::shared_ptr<const Entry> entry);
  Async<bool> held_back(std::shared_ptr<const Entry> entry);
  Async<void> wait();
  Async<Result<void>> put_key(std::shared_ptr<const Entry> entry);
  Async<Result<void>> enqueue(std::shared_ptr<const Entry> entry, NodeWrite write);
  Async<Result<std::optional<NodeWrite>>> build(std::shared_ptr<const Entry> entry);
  Async<Result<void>> refused(std::shared_ptr<const Entry> entry, Error error);
  Async<void> not_sent(std::shared_ptr<const Entry> entry, std::string why);
  void accepted();
  Async<Result<void>> look_before_use(Instant deadline);
  Async<Result<void>> look_after_reconnect(Instant deadline);
  bool has_lost_body(const Entry& entry) const;
  Async<void> miss(Position last);
  Async<void> promote_if_complete();
  Position durable_done() const;
  static Position ended(const NodeProgress& row);
  Async<void> back_off();
  Instant deadline() const { return context_.clock.now() + context_.options.request_timeout; }

  ForwardContext context_;
  FilterResolver& resolver_;
  Outcomes& outcomes_;
  std::string node_;
  NodeClient& client_;
  TaskWatcher watcher_;
  NodeProgress
      progress_;  // offset and the last acknowledged task; the rest is filled in when it is saved
  Position handed_over_ = 0;  // the newest that the node may have been sent
  Position missed_ = 0;  // the node's row says that it lacks something up to here
  // Entries up to here may have been sent or held back by a process before this one, or before the
  // node went back: the log tells what became of them.
  Position looked_up_to_ = 0;
  std::map<Position, std::optional<Json>> held_;
  bool unsaved_ = false;
  bool looked_ = false;  // at its node
  Instant last_contact_{};
  std::uint64_t looked_over_ = 0;  // connections up to here led to the node that was looked at
  int attempts_ = 0;
  int refusals_ = 0;
  // What the node told of before it joined: that the log has no such entry, it may soon forget.
  LostLog lost_;
  // A node that was empty when it joined holds everything once it has done everything up to here.
  std::optional<Position> complete_at_;
  Gauge stopped_;
};

}  // namespace miroir
