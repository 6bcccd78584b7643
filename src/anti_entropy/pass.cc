#include "anti_entropy/pass.h"

#include <algorithm>
#include <set>

#include "anti_entropy/audit.h"
#include "anti_entropy/breaker.h"
#include "anti_entropy/doubt.h"
#include "anti_entropy/light.h"
#include "anti_entropy/quarantine.h"
#include "anti_entropy/replicated_state.h"
#include "anti_entropy/scan.h"
#include "anti_entropy/sweep.h"
#include "anti_entropy/unresolved.h"

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kShardsAtATime = 8;  // read between two savings of how far a sweep is

std::string describe(const Member& member) {
  switch (member.standing) {
    case Standing::kInSync:
      return "in_sync";
    case Standing::kHealing:
      return member.why.empty() ? "healing" : "healing: " + member.why;
    case Standing::kUnknown:
      return "unknown: " + member.why;
  }
  return "";
}

IndexUnderTest under_test(const IndexState& index, const Pasts& pasts, Position clean_to) {
  const Json* embedders = index.settings.find("embedders");
  const bool taken_over = index.taken_over() && clean_to < index.taken_over_by;
  return {.uid = index.uid,
          .incarnation = index.incarnation,
          .named_at = index.named_at,
          .exchanged_at = exchanged_at(pasts, index.incarnation),
          .primary_key = index.primary_key.value_or(""),
          .embedders = embedders != nullptr && embedders->size() > 0,
          .taken_over_at = taken_over ? index.created_at : 0,
          .taken_over_by = taken_over ? index.taken_over_by : 0};
}

template <class T>
std::set<T> in_both(const std::set<T>& a, const std::set<T>& b) {
  std::set<T> both;
  std::ranges::set_intersection(a, b, std::inserter(both, both.end()));
  return both;
}

class Pass {
 public:
  Pass(const Tools& tools, PassOrder order) : tools_(tools), order_(order) {}

  Async<PassReport> run() {
    report_.number = order_.number;
    report_.kind = order_.kind;
    report_.repairs = order_.repairs;
    report_.started = tools_.clock.wall_now();
    report_.head = tools_.log.head();
    tools_.audit.begin(order_.number);
    tools_.breaker.begin(order_.number, order_.kind == PassKind::kDeep);
    tools_.quarantine.begin(order_.number);

    auto done = co_await compare_everything();
    if (done) {
      report_.state = PassState::kCompleted;
    } else {
      if (incarnations_.empty()) list_indexes();
      report_the_rest();
      report_.state =
          done.error().code == ErrorCode::kCancelled ? PassState::kCutOff : PassState::kFailed;
      report_.error = done.error().message;
    }
    for (const IndexReport& index : report_.indexes) {
      report_.mismatches += index.divergent;
      report_.repaired += index.repaired;
      report_.unresolved += index.unresolved;
    }
    report_.clean = is_clean();
    report_.ended = tools_.clock.wall_now();
    co_return std::move(report_);
  }

 private:
  Async<Result<void>> compare_everything() {
    if (order_.kind == PassKind::kDeep) {
      MIROIR_CO_TRY(sweep_, co_await Sweep::load(tools_.store, order_.scheduled, order_.number,
                                                 report_.head, report_.started));
      report_.resumes = sweep_->pass() == order_.number ? 0 : sweep_->pass();
    }
    if (tools_.log.catalogue().any_taken_over()) {
      MIROIR_CO_TRY(clean_to_, co_await newest_clean_head(tools_.store));
    }
    roster_ = co_await Roster::call(tools_, report_.head);
    MIROIR_CO_CHECK(co_await compare_state());
    list_indexes();
    for (Position incarnation : incarnations_) MIROIR_CO_CHECK(co_await compare_index(incarnation));
    report_the_rest();
    MIROIR_CO_CHECK(co_await forget_dropped());
    MIROIR_CO_CHECK(co_await promote());
    MIROIR_CO_CHECK(co_await end_taken_behind());
    if (sweep_) MIROIR_CO_CHECK(co_await end_sweep());
    co_return Result<void>{};
  }

