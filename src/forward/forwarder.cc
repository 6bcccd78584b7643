#include "forward/forwarder.h"

#include <algorithm>
#include <deque>
#include <limits>

#include "cluster/entry_failures.h"
#include "cluster/own_tasks.h"
#include "cluster/state_reasons.h"
#include "forward/doubt_indexes.h"
#include "forward/overtaken.h"
#include "forward/plan.h"
#include "forward/replay.h"
#include "forward/take_back.h"
#include "forward/voiding.h"
#include "forward/why_not_to_drop.h"
#include "meili/api_key.h"

namespace miroir {
namespace {

constexpr std::size_t kReadAhead = 64;
constexpr Microseconds kSaveInterval = Milliseconds(100);
constexpr Microseconds kStandStep = Milliseconds(5);
// A node that we have not heard of for longer may have been replaced without a failed connection.
constexpr Microseconds kTrustedFor = Milliseconds(1'000);

}  // namespace

// A row is held back by tasks that are open (durable_done).
Position Forwarder::ended(const NodeProgress& row) { return std::max(row.done, row.renumbered); }

Forwarder::Forwarder(ForwardContext context, Outcomes& outcomes, FilterResolver& resolver,
                     Metrics& metrics, std::string node)
    : context_(context),
      resolver_(resolver),
      outcomes_(outcomes),
      node_(std::move(node)),
      client_(context_.cluster.client(node_)),
      watcher_(context_, outcomes, node_, ended(context_.cluster.progress(node_))),
      progress_(context_.cluster.progress(node_)),
      stopped_(metrics.gauge("miroir_forwarder_stopped",
                             "Whether the node refused several writes in a row and its lane waits.",
                             {{"node_id", node_}})) {
  stopped_.set(0);
  context_.cluster.set_done(node_, watcher_.done());
  handed_over_ = looked_up_to_ = context_.log.head();
  if (progress_.reason == kBroughtUp) complete_at_ = context_.log.head();
}

Async<void> Forwarder::run() {
  for (;;) {
    auto established = co_await establish();
    Error why;
    if (established) {
      looked_ = true;
      context_.cluster.report_healthy(node_);
      last_contact_ = context_.clock.now();
      watcher_.resume(looked_over_);
      why = co_await forward();
      watcher_.pause();
    } else {
      why = std::move(established).error();
    }
    if (why.code == ErrorCode::kConflict) {
      // The node answers, but not as expected: its history tells.
      if (attempts_++ > 0) co_await back_off();
      continue;
    }
    context_.cluster.set_held_up(node_, true);
    if (why.code != ErrorCode::kInvalid) context_.cluster.report_unhealthy(node_, why);
    ++attempts_;
    co_await back_off();
  }
}

Async<void> Forwarder::run_saving() {
  for (;;) {
    if (context_.cluster.joined(node_) &&
        (unsaved_ || context_.cluster.progress(node_).done != durable_done())) {
      auto saved = co_await save();
      if (!saved)
        log_warning("cannot save a node's progress",
                    {{"node", node_}, {"error", saved.error().message}});
      co_await promote_if_complete();
      co_await context_.clock.sleep_for(kSaveInterval);
    } else {
      co_await promote_if_complete();
      co_await context_.stirred.wait();
    }
  }
}

// What the node's row may say: all that is done, unless every other row already passed a task that
// is open.
Position Forwarder::durable_done() const {
  const Position done = watcher_.done();
  const Position before = context_.cluster.progress(node_).done;
  if (done <= before || done <= context_.settled) return done;
  for (const NodeConfig& other : context_.cluster.topology().nodes()) {
    if (other.id != node_ && context_.cluster.progress(other.id).done <= context_.settled)
      return done;
  }
  return std::max(before, context_.settled);
}

Async<Result<void>> Forwarder::save() {
  if (!context_.cluster.joined(node_)) co_return Result<void>();
  NodeProgress row = progress_;
  row.done = durable_done();
  row.settled = context_.settled;
  unsaved_ = false;
  auto saved = co_await context_.cluster.save_progress(node_, std::move(row));
  if (!saved) unsaved_ = true;
  co_return saved;
}

void Forwarder::doubt() {
  watcher_.report_trouble(Error{ErrorCode::kConflict, "the node was away"});
}

Async<void> Forwarder::back_off() {
  const std::int64_t lowest = context_.options.retry_delay_min.count();
  const std::int64_t highest = context_.options.retry_delay_max.count();
  std::int64_t delay = highest;
  if (refusals_ < context_.options.refusals_in_a_row_max && attempts_ < 16) {
    delay = std::min(highest, lowest << attempts_);
  }
  // Between a half and the whole of it.
  delay = delay / 2 + static_cast<std::int64_t>(
                          context_.random.below(static_cast<std::uint64_t>(delay / 2 + 1)));
  co_await context_.clock.sleep_for(Milliseconds(delay));
}

// Hands over entries until something makes another look at the node's history necessary; returns
// what.
Async<Error> Forwarder::forward() {
  std::deque<std::shared_ptr<const Entry>> ahead;
  for (;;) {
    if (auto trouble = watcher_.take_trouble()) co_return std::move(*trouble);
    // Entries that are gone leave no trace among those that follow.
    co_await miss(context_.log.forgotten());
    if (ahead.empty() && watcher_.passed() >= context_.log.head()) attempts_ = 0;
    if (watcher_.size() >= context_.options.tasks_in_flight_max ||
        (ahead.empty() && watcher_.passed() >= context_.log.head())) {
      co_await wait();
      continue;
    }
    if (ahead.empty()) {
      auto entries = co_await context_.log.entries(watcher_.passed() + 1, kReadAhead);
      if (!entries) {
        log_warning("cannot read the log", {{"node", node_}, {"error", entries.error().message}});
        co_await context_.clock.sleep_for(kInsistDelay);
        continue;
      }
      ahead.assign(entries->begin(), entries->end());
      continue;
    }
    std::shared_ptr<const Entry>& next = ahead.front();
    if (next->position <= watcher_.passed()) {
      ahead.pop_front();
      continue;
    }
    if (co_await held_back(next)) continue;
    handed_over_ = std::max(handed_over_, next->position);
    if (unresolved(*next)) {
      resolver_.want(next->position);
      context_.stirred.notify_all();
      while (resolver_.pending(next->position) && !watcher_.has_trouble()) co_await wait();
      ahead.clear();  // it reads differently now
      continue;
    }
    auto sent = co_await hand_over(next);
    if (!sent) co_return std::move(sent).error();
  }
}

// For what the node has, or for others: it is not what holds up the lane.
Async<void> Forwarder::wait() {
  context_.cluster.set_held_up(node_, false);
  co_await context_.stirred.wait();
}

void Forwarder::release(Position position, std::optional<Json> outcome) {
  if (outcome) {
    held_[position] = std::move(outcome);
  } else {
    held_.erase(position);
  }
  context_.stirred.notify_all();
}

// Whether the lane must look again before it hands the entry over: it waited, or passed it.
Async<bool> Forwarder::held_back(std::shared_ptr<const Entry> entry) {
  const Position position = entry->position;
  const bool stands = std::ranges::any_of(context_.standstills, [&](const Standstill& standstill) {
    return position > standstill.position && context_.clock.now() < standstill.until;
  });
  if (stands) {
    co_await context_.clock.sleep_for(kStandStep);
    co_return true;
  }
  if (auto held = held_.find(position); held != held_.end()) {
    if (!held->second) {
      co_await context_.stirred.wait();
      co_return true;
    }
    watcher_.add_refused(position, *held->second);
    held_.erase(position);
    co_return true;
  }
  if (position > looked_up_to_ || !concerns(*entry, node_, context_.cluster.topology()))
    co_return false;
  auto failures = co_await EntryFailures::of(context_.log, context_.cluster, position);
  if (!failures) {
    co_await context_.clock.sleep_for(kInsistDelay);
    co_return true;
  }
  if (held_.contains(position)) co_return true;  // meanwhile
  // What was cancelled is void on all, on those too that joined since.
  const Json* here = failures->on(node_);
  if (here == nullptr || !(voided_by(*here) || context_.is_open(*entry))) {
    here = failures->first([](const Json& error) { return voided_by(error).value_or(0) != 0; });
  }
  if (here == nullptr) co_return false;
  // What follows from it may have been cut off.
  co_await insist(context_.clock, "outcome",
                  [this, entry, &here] { return outcomes_.failed(entry, node_, *here); });
  watcher_.add_refused(position, *here);
  co_return true;
}

Async<Result<void>> Forwarder::hand_over(std::shared_ptr<const Entry> entry) {
  if (!concerns(*entry, node_, context_.cluster.topology())) {
    watcher_.pass(entry->position);
    co_return Result<void>();
  }
  if (is_key(entry->kind)) co_return co_await put_key(std::move(entry));
  if (spares_foreign(*entry)) {
    if (watcher_.size() > 0) {
      co_await wait();
      co_return Result<void>();
    }
    MIROIR_CO_TRY(
        const std::string why,
        co_await why_not_to_drop(client_, entry->index_uid, context_.options.names, deadline()));
    if (!why.empty()) {
      co_await not_sent(std::move(entry), why);
      co_return Result<void>();
    }
  }
  if (has_lost_body(*entry)) {
    co_await miss(context_.log.trimmed());
    watcher_.pass(entry->position);
    co_return Result<void>();
  }
  auto write = co_await build(entry);
  if (write) {
    if (*write) co_return co_await enqueue(std::move(entry), std::move(**write));
    const bool repair = entry->kind == EntryKind::kRepairDocuments || is_adoption(*entry);
    co_await not_sent(std::move(entry), repair ? "all of it was written again after it was read"
                                               : "it failed on all nodes that it was sent to");
    co_return Result<void>();
  }
  if (write.error().code == ErrorCode::kNotFound && has_lost_body(*entry))
    co_return Result<void>();  // meanwhile
  if (write.error().code == ErrorCode::kTooLarge) {
    // Nobody was asked: it says nothing of the node.
    co_await not_sent(std::move(entry), write.error().message);
    co_return Result<void>();
  }
  // The store, not the node; or the lane was interrupted.
  log_warning("cannot make a request of an entry",
              {{"position", entry->position}, {"error", write.error().message}});
  co_await context_.clock.sleep_for(kInsistDelay);
  co_return Result<void>();
}

Async<Result<std::optional<NodeWrite>>> Forwarder::build(std::shared_ptr<const Entry> entry) {
  const Topology& topology = context_.cluster.topology();
  // What failed on all owners did not happen, and shall not when it is sent again.
  std::optional<EntryFailures> failures;
  if (entry->position <= looked_up_to_ && !entry->target) {
    MIROIR_CO_TRY(failures,
                  co_await EntryFailures::of(context_.log, context_.cluster, entry->position));
  }
  // What no client asked for is done again.
  if (!has_records(entry->kind) && !entry->task_type.empty() && failures &&
      did_not_happen(*entry, *failures))
    co_return std::nullopt;
  if (!has_records(entry->kind)) {
    MIROIR_CO_TRY(NodeWrite write, write_of(*entry, progress_.offset));
    co_return std::optional(std::move(write));
  }
  PartBuilder part(*entry, context_.options.names, context_.options.request_bytes_max);
  if (entry->kind == EntryKind::kRepairDocuments) {
    MIROIR_CO_TRY(const std::vector<BodyRecord> records,
                  co_await replayed(context_, entry, [this] { return watcher_.has_trouble(); }));
    for (const BodyRecord& record : records) MIROIR_CO_CHECK(part.add(record));
    co_return part.take();
  }
  Overtaken newer;
  if (is_adoption(*entry)) {
    MIROIR_CO_TRY(newer, co_await overtaken(context_.log, entry));
  }
  MIROIR_CO_CHECK(
      co_await context_.log.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
        if (newer.contains(record.id) || !is_for(*entry, record, node_, topology)) return {};
        if (failures && failures->on_all(topology.shard_of(record.slot))) return {};
        return part.add(record);
      }));
  co_return part.take();
}

