#include "sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "base/hash.h"
#include "sim/json_at.h"
#include "sim/lost_again.h"
#include "sim/origins.h"
#include "sim/person.h"
#include "sim/world.h"

namespace miroir::sim {
namespace {

constexpr Microseconds kQuietMax = std::chrono::minutes(40);  // until all nodes have caught up
// What waits for the store tries again every half second at the most, and recovery every second.
constexpr Microseconds kRest = Seconds(2);
// Once all nodes have caught up two heal, and one finds nothing.
constexpr int kPassesMax = 3;
// A sweep waits until the lease is held, and until tasks have ended; before it, one that began
// among faults may wait for an answer that was lost (kReadTimeout in ttl/sweep.cc).
constexpr Microseconds kSweep = Seconds(20);
constexpr Microseconds kStreamMax = std::chrono::minutes(10);
constexpr Microseconds kAgreement = std::chrono::minutes(2);

bool is_clean(const Json& pass) {
  return at(pass, "clean") == Json(true) && number(pass, "mismatches") == 0 &&
         number(pass, "repaired") == 0;
}

bool is_of_a_stranger(const Repaired& repair) {
  return repair.before && repair.before->find(FieldNames().updated_at) == nullptr;
}

// Whether what a repair changes may not be seen: it comes behind what is replayed to a disk that
// went back, or in one batch with what somebody sends; and of a store that went back the witness
// knows too little.
bool hides_repairs(const Plan& plan) {
  return has_fault(plan, [](FaultKind kind) {
    return kind == FaultKind::kRestore || kind == FaultKind::kWipe ||
           kind == FaultKind::kLateGroup || kind == FaultKind::kForeignDeleteTask ||
           kind == FaultKind::kPutBackTask || kind == FaultKind::kStranger || is_of_store(kind);
  });
}

// The quiet after a phase, and what must hold in it.
class Quiet {
 public:
  Quiet(World& world, Outcome& outcome, int victims, bool damaged)
      : world_(world),
        outcome_(outcome),
        damaged_(damaged),
        person_(world, victims, [this](std::string what) { fail(std::move(what)); }),
        repaired_before_(world.witness().repaired().size()),
        swept_before_(world.witness().swept().size()) {}

  void run() {
    if (!settle()) return give_up("does not settle: " + world_.why_unsettled());
    rest(kRest);
    if (world_.plan().sweep_interval) world_.let_expire();
    sweep();
    if (!world_.doubtful().empty() && decide() && !settle())
      return give_up("does not settle: " + world_.why_unsettled());
    if (!heal()) return;
    if (world_.plan().loses_again) {
      const auto wrong = lose_again(world_, [this](PassKind kind) { return run_pass(kind); });
      for (const std::string& sentence : wrong) fail(sentence);
      damaged_ = true;
      if (!settle() || !heal()) return give_up("what was lost again and again is not healed");
    }
    sweep();  // what replicas did not agree on waited for the passes
    check_documents("healed");
    check_tasks();
    check_repairs();
    check_policies();
    // Quiet: nothing is found any more, and nothing is changed.
    for (const PassKind kind : {PassKind::kLight, PassKind::kDeep}) {
      const auto pass = run_pass(kind);
      if (pass && !is_clean(*pass)) fail("a pass on the quiet system found: " + to_text(*pass));
    }
    check_documents("quiet");
    check_audit();
  }

 private:
  void rest(Microseconds time) {
    world_.run_until([] { return false; }, time);
  }

  void sweep() {
    if (world_.plan().sweep_interval) rest(world_.time_to_sweep() + kSweep);
  }

  // Where passes wait for a person's agreement, the person agrees now and then.
  bool settle() {
    for (Microseconds waited{0}; waited < kQuietMax; waited += kAgreement) {
      world_.resume();
      if (world_.run_until([this] { return is_settled(); }, kAgreement)) return true;
      if (!world_.plan().auto_repair) (void)world_.order(PassKind::kDeep, true);
      if (!person_.agree() && !decide()) person_.promote();
    }
    return false;
  }

  bool is_settled() const { return world_.plan().hurried ? world_.caught_up() : world_.settled(); }

