#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/audit_witness.h"
#include "sim/checks.h"
#include "sim/damage.h"
#include "sim/disk_witness.h"
#include "sim/history.h"
#include "sim/ledger.h"
#include "sim/operator_witness.h"
#include "sim/process.h"
#include "sim/sweep_witness.h"
#include "sim/witness.h"

namespace miroir::sim {

// One plan being run: nodes, a disk, simulated time, and a Miroir that dies and comes back. One
// thread; every choice comes from the seed. Keeps the story: one line for each thing that happened.
class World {
 public:
  explicit World(const Plan& plan);
  ~World();

  // Runs a phase's requests and faults, then ends every fault.
  void run_phase(const Phase& phase);
  // Runs quietly until it holds; false when it does not within that time.
  bool run_until(const std::function<bool()>& holds, Microseconds at_most);
  // Runs one coroutine of the process to its end; nothing if it does not end.
  template <class T>
  std::optional<T> await(Async<T> coroutine);

  // A document vanishes from a node, now.
  void lose(const std::string& node, const std::string& index, const std::string& id);
  // A client's request, now; a person's is made while the store has just gone back too.
  void begin(Request request, bool by_person = false);
  // A person's pass, to be begun next.
  Result<std::uint64_t> order(PassKind kind, bool repairs);
  // A person agrees to what waits because of that pass.
  void approve(std::uint64_t pass);
  // Passes that are paused go on.
  void resume();

  void say(const std::string& what);
  const std::vector<std::string>& story() const { return story_; }

  // A Miroir is up, every node is in sync and has done the whole log.
  bool settled() const;
  // The same, but for what only passes can tell.
  bool caught_up() const;
  std::string why_unsettled() const;
  Process& process() { return *process_; }
  std::vector<Operation>& operations() { return operations_; }
  const std::set<Position>& asked_to_cancel() const { return asked_to_cancel_; }
  const Topology& topology() const { return topology_; }
  const Plan& plan() const { return plan_; }
  // Once every node has ended what it was given.
  const Nodes& nodes();
  Witness& witness() { return witness_; }
  SweepWitness& sweep_witness() { return sweep_witness_; }
  AuditWitness& audit_witness() { return audit_witness_; }
  OperatorWitness& operator_witness() { return operator_witness_; }
  // What passes did that they must not do.
  std::vector<std::string> take_wrong();
  // Clients' tasks that had not ended when the store went back, and of which some node could not
  // tell then that they had failed there.
  const std::set<Position>& untold() const { return untold_; }
  const std::set<Position>& kept_back() const { return kept_back_; }  // cancelled in the lost log
  // All that happened, for a checker.
  Chronicle chronicle() const {
    return {ledger_,  cursed_,       adoptions_,          witness_.swept(), witness_.repaired(),
            strange_, drifted_tags_, witness_.filtered(), topology_};
  }
  Subscriber& subscriber() { return subscriber_; }
  // Until what has expired is swept everywhere, once a sweep may begin.
  Microseconds time_to_sweep();
  // Sets the clock behind the end of all that does not live for ever.
  void let_expire();
  std::int64_t milliseconds() const {
    return clock_.wall_now().time_since_epoch() / Milliseconds(1);
  }
  bool strangers_came() const { return !strange_.empty() || !strange_indexes_.empty(); }
  bool everybody_was_written_to() const { return everybody_; }
  // Documents, in either index, whose content nothing tells but a person.
  const std::set<std::string>& doubtful() const { return doubtful_; }
  bool holds_under_other_key(const std::string& node, const std::string& index);
  // False: no stranger made it, nor has an older disk what a lost log had dropped.
  bool drop_index_of_strangers(const std::string& node, const std::string& index);
  // Documents that strangers wrote, in either index.
  std::set<std::string> strange_ids() const;
  // Documents that faults may have damaged, each time counted.
  std::uint64_t damaged_documents() const { return damaged_; }

