#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "store/store.h"
#include "ttl/options.h"

namespace miroir::sim {

// Watches from outside how indexes are swept: each by what was said of it last. What Miroir died
// over before it answered was said, or was not.
class SweepWitness {
 public:
  // `others`: of what nothing was said of.
  SweepWitness(const Clock& clock, TtlPolicy others) : clock_(clock), others_(others) {}

  // A client says it; the number is for its answer.
  int said(const std::string& index, TtlOverride change);
  void answered(int number, bool taken);
  void miroir_died();
  void store_copied() { copy_ = policies_; }
  // To what it was when it was copied, or to nothing.
  void store_went_back(bool copied);
  // Of Miroir's store, as it happens.
  void committed(const Batch& batch);

  // What Miroir says that holds.
  void check(const std::string& index, TtlPolicy found);
  // What it takes to sweep so many documents, one sweep after another.
  Microseconds time_to_sweep(const std::string& index, std::size_t documents) const;

  std::vector<std::string> take_wrong() { return std::exchange(wrong_, {}); }

 private:
  struct Said {
    TtlPolicy policy;
    int number = 0;
    std::optional<int> ended;  // numbers again: what was said before that one had an end
    Instant at{};              // of its end
  };
  std::vector<Said> candidates(const std::string& index) const;
  void judge(const std::string& index, std::uint64_t incarnation);

  const Clock& clock_;
  TtlPolicy others_;
  std::map<std::string, std::vector<Said>> policies_;
  std::map<std::string, std::vector<Said>> copy_;
  int next_ = 1;
  struct Sweep {
    Instant at;
    std::uint64_t documents = 0;
  };
  // Of the Miroir that runs; by index and incarnation.
  std::map<std::pair<std::string, std::uint64_t>, std::vector<Sweep>> sweeps_;
  std::vector<std::string> wrong_;
};

}  // namespace miroir::sim