  // Nothing is to be decided where nothing was damaged.
  bool decide() { return damaged_ && person_.decide(); }

  void fail(std::string what) {
    world_.say("WRONG: " + what);
    outcome_.wrong.push_back(std::move(what));
  }

  // Before it is known that it will not end well.
  void give_up(const std::string& what) {
    auto repairs = person_.read_audit();
    if (repairs && *repairs) world_.say("the newest repairs: " + to_text(**repairs));
    auto passes = world_.await(world_.process().reconciler().passes(1));
    if (passes && *passes) world_.say("the last pass: " + to_text(**passes));
    for (const std::string& unlike : check_replicas_equal(world_.nodes())) world_.say(unlike);
    fail(what);
  }

  std::optional<Json> run_pass(PassKind kind) {
    const Position head = world_.process().log().head();
    const Result<std::uint64_t> ordered = world_.order(kind, true);
    if (!ordered) {
      fail("no pass begins: " + ordered.error().message);
      return std::nullopt;
    }
    auto pass = world_.await(world_.process().reconciler().report(*ordered));
    if (!pass) {
      fail("a pass does not end");
      return std::nullopt;
    }
    if (!*pass) {
      fail("a pass fails: " + pass->error().message);
      return std::nullopt;
    }
    world_.say("pass: " + to_text(**pass));
    passes_.insert(number(**pass, "pass"));
    const Nodes& nodes = world_.nodes();
    if (kind == PassKind::kDeep && world_.process().log().head() == head)
      for (std::string& wrong : check_states(**pass, world_.topology(), nodes)) fail(wrong);
    return std::move(**pass);
  }

  bool is_healed(const Json& pass) {
    if (!is_clean(pass) || !world_.settled()) return false;
    // Where a tie was broken by hash, a person looks at what won.
    return world_.doubtful().empty() || !decide();
  }

  bool heal() {
    Json pass;
    for (int passes = 0; passes < kPassesMax; ++passes) {
      // Who was slow may count as away a little later.
      if (!settle()) break;
      auto report = run_pass(PassKind::kDeep);
      if (!report) return false;
      pass = std::move(*report);
      if (is_healed(pass)) return true;
      const std::size_t adoptions = world_.chronicle().adoptions.size();
      if (person_.agree() || ((decide() || person_.promote()) && settle())) passes = 0;
      rest(kRest);  // passes leave alone what recovery is about to take as it is
      if (world_.chronicle().adoptions.size() != adoptions) passes = 0;
      if (is_healed(pass)) return true;  // something was under way
    }
    give_up("still not clean: " + to_text(pass) + "; " + world_.why_unsettled());
    check_documents("unclean");
    return false;
  }

  void check_documents(const std::string& when) {
    std::vector<Repaired> repairs = world_.witness().repaired();
    std::ranges::stable_sort(repairs, {}, &Repaired::position);
    auto repair = repairs.begin();
    const bool reports = world_.plan().foreign_documents == ForeignDocuments::kReport;
    const auto check_repairs_before = [&](const Model& model, Position position) {
      for (; repair != repairs.end() && repair->position < position; ++repair) {
        if (reports && is_of_a_stranger(*repair) && !repair->after)
          fail(fmt::format("{}: the repair at {} deletes {}/{} on {}, which a stranger wrote", when,
                           repair->position, repair->index, repair->id, repair->node));
        // Until a person has decided, either content may have won.
        if (world_.doubtful().contains(repair->id)) continue;
        if (auto wrong = check_repair(model, world_.topology(), *repair))
          fail(when + ": " + *wrong);
      }
    };
    const History history = replay(world_.operations(), world_.chronicle(), check_repairs_before);
    for (const std::string& wrong : history.wrong) fail(when + ": " + wrong);
    if (world_.plan().has_subscriber) check_stream(history.changes);
    for (const std::string& wrong :
         check_against_model(history.model, world_.topology(), world_.nodes()))
      fail(when + ": " + wrong);
    for (const std::string& wrong : check_left_alone(world_.nodes())) fail(when + ": " + wrong);
    for (const std::string& wrong : check_replicas_equal(world_.nodes())) fail(when + ": " + wrong);
    for (const std::string& wrong : check_expired(history.model, world_.milliseconds()))
      fail(when + ": " + wrong);
  }