Async<Result<void>> Forwarder::put_key(std::shared_ptr<const Entry> entry) {
  // Nodes take no key that has expired, and need none: it opens nothing.
  if (entry->kind == EntryKind::kPutKey &&
      !meili::is_alive(entry->arguments, context_.clock.wall_now())) {
    watcher_.pass(entry->position);
    co_return Result<void>();
  }
  MIROIR_CO_CHECK(co_await look_before_use(deadline()));
  Result<void> done;
  if (entry->kind == EntryKind::kPutKey) {
    done = co_await client_.put_key(entry->arguments, deadline());
  } else {
    const Json* uid = entry->arguments.find("uid");
    done = co_await client_.delete_key(uid != nullptr && uid->is_string() ? uid->as_string() : "",
                                       deadline());
    if (!done && done.error().code == ErrorCode::kNotFound) done = Result<void>();
  }
  if (!done && done.error().code == ErrorCode::kInvalid) {
    // By its clock the key may have expired: that says nothing of how it takes documents.
    log_warning("key refused by a node",
                {{"node", node_}, {"position", entry->position}, {"error", done.error().message}});
    co_await not_sent(std::move(entry), done.error().message);
    co_return Result<void>();
  }
  MIROIR_CO_CHECK(done);
  accepted();
  watcher_.pass(entry->position);
  co_return Result<void>();
}

