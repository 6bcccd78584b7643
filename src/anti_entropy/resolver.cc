#include "anti_entropy/resolver.h"

#include <algorithm>
#include <map>

#include "anti_entropy/audit.h"
#include "anti_entropy/breaker.h"
#include "anti_entropy/quarantine.h"

namespace miroir::anti_entropy {
namespace {

constexpr std::string_view kQuarantined = "quarantined: it was repaired again and again";

bool changes_anything(const Judged& judged) {
  auto changes = [](const Verdict& verdict) { return verdict.treatment != Treatment::kLeave; };
  return std::ranges::any_of(judged.decision.owners, changes) ||
         std::ranges::any_of(judged.decision.strays, changes);
}

// Nothing is copied from those in sync, and nobody else holds anything newer.
bool nobody_knows_better(const std::vector<Copy>& owners) {
  std::optional<Stamp> newest;
  bool any_in_sync = false;
  for (const Copy& copy : owners) {
    if (copy.presence == Presence::kUnknown) return false;
    if (!copy.in_sync || copy.in_doubt) continue;
    any_in_sync = true;
    newest = std::max(newest, copy.stored.stamp);
  }
  return any_in_sync && std::ranges::none_of(owners, [&](const Copy& copy) {
           return !copy.in_sync && copy.stored.stamp > newest;
         });
}

// What nobody can tell keeps no node from being in sync, if there are peers that are: a client's
// write or delete of the document ends it.
bool is_doubtful(const Judged& judged) {
  return judged.decision.reason == Reason::kMaybeDeleted ||
         (judged.decision.reason == Reason::kNoSource && nobody_knows_better(judged.copies.owners));
}

// Once its node is in sync, the copy must not be taken for a source, nor its absence for a delete.
std::vector<Taint> doubts(const IndexUnderTest& index, Position read_at, const Judged& judged) {
  std::vector<Taint> taints;
  for (const Copy& copy : judged.copies.owners) {
    if (copy.presence != Presence::kUnknown && !copy.in_sync && !copy.tainted)
      taints.push_back(
          {index.incarnation, judged.copies.id, copy.node, {Taint::kUnnamed, read_at}});
  }
  return taints;
}

bool held_by_trusted_peer(const std::vector<Copy>& owners, const Copy& copy) {
  return copy.presence != Presence::kUnknown && std::ranges::any_of(owners, [&](const Copy& peer) {
           return &peer != &copy && peer.in_sync && !peer.tainted &&
                  peer.presence == copy.presence && peer.stored == copy.stored &&
                  peer.content == copy.content;
         });
}

template <class Set>
Set both(Set a, const Set& b) {
  a.insert(b.begin(), b.end());
  return a;
}

// Equal stamps, different contents.
bool is_conflict(Reason reason) {
  return reason == Reason::kGreaterBase || reason == Reason::kChecksum ||
         reason == Reason::kMajority || reason == Reason::kTieHash || reason == Reason::kTie;
}

}  // namespace

Resolver::Resolver(const Tools& tools, IndexUnderTest index, Roster& roster, std::uint64_t pass,
                   bool repairs, Counter bytes, IndexReport& report)
    : tools_(tools),
      index_(std::move(index)),
      roster_(roster),
      pass_(pass),
      repairs_(repairs),
      bytes_(bytes),
      report_(report) {}

Async<Result<void>> Resolver::add(std::vector<std::string> ids) {
  for (std::string& id : ids) {
    if (given_up_.contains(id)) continue;
    // Where nothing is repaired, what cannot be listed is read to no avail.
    if (repairs_ || can_list(id)) pending_.insert(std::move(id));
  }
  while (pending_.size() >= kBatchDocuments) {
    const auto end = std::next(pending_.begin(), kBatchDocuments);
    std::vector<std::string> batch(pending_.begin(), end);
    pending_.erase(pending_.begin(), end);
    MIROIR_CO_CHECK(co_await resolve(std::move(batch)));
  }
  co_return Result<void>{};
}

Async<Result<void>> Resolver::add_left() {
  MIROIR_CO_TRY(known_, co_await load(Unresolved::kDiffering));
  MIROIR_CO_TRY(moved_before_, co_await load(Unresolved::kMoving));
  MIROIR_CO_TRY(const std::set<std::string> unlisted, co_await load(Unresolved::kUnlisted));
  for (const std::string& id : unlisted) unlisted_before_.emplace(shard_of(id), id);
  MIROIR_CO_CHECK(co_await add({known_.begin(), known_.end()}));
  co_return co_await add({moved_before_.begin(), moved_before_.end()});
}

Async<Result<std::set<std::string>>> Resolver::load(Unresolved kind) {
  MIROIR_CO_TRY(Lists lists,
                co_await load_unresolved(tools_.store, kind, tools_.log.catalogue().pasts(),
                                         index_.incarnation));
  std::set<std::string> ids;
  for (const auto& [index, its] : lists) ids.insert(its.begin(), its.end());
  saved_[kind] = std::move(lists);
  co_return ids;
}

Async<Result<void>> Resolver::save_left() {
  MIROIR_CO_CHECK(co_await save(Unresolved::kDiffering, both(given_up_, known_)));
  MIROIR_CO_CHECK(co_await save(Unresolved::kMoving, both(moving_, moved_before_)));
  std::set<std::string> unlisted;
  for (const auto& [shard, id] : both(unlisted_before_, unlisted_)) unlisted.insert(id);
  co_return co_await save(Unresolved::kUnlisted, std::move(unlisted));
}

Async<Result<void>> Resolver::save(Unresolved kind, std::set<std::string> left) {
  while (kind != Unresolved::kUnlisted && left.size() > tools_.options.unresolved_kept_max) {
    const auto last = std::prev(left.end());
    if (kind == Unresolved::kDiffering)
      unlisted_.emplace(shard_of(*last), *last);
    else  // nobody knows whether it differs: who is healed is read in full once more
      tools_.read_in_full.forget(index_.incarnation);
    left.erase(last);
  }
  const KnownAs here = index_.known_as();
  Lists lists;
  if (!all_known()) {
    lists = saved_[kind];
    lists.erase(here);
    for (const auto& [index, ids] : lists)
      for (const std::string& id : ids) left.erase(id);
  }
  if (!left.empty()) lists.emplace(here, std::move(left));
  if (lists == saved_[kind]) co_return Result<void>{};
  MIROIR_CO_CHECK(co_await save_unresolved(tools_.store, kind, saved_[kind], lists));
  saved_[kind] = std::move(lists);
  co_return Result<void>{};
}

// Then what gave the index its name is not taken back any more. Until it is known whether it is,
// lists from before are kept as they are: it may be another's that they are.
bool Resolver::all_known() const {
  return std::ranges::none_of(roster_.members(), [](const auto& member) {
    return member.second.standing == Standing::kUnknown;
  });
}

void Resolver::report_unlisted() const {
  const auto unlisted = both(unlisted_before_, unlisted_);
  if (unlisted.empty()) return;
  const std::string why =
      "more documents differ and were not repaired than are known by id: a deep pass finds the "
      "others";
  for (const auto& [shard, id] : unlisted) report_.notes[shard].doubt = why;
}

Async<Result<void>> Resolver::flush() {
  if (pending_.empty()) co_return Result<void>{};
  std::vector<std::string> batch(pending_.begin(), pending_.end());
  pending_.clear();
  co_return co_await resolve(std::move(batch));
}

bool Resolver::next_round() {
  if (repaired_in_round_ == 0) return false;
  repaired_in_round_ = 0;
  pending_.insert(moving_.begin(), moving_.end());  // no digest shows some of them
  return true;
}

Async<Result<void>> Resolver::stop_moving(std::set<std::string> ids) {
  std::vector<std::string> batch;
  for (const std::string& id : ids) {
    batch.push_back(id);
    if (batch.size() < kBatchDocuments) continue;
    MIROIR_CO_CHECK(co_await resolve(std::exchange(batch, {}), Lanes::kStand));
  }
  if (!batch.empty()) MIROIR_CO_CHECK(co_await resolve(std::move(batch), Lanes::kStand));
  co_return Result<void>{};
}

Async<Result<void>> Resolver::resolve(std::vector<std::string> ids, Lanes lanes) {
  while (!ids.empty()) {
    MIROIR_CO_TRY(ids, co_await resolve_first(std::move(ids), lanes));
  }
  co_return Result<void>{};
}

Async<Result<std::vector<std::string>>> Resolver::resolve_first(std::vector<std::string> ids,
                                                                Lanes lanes) {
  if (tools_.stopping()) co_return std::unexpected(cut_off());
  for (const std::string& id : ids) moving_.erase(id);
  MIROIR_CO_TRY(Settled settled,
                co_await settle_and_judge(tools_, index_, roster_, std::move(ids), bytes_, lanes));
  for (const std::string& id : settled.moving) moving_.insert(id);
  std::vector<std::string> left_over = std::move(settled.left_over);
  MIROIR_CO_TRY(Sorted sorted, co_await sort(std::move(settled)));
  if (!sorted.ended.empty())
    MIROIR_CO_CHECK(co_await tools_.log.clear_taints(std::move(sorted.ended)));
  if (!sorted.doubtful.empty())
    MIROIR_CO_CHECK(
        co_await tools_.log.add_taints(std::move(sorted.doubtful), sorted.repairable.read_at));

  std::vector<Handled> handled = std::move(sorted.left);
  std::erase_if(handled, [this](const Handled& one) { return !can_list(one.judged.copies.id); });
  if (!sorted.repairable.documents.empty()) {
    std::set<std::string> sent;
    for (const Judged& judged : sorted.repairable.documents) sent.insert(judged.copies.id);
    MIROIR_CO_TRY(
        std::vector<Handled> repaired,
        co_await repair(tools_, index_, roster_, std::move(sorted.repairable), pass_, bytes_));
    std::vector<const Judged*> verified;
    for (Handled& one : repaired) {
      sent.erase(one.judged.copies.id);
      if (!one.repaired) continue;
      if (sorted.restrained.contains(one.judged.copies.id)) {
        one.repaired = false;
        one.held = Held::kQuarantine;
        one.outcome += "; the others " + std::string(kQuarantined);
      } else {
        verified.push_back(&one.judged);
      }
    }
    MIROIR_CO_CHECK(co_await tools_.quarantine.repaired(index_, std::move(verified)));
    std::ranges::move(repaired, std::back_inserter(handled));
    moving_.insert(sent.begin(), sent.end());  // dropped: written meanwhile
  }
  for (const Handled& one : handled) count(one);
  report_.moving = moving_.size();
  MIROIR_CO_CHECK(
      co_await tools_.audit.record(index_.uid, std::move(handled), tools_.clock.wall_now()));
  if (tools_.stopping()) co_return std::unexpected(cut_off());
  co_return left_over;
}

Handled Resolver::leave(Judged judged, Position read_at, std::string outcome, Held held) const {
  return {.judged = std::move(judged),
          .read_at = read_at,
          .repaired = false,
          .outcome = std::move(outcome),
          .held = held};
}

Async<Result<Resolver::Sorted>> Resolver::sort(Settled settled) {
  Sorted sorted;
  const Position read_at = sorted.repairable.read_at = settled.read_at;
  std::map<ShardId, std::vector<Judged>> to_be_agreed;
  for (Judged& judged : settled.documents) {
    if (judged.decision.action == Action::kNone) {
      seen_right(judged.copies);
      std::ranges::copy(ended_taints(tools_, index_, read_at, judged),
                        std::back_inserter(sorted.ended));
    } else if (!changes_anything(judged)) {
      if (repairs_ && is_doubtful(judged))
        std::ranges::copy(doubts(index_, read_at, judged), std::back_inserter(sorted.doubtful));
      sorted.left.push_back(leave(std::move(judged), read_at, "left as it is", Held::kNo));
    } else if (!repairs_) {
      sorted.left.push_back(
          leave(std::move(judged), read_at, "reported only: repairs are off", Held::kDryRun));
    } else {
      MIROIR_CO_TRY(const bool restrained, co_await tools_.quarantine.restrain(index_, judged));
      if (restrained) sorted.restrained.insert(judged.copies.id);
      if (restrained && !changes_anything(judged)) {
        sorted.left.push_back(
            leave(std::move(judged), read_at, std::string(kQuarantined), Held::kQuarantine));
      } else if (needs_agreement(judged)) {
        to_be_agreed[shard_of(judged.copies.id)].push_back(std::move(judged));
      } else {
        sorted.repairable.documents.push_back(std::move(judged));
      }
    }
  }
  for (auto& [shard, documents] : to_be_agreed)
    MIROIR_CO_CHECK(co_await ask_breaker(shard, std::move(documents), sorted));
  co_return sorted;
}

Async<Result<void>> Resolver::ask_breaker(ShardId shard, std::vector<Judged> documents,
                                          Sorted& sorted) {
  const Breaker::Place place{index_.uid, index_.incarnation, index_.exchanged_at, shard};
  bool admitted = false;
  // What cannot be listed is judged again in this pass, and would be counted again.
  if (!is_full() || !tools_.breaker.awaits(place)) {
    const bool sized = tools_.breaker.depends_on_size(place, documents.size());
    const std::uint64_t size = sized ? co_await documents_in(shard) : 0;
    MIROIR_CO_TRY(admitted, co_await tools_.breaker.admit(place, documents.size(), size));
  }
  for (Judged& judged : documents) {
    if (admitted) {
      sorted.repairable.documents.push_back(std::move(judged));
    } else {
      sorted.left.push_back(leave(std::move(judged), sorted.repairable.read_at,
                                  "held back by the breaker until a person agrees",
                                  Held::kBreaker));
    }
  }
  co_return Result<void>{};
}

// As the owner that has most of them counts; one that does not answer counts for nothing.
Async<std::uint64_t> Resolver::documents_in(ShardId shard) {
  const Topology& topology = tools_.cluster.topology();
  std::uint64_t most = 0;
  for (const std::string& owner : topology.owners(shard)) {
    if (!roster_.readable(owner)) continue;
    auto permit = co_await tools_.reads.acquire();
    const std::vector<SlotRange> slots{topology.slots_of(shard)};
    const auto counts = co_await tools_.cluster.client(owner).digests(
        index_.uid, slots, tools_.clock.now() + kReadTimeout);
    if (counts && !counts->empty()) most = std::max(most, counts->front().documents());
  }
  co_return most;
}

void Resolver::count(const Handled& handled) {
  const std::string& id = handled.judged.copies.id;
  ShardNote& note = report_.notes[shard_of(id)];
  ++report_.divergent;
  tools_.instruments.mismatches_found.increment();
  if (is_conflict(handled.judged.decision.reason) && !known_.contains(id))
    tools_.instruments.add_conflict(index_.uid);
  if (handled.repaired) {
    ++note.repaired;
    ++report_.repaired;
    ++repaired_in_round_;
    tools_.instruments.documents_repaired.increment();
    seen_right(handled.judged.copies);
  } else {
    ++note.unresolved;
    ++report_.unresolved;
    note.waiting += handled.held == Held::kBreaker ? 1 : 0;
    note.reported += handled.held == Held::kDryRun ? 1 : 0;
    note.looping += handled.held == Held::kQuarantine ? 1 : 0;
    note.undecided += handled.judged.decision.action == Action::kQuarantine ? 1 : 0;
    note.doubtful += repairs_ && is_doubtful(handled.judged) ? 1 : 0;
    if (can_list(id)) given_up_.insert(id);
    note_unequal(handled);
    moved_before_.erase(id);
  }
}

// Of what is repaired again and again, those alone are left that are neither healed nor in doubt.
void Resolver::note_unequal(const Handled& handled) {
  if (handled.held == Held::kQuarantine) return;
  const auto& [copies, knowledge, decision] = handled.judged;
  const bool doubtful = repairs_ && is_doubtful(handled.judged);
  for (std::size_t i = 0; i < copies.owners.size(); ++i) {
    const Copy& copy = copies.owners[i];
    const bool was_sent =
        handled.held == Held::kNo && decision.owners[i].treatment != Treatment::kLeave;
    if (!was_sent && held_by_trusted_peer(copies.owners, copy)) continue;
    if (doubtful) {
      report_.dubious.insert(copy.node);
    } else {
      report_.unequal[copy.node].insert(shard_of(copies.id));
    }
  }
  for (const Copy& stray : copies.strays) report_.dubious.insert(stray.node);
}

bool Resolver::is_full() const { return given_up_.size() >= tools_.options.unresolved_max; }

// Where more is left than can be, the shard is known instead.
bool Resolver::can_list(const std::string& id) {
  if (!is_full()) return true;
  unlisted_.emplace(shard_of(id), id);
  return false;
}

// Of an owner that is unknown nobody knows whether its copy is.
void Resolver::seen_right(const DocumentCopies& copies) {
  if (std::ranges::count(copies.owners, Presence::kUnknown, &Copy::presence) > 0) return;
  known_.erase(copies.id);
  moved_before_.erase(copies.id);
}

ShardId Resolver::shard_of(const std::string& id) const {
  return tools_.cluster.topology().shard_of(slot_of(id));
}

}  // namespace miroir::anti_entropy