  void list_indexes() {
    for (const auto& [uid, index] : tools_.log.catalogue().indexes())
      incarnations_.push_back(index.incarnation);
  }

  // Those that it did not come to, or that had another name meanwhile: no index is without a state.
  void report_the_rest() {
    for (Position incarnation : incarnations_) {
      const IndexState* index = tools_.log.catalogue().by_incarnation(incarnation);
      if (index == nullptr ||
          std::ranges::count(report_.indexes, incarnation, &IndexReport::incarnation) > 0)
        continue;
      report_.indexes.push_back(
          IndexReport::not_compared(*index, tools_.cluster.topology().shard_count()));
      tools_.instruments.show(report_.indexes.back());
    }
  }

  // But not what is known of one whose drop may yet fail: what has its name goes on from that.
  Async<Result<void>> forget_dropped() {
    std::set<std::string> uids;
    for (const IndexReport& index : report_.indexes) uids.insert(index.uid);
    const Catalogue& catalogue = tools_.log.catalogue();
    std::set<Position> incarnations;
    for (const auto& [uid, index] : catalogue.indexes()) incarnations.insert(index.incarnation);
    for (const auto& [incarnation, index] : catalogue.dropped()) incarnations.insert(incarnation);
    tools_.instruments.forget_all_but(uids);
    MIROIR_CO_CHECK(co_await forget_unresolved_but(tools_.store, catalogue.pasts(), incarnations));
    MIROIR_CO_CHECK(co_await tools_.breaker.forget_all_but(incarnations));
    tools_.read_in_full.forget_all_but(incarnations);
    tools_.throttles.forget_all_but(incarnations);
    co_return co_await tools_.quarantine.forget_all_but(std::move(incarnations));
  }

  Async<Result<void>> compare_state() {
    MIROIR_CO_TRY(StateReport state,
                  co_await check_replicated_state(tools_, roster_, order_.number, order_.repairs));
    report_.mismatches += state.found.size();
    tools_.instruments.mismatches_found.increment(static_cast<double>(state.found.size()));
    for (const HandledState& one : state.found)
      report_.problems.push_back(one.difference.sentence + (one.healed ? " (healed)" : ""));
    state_left_ = std::move(state.left);
    const bool cut = state.cut_off;
    MIROIR_CO_CHECK(co_await tools_.audit.record(std::move(state.found), tools_.clock.wall_now()));
    if (cut || tools_.stopping()) co_return std::unexpected(cut_off());
    co_return Result<void>{};
  }

  Async<Result<void>> compare_index(Position incarnation) {
    const IndexState* state = tools_.log.catalogue().by_incarnation(incarnation);
    if (state == nullptr) co_return Result<void>{};  // dropped meanwhile
    const IndexUnderTest index = under_test(*state, tools_.log.catalogue().pasts(), clean_to_);
    IndexReport its = IndexReport::not_compared(*state, tools_.cluster.topology().shard_count());
    Roster roster = roster_;
    for (const StateDifference& difference : state_left_) {
      if (difference.name != index.uid || difference.of_key()) continue;
      its.add_problem_of(difference.node, difference.sentence);
      if (roster.readable(difference.node)) roster.lose(difference.node, difference.sentence);
    }
    Result<void> compared;
    if (index.primary_key.empty()) {
      // Without a primary key there is no document yet, on the nodes neither (compare_state).
      compared = co_await end_doubts(tools_, roster, its,
                                     indexes_in_doubt(tools_, roster, incarnation), report_.head);
    } else {
      const std::vector<std::string> asked = roster.readable_nodes();
      compared = co_await compare_documents(index, roster, its);
      for (const std::string& node : asked)
        if (roster.member(node).standing != roster_.member(node).standing)
          lost_.emplace(node, describe(roster.member(node)));
      if (!compared && compared.error().code == ErrorCode::kConflict) {
        // Dropped, swapped or renamed meanwhile: the next pass knows it anew.
        all_compared_ = false;
        co_return Result<void>{};
      }
    }
    its.complete = compared.has_value();
    note_shards(roster, its);
    judge_healing(roster, its);
    MIROIR_CO_CHECK(co_await report_doubts(roster, its));
    tools_.instruments.shards_scanned.increment(its.shards_compared);
    tools_.instruments.show(its);
    report_.indexes.push_back(std::move(its));
    co_return compared;
  }

