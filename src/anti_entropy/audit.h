#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/repair.h"
#include "anti_entropy/replicated_state.h"
#include "base/hash.h"

namespace miroir::anti_entropy {

// Rows of kRepair, pass ‖ number: one for every act, of a document what each copy was, who won,
// why, what was done; of replicated state what the node had, what it must have, what was done. What
// could not be repaired is written once a day, or while its last row is kept, not by every pass
// that finds all of it unchanged. They go with their passes (reports.h).
class Audit {
 public:
  Audit(Store& store, Microseconds retention);
  void begin(std::uint64_t pass);
  // These are about to be sent, and what they overwrite with them: each has its row from here on,
  // whatever comes in between. The next record() replaces it, or takes it away where it says
  // nothing of it; withdraw(), where nothing was sent.
  Async<Result<void>> announce(std::string index, std::vector<const Judged*> documents,
                               Position read_at, WallTime now);
  Async<Result<void>> announce(std::vector<StateDifference> differences, WallTime now);
  Async<Result<void>> withdraw();
  Async<Result<void>> record(std::string index, std::vector<Handled> handled, WallTime now);
  Async<Result<void>> record(std::vector<HandledState> handled, WallTime now);
  Async<Result<std::vector<Json>>> load(std::optional<std::uint64_t> pass,
                                        std::size_t limit);  // newest first

 private:
  std::string key_of_row(std::uint64_t row) const { return key_of(pass_) + key_of(row); }
  // `of`: the document's id, or the difference's sentence.
  struct Outcome {
    std::string of;
    Json row;
    bool repaired = false;
  };
  void announce_one(Batch& batch, const std::string& of, const Json& row);
  Async<Result<void>> record(std::vector<Outcome> rows, WallTime now);
  void take_away_announced(Batch& batch);
  Hash128 meaning_of(Json row, WallTime now) const;
  // What is durable of this pass.
  void remember(const std::vector<Hash128>& rows);

  Store& store_;
  const Microseconds again_after_;  // what is unresolved has another row
  std::uint64_t pass_ = 0;
  std::uint64_t rows_ = 0;                          // of this pass
  std::map<std::string, std::uint64_t> announced_;  // what → rows
  std::set<Hash128> unresolved_before_;             // rows
  std::set<Hash128> unresolved_;
};

// docs/admin.md, "Reading a pass".
Json to_json(const Handled& handled, const std::string& index, std::uint64_t pass, WallTime now);
Json to_json(const HandledState& handled, std::uint64_t pass, WallTime now);

}  // namespace miroir::anti_entropy