  std::vector<Change> without_left_open(std::vector<Change> changes) const {
    const Chronicle chronicle = world_.chronicle();
    std::set<Position> open = chronicle.ledger.left_open();
    // What failed while the store had gone back may have been done in part, and told so; so may a
    // drop of an index whose creation had failed, and which its documents made on some nodes.
    for (const Operation& operation : world_.operations()) {
      const TaskEnd* end = chronicle.ledger.end_of(operation.task);
      const bool found_none = operation.request.act == Act::kDrop && end != nullptr &&
                              !end->error.is_null() &&
                              text_at(end->error, "code") == "index_not_found";
      if ((operation.in_recovery || found_none) && !operation.valid) open.insert(operation.task);
    }
    std::erase_if(changes, [&](const Change& change) { return open.contains(change.position); });
    return changes;
  }

  void check_stream(std::vector<Change> changes) {
    std::erase_if(changes, [&](const Change& one) { return !is_told(world_.plan(), one.origin); });
    Position last = 0;
    for (const Change& change : changes) last = std::max(last, change.position);
    Subscriber& subscriber = world_.subscriber();
    world_.run_until([&] { return subscriber.last() >= last; }, kStreamMax);
    for (const std::string& wrong : subscriber.take_wrong()) fail(wrong);
    for (const std::string& wrong :
         check_told(without_left_open(subscriber.changes()), without_left_open(std::move(changes))))
      fail(wrong);
    check_left_out();
  }

  void check_left_out() {
    Process& process = world_.process();
    std::string wrong;
    const auto holds = [&] {
      wrong.clear();
      const Ledger& ledger = world_.chronicle().ledger;
      for (const auto& [origin, due] : left_out(world_.plan(), ledger, process.opened_at())) {
        if (process.suppressed(origin) != static_cast<double>(due))
          wrong += fmt::format("; {} changes by {} are no events, and {} are counted", due, origin,
                               process.suppressed(origin));
      }
      return wrong.empty();
    };
    if (!world_.run_until(holds, kRest)) fail(wrong.substr(2));
  }

  // Every request's task has ended, as a Meilisearch's would have.
  void check_tasks() {
    for (const Operation& operation : world_.operations()) {
      if (operation.task == 0 || operation.lost) continue;
      const TaskEnd* end = world_.chronicle().ledger.end_of(operation.task);
      if (end != nullptr && end->status == "canceled" &&
          !world_.asked_to_cancel().contains(operation.task))
        fail(fmt::format("task {} was canceled by nobody", operation.task));
      if (end == nullptr) {
        if (operation.valid || operation.in_recovery)
          fail(fmt::format("task {} has not ended", operation.task));
      } else if (!operation.valid && world_.untold().contains(operation.task)) {
        continue;  // by what the log has lost: that it had failed there nobody knows
      } else if (operation.valid && world_.kept_back().contains(operation.task)) {
        continue;  // nor from whom it was kept
      } else if ((end->status == "succeeded") != operation.valid) {
        fail(fmt::format("task {} is {}: {}", operation.task, end->status, to_text(end->error)));
      }
    }
  }

  void check_policies() {
    if (!world_.plan().sweep_interval) return;
    for (const std::string index : {"books", "films"})
      world_.sweep_witness().check(index, world_.process().sweeper().policy(index));
    for (std::string& wrong : world_.sweep_witness().take_wrong()) fail(std::move(wrong));
  }

  // Read again as long as passes go on writing it.
  template <class Read>
  std::optional<Json> read_unchanged(Read read) {
    for (;;) {
      const std::uint64_t before = world_.audit_witness().changes();
      const std::optional<Result<Json>> page = world_.await(read(world_.process().reconciler()));
      if (!page || !*page) return std::nullopt;
      if (world_.audit_witness().changes() == before) return at(**page, "results");
    }
  }