Async<Result<void>> Forwarder::enqueue(std::shared_ptr<const Entry> entry, NodeWrite write) {
  const std::int64_t number = static_cast<std::int64_t>(entry->position) + progress_.offset;
  if (number > std::numeric_limits<TaskUid>::max()) {
    co_return fail(ErrorCode::kUnsupported,
                   "the node's task numbers are used up (32 bits): replace it by an empty one");
  }
  MIROIR_CO_CHECK(co_await look_before_use(deadline()));
  const auto uid = static_cast<TaskUid>(number);
  auto enqueued = co_await client_.enqueue(
      std::move(write), uid, task_metadata({entry->position, entry->stamp}), deadline());
  if (!enqueued && enqueued.error().code == ErrorCode::kInvalid) {
    co_return co_await refused(std::move(entry), enqueued.error());
  }
  // The index is made by an earlier entry; where that failed, so does this.
  if (!enqueued && enqueued.error().code == ErrorCode::kNotFound) {
    co_return co_await refused(std::move(entry), enqueued.error());
  }
  MIROIR_CO_CHECK(enqueued);
  if (enqueued->uid != uid) {
    co_return fail(ErrorCode::kUnsupported,
                   "the node gave task number " + std::to_string(enqueued->uid) + " where " +
                       std::to_string(uid) +
                       " was asked: start it with --experimental-replication-parameters");
  }
  MIROIR_CO_CHECK(co_await look_after_reconnect(deadline()));
  accepted();
  last_contact_ = context_.clock.now();
  progress_.acknowledged = entry->position;
  progress_.acknowledged_at = enqueued->enqueued_at;
  unsaved_ = true;
  watcher_.add(std::move(entry), uid, std::move(enqueued->enqueued_at));
  co_return Result<void>();
}

