#include "anti_entropy/resolver.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

bool changes_anything(const Judged& judged) {
  auto changes = [](const Verdict& verdict) { return verdict.treatment != Treatment::kLeave; };
  return std::ranges::any_of(judged.decision.owners, changes) ||
         std::ranges::any_of(judged.decision.strays, changes);
}

// Equal stamps, different contents.
bool is_conflict(Reason reason) {
  return reason == Reason::kGreaterBase || reason == Reason::kChecksum ||
         reason == Reason::kMajority || reason == Reason::kTieHash || reason == Reason::kTie;
}

}  // namespace

Resolver::Resolver(const Tools& tools, IndexUnderTest index, Roster& roster, Audit& audit,
                   std::uint64_t pass, bool repairs, Counter bytes, IndexReport& report)
    : tools_(tools),
      index_(std::move(index)),
      roster_(roster),
      audit_(audit),
      pass_(pass),
      repairs_(repairs),
      bytes_(bytes),
      report_(report) {}

Async<Result<void>> Resolver::add(std::vector<std::string> ids) {
  for (std::string& id : ids) {
    if (!given_up_.contains(id)) pending_.insert(std::move(id));
  }
  while (pending_.size() >= kBatchDocuments) {
    const auto end = std::next(pending_.begin(), kBatchDocuments);
    std::vector<std::string> batch(pending_.begin(), end);
    pending_.erase(pending_.begin(), end);
    MIROIR_CO_CHECK(co_await resolve(std::move(batch)));
  }
  co_return Result<void>{};
}

Async<Result<void>> Resolver::flush() {
  if (pending_.empty()) co_return Result<void>{};
  std::vector<std::string> batch(pending_.begin(), pending_.end());
  pending_.clear();
  co_return co_await resolve(std::move(batch));
}

bool Resolver::next_round() {
  const bool again = repaired_in_round_ > 0;
  repaired_in_round_ = 0;
  moving_.clear();
  report_.moving = 0;
  return again;
}

Async<Result<void>> Resolver::resolve(std::vector<std::string> ids) {
  if (tools_.stopping()) co_return std::unexpected(cut_off());
  MIROIR_CO_TRY(Settled settled,
                co_await settle_and_judge(tools_, index_, roster_, std::move(ids), bytes_));
  for (const std::string& id : settled.moving) moving_.insert(id);

  std::vector<Handled> handled;
  std::vector<Taint> ended;
  Settled repairable{.read_at = settled.read_at, .documents = {}, .moving = {}};
  for (Judged& judged : settled.documents) {
    if (judged.decision.action == Action::kNone) {
      std::ranges::copy(ended_taints(tools_, index_, settled.read_at, judged),
                        std::back_inserter(ended));
    } else if (repairs_ && changes_anything(judged)) {
      repairable.documents.push_back(std::move(judged));
    } else {
      std::string outcome =
          changes_anything(judged) ? "reported only: repairs are off" : "left as it is";
      handled.push_back({.judged = std::move(judged),
                         .read_at = settled.read_at,
                         .repaired = false,
                         .outcome = std::move(outcome)});
    }
  }
  if (!ended.empty()) MIROIR_CO_CHECK(co_await tools_.log.clear_taints(std::move(ended)));
  if (!repairable.documents.empty()) {
    std::set<std::string> sent;
    for (const Judged& judged : repairable.documents) sent.insert(judged.copies.id);
    MIROIR_CO_TRY(std::vector<Handled> repaired,
                  co_await repair(tools_, index_, roster_, std::move(repairable), pass_, bytes_));
    for (Handled& one : repaired) {
      sent.erase(one.judged.copies.id);
      handled.push_back(std::move(one));
    }
    moving_.insert(sent.begin(), sent.end());  // dropped: written meanwhile
  }
  for (const Handled& one : handled) count(one);
  report_.moving = moving_.size();
  co_return co_await audit_.record(index_.uid, std::move(handled), tools_.clock.wall_now());
}

void Resolver::count(const Handled& handled) {
  const std::string& id = handled.judged.copies.id;
  ShardNote& note = report_.notes[tools_.cluster.topology().shard_of(slot_of(id))];
  ++report_.divergent;
  tools_.instruments.mismatches_found.increment();
  if (is_conflict(handled.judged.decision.reason)) tools_.instruments.add_conflict(index_.uid);
  if (handled.repaired) {
    ++note.repaired;
    ++report_.repaired;
    ++repaired_in_round_;
    tools_.instruments.documents_repaired.increment();
  } else {
    ++note.unresolved;
    ++report_.unresolved;
    given_up_.insert(id);
  }
}

}  // namespace miroir::anti_entropy