 private:
  void begin(const Fault& fault);
  void crash(Microseconds away);
  void take_down(const std::string& node, Microseconds for_so_long);
  void put_back(const Fault& fault, bool by_task);
  void put_back_later(const Fault& fault);
  void fail_tasks(const Fault& fault);
  void cancel_newest(int count);
  void write_as_stranger(const Fault& fault);
  void make_index_as_stranger(const Fault& fault);
  void disturb_everybody(const Fault& fault);
  void delete_tasks(const std::string& node, bool newest_too);
  void drift(const Fault& fault);
  void say_policy(const Fault& fault);
  void operate(const Fault& fault);
  void curse(const Fault& fault);
  void lift_curses();
  void touch_key(const Fault& fault);
  bool corrupt(SimulatedNode& node, const Fault& fault);
  void blow();
  void gather_storm(Fault fault);
  bool store_goes_back(MemoryStore::Tables tables);
  void die_before_nodes_tell(const Fault& fault);
  void find_ahead(const Ledger::Entries& lost);
  void find_untold(const SimulatedNode& node);
  void check_sent_again();
  void watch_adoption(const Batch& batch);
  bool in_recovery();
  bool needs_all_nodes();
  bool is_judged(const std::string& index, const std::string& id, Instant since) const;
  void add_node(const std::string& id);
  void add_group(Microseconds away);
  void end_faults();
  void end_node_faults();
  void later(Microseconds delay, std::function<void()> what);
  void set_clock(Microseconds offset);
  // One step of the event loop, or of time up to `end`.
  void step(Instant end);

  const Plan& plan_;
  Topology topology_;
  SimulatedClock clock_;
  Random random_;
  MemoryStore store_;
  Nodes nodes_;
  std::map<std::string, SimulatedNetwork> networks_;
  Journals journals_;
  ReadJournal::Reading reading_;
  Witness witness_;
  SweepWitness sweep_witness_;
  AuditWitness audit_witness_;
  OperatorWitness operator_witness_;
  DiskWitness disk_witness_;
  Subscriber subscriber_;
  std::unique_ptr<Process> process_;

  std::multimap<Instant, std::function<void()>> due_;
  std::map<std::string, Instant> down_until_;
  std::map<std::string, SimulatedNode::Disk> snapshots_;
  std::optional<MemoryStore::Tables> store_copy_;
  Ledger ledger_;
  bool in_recovery_ = false;   // the store went back, and Miroir has not come to terms with it yet
  Position went_back_to_ = 0;  // entries up to here were written before the store last went back
  EntryStamp lost_stamp_ = 0;  // of the newest entry that was lost
  std::map<std::string, TaskUid> ahead_;  // nodes that were ahead of it then, with their next task
  std::set<Position> untold_;
  std::set<Position> kept_back_;
  std::vector<std::string> wrong_;
  std::vector<Adoption> adoptions_;
  std::map<std::string, Remembered> remembered_;
  std::set<Position> asked_to_cancel_;
  std::set<Position> cursed_;
  std::vector<Strange> strange_;
  std::set<std::pair<std::string, std::string>> strange_indexes_;  // node, index: that they made
  std::set<std::pair<std::string, std::string>> put_back_;         // …that came with an older disk
  Microseconds wall_offset_{0};
  std::int64_t last_expiry_ = 0;  // of what lives shortly
  std::optional<Storm> storm_;
  std::set<std::string> doubtful_;
  DriftedTags drifted_tags_;
  bool everybody_ = false;      // somebody wrote to all nodes, some time
  bool names_changed_ = false;  // a swap or a renaming was asked for, some time
  std::optional<int> handlers_to_crash_;
  Microseconds away_after_crash_{0};
  std::vector<Operation> operations_;
  std::uint64_t damaged_ = 0;
  std::vector<std::string> story_;
};

template <class T>
std::optional<T> World::await(Async<T> coroutine) {
  // Shared: a coroutine that does not end within the time outlives this frame.
  auto result = std::make_shared<std::optional<T>>();
  process_->spawn([](Async<T> inner, std::shared_ptr<std::optional<T>> out) -> Async<void> {
    *out = co_await std::move(inner);
  }(std::move(coroutine), result));
  run_until([&] { return result->has_value(); }, std::chrono::hours(1));
  return std::move(*result);
}

}  // namespace miroir::sim
