#include "sim/sweep_witness.h"

#include <fmt/format.h>

#include <algorithm>

#include "log/entry.h"

namespace miroir::sim {
namespace {

// A sweep that began by another policy may go on for so long.
constexpr Microseconds kLongSweep = Seconds(60);
// Of a few documents, where nothing is wrong.
constexpr Microseconds kShortSweep = Seconds(5);

}  // namespace

int SweepWitness::said(const std::string& index, TtlOverride change) {
  policies_[index] = candidates(index);
  const TtlPolicy policy{.sweep_interval = change.sweep_interval.value_or(others_.sweep_interval),
                         .deletes_max = change.deletes_max.value_or(others_.deletes_max)};
  policies_[index].push_back({.policy = policy, .number = next_, .ended = std::nullopt});
  return next_++;
}

// It takes the place of what had ended before it was said; of what was not, either may be the last.
void SweepWitness::answered(int number, bool taken) {
  for (auto& [index, its] : policies_) {
    const auto found = std::ranges::find(its, number, &Said::number);
    if (found == its.end()) continue;
    found->ended = next_++;
    found->at = clock_.now();
    std::erase_if(its, [&](const Said& one) {
      return taken ? one.ended && *one.ended < number : one.number == number;
    });
  }
}

void SweepWitness::miroir_died() {
  for (auto& [index, its] : policies_) {
    for (Said& one : its) {
      if (one.ended) continue;
      one.ended = next_++;
      one.at = clock_.now();
    }
  }
  sweeps_.clear();
}

void SweepWitness::store_went_back(bool copied) {
  policies_.clear();
  if (copied) policies_ = copy_;
}

void SweepWitness::committed(const Batch& batch) {
  for (const Batch::Change& change : batch.changes()) {
    if (change.table != Table::kEntry || change.kind != Batch::Change::Kind::kPut) continue;
    const auto entry = decode_entry(change.value);
    // A pass deletes what has expired where replicas are unlike, and by no policy.
    const bool swept = entry && entry->origin == Origin::kTtlExpire;
    if (!swept || entry->arguments.find("pass") != nullptr) continue;
    sweeps_[{entry->index_uid, entry->incarnation}].push_back({clock_.now(), entry->records});
    judge(entry->index_uid, entry->incarnation);
  }
}

std::vector<SweepWitness::Said> SweepWitness::candidates(const std::string& index) const {
  const auto found = policies_.find(index);
  if (found != policies_.end()) return found->second;
  return {{.policy = others_, .number = 0, .ended = 0}};
}

// In less than its interval an index is swept twice at the most: one that began before, and one.
void SweepWitness::judge(const std::string& index, std::uint64_t incarnation) {
  const std::vector<Said> its = candidates(index);
  if (its.size() != 1) return;
  const TtlPolicy& policy = its.front().policy;
  const Instant since = clock_.now() - policy.sweep_interval;
  if (its.front().number > 0 && its.front().at + kLongSweep > since) return;
  std::uint64_t documents = 0;
  for (const Sweep& sweep : sweeps_[{index, incarnation}])
    documents += sweep.at > since ? sweep.documents : 0;
  if (documents > 2 * policy.deletes_max)
    wrong_.push_back(fmt::format("{} documents of {} were swept within {} s, and {} at once may be",
                                 documents, index, policy.sweep_interval.count(),
                                 policy.deletes_max));
}

void SweepWitness::check(const std::string& index, TtlPolicy found) {
  const std::vector<Said> its = candidates(index);
  if (std::ranges::find(its, found, &Said::policy) != its.end()) return;
  wrong_.push_back(fmt::format("{} is to be swept every {} s, {} documents at most; nobody said so",
                               index, found.sweep_interval.count(), found.deletes_max));
}

Microseconds SweepWitness::time_to_sweep(const std::string& index, std::size_t documents) const {
  Microseconds longest{0};
  for (const Said& said : candidates(index)) {
    const std::uint64_t more = (std::max<std::size_t>(documents, 1) - 1) / said.policy.deletes_max;
    const Microseconds interval = said.policy.sweep_interval;
    longest = std::max(longest, interval + static_cast<int>(more) * (interval + kShortSweep));
  }
  return longest;
}

}  // namespace miroir::sim