void Forwarder::accepted() {
  attempts_ = 0;
  context_.cluster.set_held_up(node_, false);
  if (refusals_ == 0) return;
  refusals_ = 0;
  stopped_.set(0);
  context_.cluster.set_stopped(node_, false);
}

Async<Result<void>> Forwarder::refused(std::shared_ptr<const Entry> entry, Error error) {
  if (++refusals_ >= context_.options.refusals_in_a_row_max) {
    if (!context_.cluster.status(node_).stopped) {
      log_error("lane stopped: the node refuses one write after another",
                {{"node", node_}, {"position", entry->position}, {"error", error.message}});
      context_.cluster.set_stopped(node_, true);
      stopped_.set(1);
    }
    co_return fail(ErrorCode::kInvalid, std::move(error.message));
  }
  log_warning("write refused by a node",
              {{"node", node_}, {"position", entry->position}, {"error", error.message}});
  co_await not_sent(std::move(entry), std::move(error.message));
  co_return Result<void>();
}

// The lane moves on without a task of this entry on the node, and remembers why.
Async<void> Forwarder::not_sent(std::shared_ptr<const Entry> entry, std::string why) {
  const Json outcome = meili::to_json(meili::api_error("bad_request", std::move(why)));
  co_await insist(context_.clock, "outcome",
                  [this, entry, outcome] { return outcomes_.failed(entry, node_, outcome); });
  watcher_.add_refused(entry->position, outcome);
}