  Async<Result<void>> compare_documents(const IndexUnderTest& index, Roster& roster,
                                        IndexReport& its) {
    const std::vector<Taint> in_doubt = indexes_in_doubt(tools_, roster, index.incarnation);
    std::vector<ShardId> in_any_case = shards_to_prove(index, roster, its);
    if (!in_doubt.empty()) in_any_case = Sweep::all(tools_.cluster.topology().shard_count());
    const bool deep = order_.kind == PassKind::kDeep || !in_any_case.empty();
    Resolver resolver(tools_, index, roster, order_.number, order_.repairs,
                      deep ? tools_.instruments.deep_bytes : tools_.instruments.light_bytes, its);
    // What no digest shows is asked about again by every pass.
    MIROIR_CO_CHECK(co_await resolver.add_left());
    LightComparison light(tools_, index, roster, resolver, its);
    MIROIR_CO_CHECK(co_await light.run());
    std::set<ShardId> read;
    if (deep) {
      MIROIR_CO_TRY(read, co_await read_shards(index, roster, its, resolver, in_any_case));
    }
    all_read_ = all_read_ && read.size() == tools_.cluster.topology().shard_count();
    MIROIR_CO_CHECK(co_await resolver.stop_moving(
        leaves_none_moving(roster, its) ? resolver.moving()
                                        : in_both(resolver.moved_before(), resolver.moving())));
    MIROIR_CO_CHECK(co_await resolver.save_left());
    resolver.report_unlisted();
    MIROIR_CO_CHECK(unchanged(tools_.log.catalogue(), index));
    note_read_in_full(index, roster, !in_any_case.empty(), its);
    if (order_.repairs) MIROIR_CO_CHECK(co_await end_restraints(index, roster, std::move(read)));
    co_return co_await end_doubts(tools_, roster, its, in_doubt, report_.head);
  }

  // Of a node that is healed the digests are not enough: a PUT that lands on what should have been
  // replaced has the stamp that it ought to have, and so has what somebody else wrote into a copy.
  bool to_be_read(const Member& member, KnownAs index) const {
    return member.standing == Standing::kHealing &&
           !tools_.cluster.topology().shards_of(member.node).empty() &&
           !tools_.read_in_full.holds(member.node, index, member.setbacks);
  }

  std::vector<ShardId> shards_to_prove(const IndexUnderTest& index, const Roster& roster,
                                       const IndexReport& its) const {
    std::set<ShardId> shards;
    for (const auto& [node, member] : roster.members()) {
      if (!to_be_read(member, index.known_as()) || !has_sources(roster, its, node)) continue;
      const std::vector<ShardId>& owned = tools_.cluster.topology().shards_of(node);
      shards.insert(owned.begin(), owned.end());
    }
    return {shards.begin(), shards.end()};
  }

  // Whether there is one that who is healed can be compared with; he may be it himself.
  bool has_source(const Roster& roster, const IndexReport& its, ShardId shard) const {
    return std::ranges::any_of(
        tools_.cluster.topology().owners(shard), [&](const std::string& owner) {
          return roster.is_source(owner, shard) && !its.hinders(owner);
        });
  }
  // …in each of its shards.
  bool has_sources(const Roster& roster, const IndexReport& its, const std::string& node) const {
    return std::ranges::all_of(tools_.cluster.topology().shards_of(node),
                               [&](ShardId shard) { return has_source(roster, its, shard); });
  }

