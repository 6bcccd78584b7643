#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "node_api/node_client.h"

namespace miroir {

// A Meilisearch in memory, for simulations: a task queue numbered by TaskId, batches that share one
// fate, documents, settings and keys. It outlives the processes that speak to it: what it
// acknowledged stays. Tasks end by themselves as the clock moves, or by process_next_batch().
// The same seed and the same calls make the same history.
class SimulatedNode {
 public:
  struct Options {
    std::string id = "node";
    FieldNames names = {};
    bool automatic = true;  // false: tasks end by process_next_batch() alone
    Microseconds task_delay_max{700'000};
    std::size_t batch_tasks_max = 8;
    double task_failure = 0;  // probability that a task fails, and its batch with it
    bool full = false;        // a full disk: no writes
    bool down = false;        // refuses connections
    bool speaks_task_ids = true;
    bool keeps_connections = true;  // false: each request opens one
    Microseconds clock_offset{0};  // its wall clock's, from the true time
  };
  // Text as the node answers it: top-level members of a document.
  using Documents = std::map<std::string, Json>;
  struct Index {
    std::optional<std::string> primary_key;
    std::string created_at;
    Json settings = Json::object();
    Documents documents;
  };
  struct QueuedTask {
    NodeTask task;
    std::string metadata;            // …that it was sent with
    std::optional<NodeWrite> write;  // nullopt once it ended
    Instant ready;
  };
  // All that a disk holds: a restored copy is one.
  struct Disk {
    std::map<std::string, Index> indexes;
    std::map<std::string, Json> keys;
    std::map<TaskUid, QueuedTask> tasks;
    TaskUid next_uid = 0;
  };

  SimulatedNode(Clock& clock, std::uint64_t seed, Options options);

  Options& options() { return options_; }
  const Options& options() const { return options_; }
  const Disk& disk() const { return disk_; }
  // The index's documents, id to text, or nothing where there is no such index.
  std::map<std::string, std::string> documents(const std::string& index_uid) const;

  // What a request would find: tasks that are due have ended, and delayed requests have arrived.
  void catch_up();
  // Ends the oldest batch whether it is due or not; false where nothing is queued.
  bool process_next_batch();
  // Ends everything that is queued.
  void settle();
  // A write that arrives: kConflict where the number is spent.
  Result<Enqueued> enqueue(NodeWrite write, std::optional<TaskUid> uid, std::string metadata);
  // The same, later: a request that nobody waits for any more, or that the network doubled.
  void arrive_later(Instant when, NodeWrite write, TaskUid uid, std::string metadata);
  // Connections die with the node's process, and what was on its way in them.
  void drop_late_requests() { delayed_.clear(); }

  // Tasks that must fail, and their batch with them: asked for every task, the error's code or
  // nothing.
  void fail_tasks(std::function<std::optional<std::string>(const NodeTask&)> rule);

  // …and those that fail alone, whatever they are batched with: by the metadata that they were sent
  // with, which only those on documents show.
  void fail_alone(std::function<bool(std::string_view metadata)> rule) { alone_ = std::move(rule); }

  // Behind Miroir's back: a task that touches no index, and has ended.
  void make_task(const std::string& type);
  // …: every task that has not ended is cancelled, by a task.
  void cancel_tasks();
  // Shown every task that was applied, with the indexes as they were before it.
  using Watcher = std::function<void(const NodeTask&, const std::map<std::string, Index>& before)>;
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  // Faults of disks.
  Disk snapshot() const { return disk_; }
  void restore(Disk disk) {
    disk_ = std::move(disk);
    ++restarts_;
  }
  void wipe() { restore({}); }
  std::uint64_t restarts() const { return restarts_; }

  // Behind Miroir's back, at once and without a task: the whole document, or its end.
  void write_directly(const std::string& index_uid, const std::string& id, Json document);
  void delete_directly(const std::string& index_uid, const std::string& id);
  void drop_directly(const std::string& index_uid) { disk_.indexes.erase(index_uid); }
  void set_directly(const std::string& index_uid, const std::string& setting, Json value);
  // Sets one field and leaves the stamp.
  bool corrupt(const std::string& index_uid, const std::string& id, const std::string& field,
               Json value);

  // kInvalid: it has expired.
  Result<void> put_key(const Json& key);
  void delete_key(const std::string& uid) { disk_.keys.erase(uid); }

 private:
  struct Delayed {
    NodeWrite write;
    TaskUid uid;
    std::string metadata;
  };
  std::string wall_time() const;
  std::vector<TaskUid> next_batch() const;
  void run_batch(const std::vector<TaskUid>& uids);

  Clock& clock_;
  Random random_;
  Options options_;
  Disk disk_;
  std::uint64_t restarts_ = 0;
  std::multimap<Instant, Delayed> delayed_;
  std::function<std::optional<std::string>(const NodeTask&)> rule_;
  std::function<bool(std::string_view metadata)> alone_;
  Watcher watcher_;
};

}  // namespace miroir
