#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/repair.h"
#include "anti_entropy/reports.h"
#include "anti_entropy/unresolved.h"

namespace miroir::anti_entropy {

// Takes the ids of documents that may differ, and sees each batch of them through: settle, judge,
// repair, audit, count. Used by the light and the deep pass alike; one for each index and pass.
class Resolver {
 public:
  Resolver(const Tools& tools, IndexUnderTest index, Roster& roster, std::uint64_t pass,
           bool repairs, Counter bytes, IndexReport& report);

  // Each document is seen through once in a round.
  Async<Result<void>> add(std::vector<std::string> ids);
  // What passes before left is asked about again: what is known is no new conflict. It stays known
  // until it was seen equal on all owners, or repaired and verified.
  Async<Result<void>> add_left();
  // What is left so far, for the next. A shard counts as read only once it is written down.
  Async<Result<void>> save_left();
  // Every document of the shard was compared, as far as its owners could be read: what is left
  // there is known by id.
  void looked_at_all(ShardId shard) { unlisted_before_.erase(shard); }
  // The shards where more is left than is known by id.
  void report_unlisted() const;
  Async<Result<void>> flush();
  // Sees these through while no lane moves.
  Async<Result<void>> stop_moving(std::set<std::string> ids);
  // Begins another round: documents that could not be repaired are left alone. False where the last
  // one repaired nothing, so that another would find the same.
  bool next_round();
  // Documents that were written whenever they were looked at in the last round.
  const std::set<std::string>& moving() const { return moving_; }
  // …and in the last pass, as far as this one has not seen them equal.
  const std::set<std::string>& moved_before() const { return moved_before_; }

 private:
  struct Sorted {
    Settled repairable;
    std::set<std::string> restrained;  // of some copies nothing is changed, whatever the others are
    std::vector<Handled> left;
    std::vector<Taint> ended;
    std::vector<Taint> doubtful;
  };
  Async<Result<void>> resolve(std::vector<std::string> ids, Lanes lanes = Lanes::kMove);
  // …the first of them; returns the others, of which nothing was read.
  Async<Result<std::vector<std::string>>> resolve_first(std::vector<std::string> ids, Lanes lanes);
  Async<Result<Sorted>> sort(Settled settled);
  // Those that the breaker lets through are added to `sorted.repairable`, the others left.
  Async<Result<void>> ask_breaker(ShardId shard, std::vector<Judged> documents, Sorted& sorted);
  Async<std::uint64_t> documents_in(ShardId shard);
  Handled leave(Judged judged, Position read_at, std::string outcome, Held held) const;
  void count(const Handled& handled);
  bool is_full() const;
  bool can_list(const std::string& id);
  void note_unequal(const Handled& handled);
  void seen_right(const DocumentCopies& copies);
  Async<Result<std::set<std::string>>> load(Unresolved kind);
  Async<Result<void>> save(Unresolved kind, std::set<std::string> left);
  bool all_known() const;
  ShardId shard_of(const std::string& id) const;

  const Tools& tools_;
  IndexUnderTest index_;
  Roster& roster_;
  std::uint64_t pass_;
  bool repairs_;
  Counter bytes_;
  IndexReport& report_;
  std::set<std::string> pending_;
  std::set<std::string> known_;
  std::set<std::string> moved_before_;
  std::set<std::string> given_up_;
  std::set<std::string> moving_;
  std::map<ShardId, std::string> unlisted_before_;
  std::map<ShardId, std::string> unlisted_;
  std::map<Unresolved, Lists> saved_;  // as they are written down
  std::uint64_t repaired_in_round_ = 0;
};

}  // namespace miroir::anti_entropy