  // What is proven lets nodes be sources, and what a deep pass proves lets tombstones go, also
  // where it goes on with what another read. While a node is away what moves would pile up: it is
  // known until it was seen on all owners.
  bool leaves_none_moving(const Roster& roster, const IndexReport& its) const {
    return order_.kind == PassKind::kDeep ||
           std::ranges::any_of(roster.members(), [&](const auto& member) {
             return member.second.standing == Standing::kUnknown ||
                    (member.second.standing == Standing::kHealing &&
                     has_sources(roster, its, member.first));
           });
  }

  // Those that the sweep has still to read, and these; returns which it read. What is proven here
  // lets tombstones go: no document is left for later.
  Async<Result<std::set<ShardId>>> read_shards(const IndexUnderTest& index, Roster& roster,
                                               IndexReport& its, Resolver& resolver,
                                               std::vector<ShardId> in_any_case) {
    const std::uint32_t count = tools_.cluster.topology().shard_count();
    std::vector<ShardId> shards;
    if (sweep_) shards = sweep_->left({index.incarnation, index.exchanged_at}, count);
    if (sweep_ && order_.scheduled && tools_.options.shards_per_pass > 0)
      shards.resize(std::min<std::size_t>(shards.size(), tools_.options.shards_per_pass));
    std::vector<ShardId> planned;
    std::ranges::set_union(shards, in_any_case, std::back_inserter(planned));
    shards = std::move(planned);
    if (shards.empty()) co_return std::set<ShardId>{};
    DeepComparison contents(tools_, index, roster, resolver, its);
    MIROIR_CO_CHECK(co_await contents.begin());
    for (std::size_t first = 0; first < shards.size(); first += kShardsAtATime) {
      const std::size_t end = std::min(shards.size(), first + kShardsAtATime);
      const std::vector<ShardId> some(shards.begin() + static_cast<std::ptrdiff_t>(first),
                                      shards.begin() + static_cast<std::ptrdiff_t>(end));
      MIROIR_CO_CHECK(co_await contents.run(some));
      if (end == shards.size()) MIROIR_CO_CHECK(co_await contents.end(shards));
      MIROIR_CO_CHECK(co_await resolver.stop_moving(resolver.moving()));
      if (!sweep_) continue;
      MIROIR_CO_CHECK(co_await resolver.save_left());
      const bool clean =
          roster.all_in_sync() && its.unresolved == 0 && its.moving == 0 && its.problems.empty();
      MIROIR_CO_CHECK(co_await sweep_->done({index.incarnation, index.exchanged_at}, some, clean));
    }
    for (const ShardId shard : shards)
      if (was_compared(roster, its, shard)) resolver.looked_at_all(shard);
    co_return std::set<ShardId>(shards.begin(), shards.end());
  }

  // As far as it can be read: who is healed and cannot is read in full once it can.
  bool was_compared(const Roster& roster, const IndexReport& its, ShardId shard) const {
    const std::vector<std::string> owners = tools_.cluster.topology().owners(shard);
    const auto readable = std::ranges::count_if(
        owners, [&](const std::string& owner) { return roster.readable(owner); });
    return std::cmp_greater_equal(readable, std::min<std::size_t>(owners.size(), 2)) &&
           has_source(roster, its, shard);
  }

  // What was found there and could not be repaired is known by id, or that there is more of it.
  // Where repairs made room for more of it in what is known, all is read again.
  void note_read_in_full(const IndexUnderTest& index, const Roster& roster, bool read,
                         const IndexReport& its) {
    for (const auto& [node, member] : roster.members()) {
      const bool more =
          std::ranges::any_of(tools_.cluster.topology().shards_of(node), [&](ShardId shard) {
            const auto note = its.notes.find(shard);
            return note != its.notes.end() && !note->second.doubt.empty();
          });
      if (member.standing == Standing::kUnknown || (more && its.repaired > 0)) {
        tools_.read_in_full.forget(node, index.incarnation);
      } else if (read && its.moving == 0 && !its.hinders(node) &&
                 member.standing == Standing::kHealing && has_sources(roster, its, node)) {
        tools_.read_in_full.note(node, index.known_as(), member.setbacks);
      }
    }
  }

