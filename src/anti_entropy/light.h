#pragma once

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "anti_entropy/digest_diff.h"
#include "anti_entropy/resolver.h"

namespace miroir::anti_entropy {

// The light pass over one index: asks the nodes for their digests, narrows down where the groups'
// sums differ, and hands the documents found there to the resolver; again after repairs, until the
// sums are equal or only moving documents are left (symbols may cancel). Reads no document while
// the replicas agree.
class LightComparison {
 public:
  LightComparison(const Tools& tools, IndexUnderTest index, Roster& roster, Resolver& resolver,
                  IndexReport& report);

  // Errors are the log's, the store's, or kConflict and kCancelled; a node that fails is lost from
  // the roster.
  Async<Result<void>> run();

 private:
  // kLost: a node was lost on the way, so that the sums no longer say what was asked.
  enum class Progress { kDone, kLost };
  struct Asked {
    std::vector<DigestCounts> groups;  // sums, in the order of the part's groups
  };

  Async<Result<Progress>> round();
  Async<Result<Progress>> beside_the_sums(std::string node);
  // Looks again, at a fence, before it reads any document: what was only moving is gone by then.
  Async<Result<Progress>> descend_if_it_lasts(const Roster::Part& part);
  Async<Result<Progress>> descend(const Roster::Part& part, std::vector<SlotRanges> questions);
  Async<Result<std::optional<std::vector<Asked>>>> ask(const Roster::Part& part,
                                                       const std::vector<SlotRanges>& questions);
  // Reads the stamps of the documents that carry the unequal symbols. `groups`: what was counted.
  Async<Result<Progress>> fetch(const Roster::Part& part, SlotRanges slots,
                                std::vector<DigestCounts> groups, UnequalSymbols unequal);
  // The documents that match, `most` at the most: nullopt where the node was lost.
  Async<std::optional<std::vector<DocumentCopy>>> read_stamps(
      std::string node, DocumentQuery query,
      std::size_t most = std::numeric_limits<std::size_t>::max());
  std::vector<std::string> owners_in(const Roster::Part& part, int group) const;
  bool lose(const std::string& node, const Error& error);

  const Tools& tools_;
  IndexUnderTest index_;
  Roster& roster_;
  Resolver& resolver_;
  IndexReport& report_;
  LightBounds bounds_;
};

}  // namespace miroir::anti_entropy
