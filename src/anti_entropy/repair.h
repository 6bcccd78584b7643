#pragma once

#include <string>
#include <vector>

#include "anti_entropy/settle.h"

namespace miroir::anti_entropy {

// Why what was decided of a document was not carried out.
enum class Held { kNo, kDryRun, kBreaker, kQuarantine };

// What became of a document that was found to differ.
struct Handled {
  Judged judged;
  Position read_at = 0;
  bool repaired = false;  // only if it was read again and is right
  std::string outcome;    // for people
  Held held = Held::kNo;
};

// The winner's text as it must be written: stored fields as they are, `_vectors` explicit where the
// index has embedders (null: none), decimals printed so that a node reads the same value.
Result<std::string> text_to_write(const std::string& text, bool embedders);

// Carries out what was decided: copy, then replay. Appends one entry for each node (the winners'
// copies; conditional deletes of exactly the copies that were read), waits until the nodes have
// applied them, and reads the documents again. A document that the log changed after it was read,
// but by PUTs, is dropped; it is not settled any more.
Async<Result<std::vector<Handled>>> repair(const Tools& tools, IndexUnderTest index, Roster& roster,
                                           Settled settled, std::uint64_t pass, Counter bytes);

}  // namespace miroir::anti_entropy