  Async<Result<void>> end_sweep() {
    const std::uint32_t count = tools_.cluster.topology().shard_count();
    const Pasts& pasts = tools_.log.catalogue().pasts();
    report_.whole = std::ranges::all_of(incarnations_, [&](Position incarnation) {
      const IndexState* state = tools_.log.catalogue().by_incarnation(incarnation);
      return state == nullptr || !state->primary_key ||
             sweep_->left({incarnation, exchanged_at(pasts, incarnation)}, count).empty();
    });
    if (!nothing_left()) sweep_->spoil();
    report_.sweep_head = sweep_->head();
    report_.sweep_started = sweep_->started();
    report_.sweep_clean = sweep_->clean();
    co_return co_await (report_.whole ? sweep_->end() : sweep_->save());
  }

  // Breakers and quarantines end where this pass saw that there is nothing left to hold back: of
  // what a deep one saw, in the shards that it read.
  Async<Result<void>> end_restraints(const IndexUnderTest& index, const Roster& roster,
                                     std::set<ShardId> read) {
    const Topology& topology = tools_.cluster.topology();
    std::set<ShardId> compared;
    for (const Roster::Part& part : roster.parts(topology)) {
      if (part.source && part.groups.size() == topology.groups().size())
        compared.insert(part.shards.begin(), part.shards.end());
    }
    const bool deep = order_.kind == PassKind::kDeep;
    const std::set<ShardId> by_content = deep ? in_both(compared, read) : std::set<ShardId>{};
    MIROIR_CO_CHECK(
        co_await tools_.breaker.compared(index.incarnation, std::move(compared), by_content));
    co_return co_await tools_.quarantine.compared(index.incarnation, [&](const std::string& id) {
      return by_content.contains(topology.shard_of(slot_of(id)));
    });
  }

  // Those that are left. They keep no other node from being in sync: judge_healing() comes first.
  Async<Result<void>> report_doubts(const Roster& roster, IndexReport& its) const {
    for (const auto& [shard, note] : its.notes)
      if (!note.doubt.empty()) its.add_problem(note.doubt);
    for (const Taint& taint : indexes_in_doubt(tools_, roster, its.incarnation)) {
      std::string why = "node " + taint.node + ": something failed for the index as a whole, and ";
      MIROIR_CO_TRY(const bool comparable, co_await is_comparable(tools_, roster, taint));
      why += comparable
                 ? "it has yet to be found equal to its peers"
                 : "not every shard has a replica in sync, and without such a failure, to compare "
                   "it with";
      for (ShardId shard : tools_.cluster.topology().shards_of(taint.node))
        its.notes[shard].doubt = why;
      its.add_problem(std::move(why));
    }
    co_return Result<void>{};
  }

  void note_shards(const Roster& roster, IndexReport& its) const {
    const Topology& topology = tools_.cluster.topology();
    const std::size_t groups = topology.groups().size();
    for (const Roster::Part& part : roster.parts(topology)) {
      const bool compared = part.source && part.groups.size() == groups;
      if (compared && its.complete)
        its.shards_compared += static_cast<std::uint32_t>(part.shards.size());
      if (compared) continue;
      for (ShardId shard : part.shards) {
        ShardNote& note = its.notes[shard];
        note.unknown = roster.why_unknown(topology, shard);
        if (!part.source) note.problem = "no replica is in sync";
      }
    }
  }

  // A node that is being healed must have been compared with a peer in sync, in all of its shards
  // of every index but those where it is a source, and of what is left it may hold nothing that
  // none of them does.
  void judge_healing(const Roster& roster, const IndexReport& its) {
    const Topology& topology = tools_.cluster.topology();
    for (const auto& [node, member] : roster_.members()) {
      if (member.standing != Standing::kHealing) continue;
      const IndexState* index = tools_.log.catalogue().by_incarnation(its.incarnation);
      const bool read = index == nullptr || !index->primary_key ||
                        !to_be_read(member, {index->incarnation, index->named_at});
      const bool compared =
          its.complete && !its.hinders(node) && its.moving == 0 && roster.readable(node);
      const auto unequal = its.unequal.find(node);
      for (ShardId shard : topology.shards_of(node)) {
        if (roster.is_source(node, shard)) continue;
        const auto note = its.notes.find(shard);
        const bool equal = (note == its.notes.end() || note->second.doubt.empty()) &&
                           (unequal == its.unequal.end() || !unequal->second.contains(shard));
        if (!compared || !equal || !has_source(roster, its, shard))
          unequal_[node].insert(shard);
        if (!equal) differing_[node].insert(shard);
      }
      if (!read) unread_.insert(node);
    }
  }

