#pragma once

#include <string>
#include <vector>

#include "anti_entropy/decide.h"
#include "anti_entropy/roster.h"

namespace miroir::anti_entropy {

// A document whose copies may be judged: every owner that counts had applied everything up to
// `read_at` when they were read, and nothing has touched it since.
struct Judged {
  DocumentCopies copies;
  Knowledge knowledge;
  Decision decision;
};

struct Settled {
  Position read_at = 0;
  std::vector<Judged> documents;
  std::vector<std::string> moving;     // written since: left for later
  std::vector<std::string> left_over;  // not read: the copies of the others are enough at once
};

// Whether lanes stand while copies are read: documents that are written all the time hold still
// only then.
enum class Lanes { kMove, kStand };

// Waits for the nodes, reads all copies of these documents by id (of as many as fit into
// `kCopiesBytesMax`, at least of one), and judges those that hold still (DESIGN.md, "Settling",
// "Deciding"). A node that does not answer, or lags, is lost from the
// roster: its copies are unknown. kConflict: the index is not what it was.
Async<Result<Settled>> settle_and_judge(const Tools& tools, IndexUnderTest index, Roster& roster,
                                        std::vector<std::string> ids, Counter bytes,
                                        Lanes lanes = Lanes::kMove);

// Whether the log did something to the document after `read_at` that leaves what was decided of it
// without an object. PUTs take only deletes theirs: a copy that is restored gets them too.
Async<Result<bool>> outdated(const Tools& tools, const IndexUnderTest& index, const Judged& judged,
                             Position read_at);

// The taints of copies that were judged as they were at `read_at`, and are right: they have ended.
std::vector<Taint> ended_taints(const Tools& tools, const IndexUnderTest& index, Position read_at,
                                const Judged& judged);

}  // namespace miroir::anti_entropy