// After silence, or over a new connection: is the newest task still the last one that we saw?
Async<Result<void>> Forwarder::look_before_use(Instant until) {
  const std::uint64_t connections = client_.connections();
  if (connections == looked_over_ &&
      (watcher_.size() > 0 || context_.clock.now() - last_contact_ < kTrustedFor))
    co_return Result<void>();
  MIROIR_CO_TRY(const std::optional<NodeTask> newest, co_await client_.newest_task(until));
  const std::int64_t marker = static_cast<std::int64_t>(progress_.acknowledged) + progress_.offset;
  const bool same = newest ? std::int64_t{newest->uid} == marker &&
                                 newest->enqueued_at == progress_.acknowledged_at
                           : progress_.acknowledged_at.empty();
  if (!same)
    co_return fail(ErrorCode::kConflict, "the node's newest task is not the last one sent");
  last_contact_ = context_.clock.now();
  looked_over_ = connections;
  co_return Result<void>();
}

// A request that opened a connection may have reached the node on another disk, and its own task
// would hide that: before it is taken for the last one that we saw, the one before it is asked for.
Async<Result<void>> Forwarder::look_after_reconnect(Instant until) {
  const std::uint64_t connections = client_.connections();
  if (connections == looked_over_) co_return Result<void>();
  if (!progress_.acknowledged_at.empty()) {
    const auto marker =
        static_cast<TaskUid>(static_cast<std::int64_t>(progress_.acknowledged) + progress_.offset);
    MIROIR_CO_TRY(const std::optional<NodeTask> before, co_await client_.task(marker, until));
    if (!before || before->enqueued_at != progress_.acknowledged_at)
      co_return fail(ErrorCode::kConflict, "the last task sent is gone from the node");
  }
  looked_over_ = connections;
  co_return Result<void>();
}

bool Forwarder::has_lost_body(const Entry& entry) const {
  return entry.body != 0 && entry.position <= context_.log.trimmed();
}

// Up to `last` the log no longer holds all that this node missed. The lane goes on with what is
// left, operations on indexes above all; the reconciler brings the rest by comparison.
Async<void> Forwarder::miss(Position last) {
  const Position first = watcher_.passed();
  if (first >= last || last <= missed_) co_return;
  const std::string why = "the log no longer holds what it missed; it is healed by comparison";
  const ReplicaState state = context_.cluster.status(node_).state;
  complete_at_.reset();
  co_await insist(context_.clock, "replica state", [this, state, why] {
    return context_.cluster.set_state(
        node_, state == ReplicaState::kInSync ? ReplicaState::kStale : state, why);
  });
  progress_.forget_gaps(
      std::min(context_.log.forgotten(), context_.cluster.progress(node_).proven));
  progress_.skip(first, last);
  if (first < context_.log.operations_forgotten() ||
      context_.cluster.progress(node_).doubted(first)) {
    co_await insist(context_.clock, "doubts",
                    [this, last] { return doubt_indexes(context_.log, node_, last); });
  }
  co_await insist(context_.clock, "progress", [this] { return save(); });
  co_await insist(context_.clock, "taints",
                  [this, first, last] { return outcomes_.skipped(first, last); });
  handed_over_ = std::max(handed_over_, last);
  looked_up_to_ = std::max(looked_up_to_, last);  // what is left of it may not have happened
  missed_ = last;
}

Async<void> Forwarder::promote_if_complete() {
  if (!complete_at_ || watcher_.done() < *complete_at_) co_return;
  if (!awaiting_recovery(context_.cluster).empty()) co_return;  // the log is not whole
  complete_at_.reset();
  const NodeStatus status = context_.cluster.status(node_);
  if (status.state != ReplicaState::kJoining) co_return;
  // Of an index that a recovery took over the log does not hold all: the reconciler compares it.
  if (context_.log.catalogue().any_taken_over()) co_return;
  // It was empty and has applied the whole log: the same prefix, the same content.
  for (;;) {
    auto proven = co_await context_.cluster.prove_in_sync(node_, status.setbacks);
    if (proven || proven.error().code == ErrorCode::kConflict) co_return;
    co_await context_.clock.sleep_for(kInsistDelay);
  }
}

}  // namespace miroir