  void check_audit() {
    AuditWitness& witness = world_.audit_witness();
    const auto passes = read_unchanged([](Reconciler& its) { return its.passes(kAuditMax); });
    if (!passes) return fail("the passes cannot be read");
    witness.check_passes(*passes);
    const auto repairs =
        read_unchanged([](Reconciler& its) { return its.repairs(std::nullopt, kAuditMax); });
    if (!repairs) return fail("the audit cannot be read");
    witness.check_repairs(*repairs);
    for (std::string& wrong : witness.take_wrong()) fail(std::move(wrong));
  }

  void check_repairs() {
    const std::vector<Json> audit = world_.audit_witness().repairs();
    for (const Json& row : audit) world_.say("repair: " + to_text(row));
    const std::uint64_t done = count_repairs(audit);
    outcome_.repairs = done;
    if (!hides_repairs(world_.plan()) && world_.chronicle().adoptions.empty()) check_worth(audit);
    if (!damaged_ && done > 0) fail(fmt::format("{} repairs where nothing was damaged", done));
    if (done > 3 * world_.damaged_documents())
      fail(fmt::format("{} repairs for at most {} damaged documents", done,
                       world_.damaged_documents()));
  }

  // A repair that is verified has changed what some node held, while nobody else writes.
  void check_worth(const std::vector<Json>& rows) {
    std::map<std::string, int> in_vain;  // by document: indexes change their names
    for (const Json& row : rows) {
      if (at(row, "repaired") == Json(true) && at(row, "id").is_string() &&
          passes_.contains(number(row, "pass")))
        ++in_vain[text_at(row, "id")];
    }
    for (const Repaired& repair : world_.witness().repaired() | std::views::drop(repaired_before_))
      --in_vain[repair.id];
    for (const Swept& swept : world_.witness().swept() | std::views::drop(swept_before_))
      --in_vain[swept.id];
    for (const auto& [id, repairs] : in_vain)
      if (repairs > 0) fail(fmt::format("{} repairs of {} changed nothing", repairs, id));
  }

  World& world_;
  Outcome& outcome_;
  bool damaged_;
  Person person_;
  std::size_t repaired_before_;  // of what the witness saw
  std::size_t swept_before_;
  std::set<std::uint64_t> passes_;  // that were run here
};

std::string hash_of(World& world) {
  std::string all;
  for (const std::string& line : world.story()) all += line + '\n';
  for (const auto& [id, node] : world.nodes()) {
    for (const auto& [uid, index] : node->disk().indexes) {
      for (const auto& [document, text] : node->documents(uid))
        all += id + uid + document + text + '\n';
    }
  }
  return xxh3_128(all).hex();
}

}  // namespace

Outcome simulate(const Plan& plan) {
  Outcome outcome;
  World world(plan);
  bool damaged = false;
  for (const Phase& phase : plan.phases) {
    world.run_phase(phase);
    damaged = damaged || damages(phase) || plan.trims();
    Quiet(world, outcome, phase.victims, damaged).run();
    for (std::string& wrong : world.take_wrong()) {
      world.say("WRONG: " + wrong);
      outcome.wrong.push_back(std::move(wrong));
    }
    if (!outcome.wrong.empty()) break;
  }
  outcome.judged = world.witness().judged();
  outcome.requests = world.operations().size();
  for (const Operation& operation : world.operations())
    outcome.acknowledged += operation.status >= 200 && operation.status < 300 ? 1 : 0;
  outcome.hash = hash_of(world);
  outcome.story = world.story();
  return outcome;
}

Plan minimise(Plan plan) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t phase = plan.phases.size(); phase-- > 0;) {
      // Big pieces first.
      for (std::size_t piece = plan.phases[phase].steps.size(); piece > 0; piece /= 2) {
        for (std::size_t first = 0; first + piece <= plan.phases[phase].steps.size();) {
          Plan without = plan;
          auto& steps = without.phases[phase].steps;
          const auto begin = steps.begin() + static_cast<std::ptrdiff_t>(first);
          steps.erase(begin, begin + static_cast<std::ptrdiff_t>(piece));
          if (simulate(without).wrong.empty()) {
            first += piece;
          } else {
            plan = std::move(without);
            smaller = true;
          }
        }
      }
    }
  }
  return plan;
}

}  // namespace miroir::sim