  std::set<ShardId> equal_shards(const std::string& node) {
    const std::vector<ShardId>& all = tools_.cluster.topology().shards_of(node);
    std::set<ShardId> equal(all.begin(), all.end());
    for (const ShardId shard : unequal_[node]) equal.erase(shard);
    return equal;
  }

  // Where some of its shards have no peer, a person's word is missing (Cluster::promote).
  Async<Result<void>> promote() {
    for (const StateDifference& difference : state_left_) {
      // An index that Miroir does not know is reported; it says nothing of those that it knows.
      if (difference.defect != StateDefect::kIndexUnknown) unproven_.insert(difference.node);
    }
    for (const auto& [node, member] : roster_.members()) {
      const auto lost = lost_.find(node);
      std::string state = lost == lost_.end() ? describe(member) : lost->second;
      tools_.cluster.found_unequal(node, differing_[node]);
      const std::set<ShardId>& unequal = unequal_[node];
      const bool read = unequal.empty() ? !unread_.contains(node) : all_read_;
      if (member.standing == Standing::kHealing && all_compared_ && read &&
          !unproven_.contains(node)) {
        auto history = co_await tools_.forwarders.recheck(node, tools_.clock.now() + kReadTimeout);
        const bool ours = history && history->verdict == History::Verdict::kOurs;
        if (ours && !unequal.empty()) {
          tools_.cluster.found_equal(node, member.setbacks, equal_shards(node));
        } else if (ours) {
          const auto proven = co_await tools_.cluster.prove_in_sync(node, member.setbacks);
          if (proven) state = "in_sync: proven equal to its peers";
          if (!proven && proven.error().code != ErrorCode::kConflict)
            co_return std::unexpected(proven.error());
        }
      }
      report_.nodes[node] = std::move(state);
    }
    co_return Result<void>{};
  }

  // All replicas were found equal, and all is known of what was taken over.
  Async<Result<void>> end_taken_behind() {
    if (!nothing_left()) co_return Result<void>{};
    for (const auto& [node, member] : roster_.members())
      MIROIR_CO_CHECK(co_await tools_.cluster.end_taken_behind(node, member.setbacks));
    co_return Result<void>{};
  }

  bool is_clean() const { return report_.state == PassState::kCompleted && nothing_left(); }

  bool nothing_left() const {
    return all_compared_ && roster_.all_in_sync() && lost_.empty() && state_left_.empty() &&
           std::ranges::all_of(report_.indexes, &IndexReport::clean);
  }

  const Tools& tools_;
  PassOrder order_;
  PassReport report_;
  Position clean_to_ = 0;  // the newest clean pass's head; asked for where an index was taken over
  bool all_compared_ = true;
  std::vector<Position> incarnations_;  // of all indexes as the first of them was compared
  Roster roster_;
  std::vector<StateDifference> state_left_;
  std::set<std::string> unproven_;
  std::map<std::string, std::set<ShardId>> unequal_;    // or not compared
  std::map<std::string, std::set<ShardId>> differing_;  // of those
  std::set<std::string> unread_;
  bool all_read_ = true;                     // every document of every index
  // While an index was read, or found not to be in sync: how the first one saw it.
  std::map<std::string, std::string> lost_;
  std::optional<Sweep> sweep_;  // of a deep pass
};

}  // namespace

Async<PassReport> run_pass(const Tools& tools, PassOrder order) {
  Pass pass(tools, order);
  co_return co_await pass.run();
}

}  // namespace miroir::anti_entropy
