#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "anti_entropy/instruments.h"
#include "anti_entropy/options.h"
#include "anti_entropy/throttle.h"
#include "base/async.h"
#include "base/clock.h"
#include "cluster/cluster.h"
#include "forward/forwarders.h"
#include "log/log.h"
#include "store/store.h"

namespace miroir::anti_entropy {

class Audit;
class Breaker;
class Quarantine;

// An index as it was when it was asked. What was taken back since may have given its past, and with
// that what was found out about its documents, to another; both are named anew then.
struct KnownAs {
  Position incarnation = 0;
  Position named_at = 0;
  auto operator<=>(const KnownAs&) const = default;
};

// Which indexes of nodes that are being healed were compared by content, under the name that they
// have, since the node was last found not to be in sync: it is compared as if it were filled anew
// (docs/design.md, invariant 10), but not by every pass again. In memory only.
class ReadInFull {
 public:
  bool holds(const std::string& node, KnownAs index, std::uint64_t setbacks) const {
    const auto found = read_.find({node, index.incarnation});
    return found != read_.end() && found->second == Read{index.named_at, setbacks};
  }
  void note(const std::string& node, KnownAs index, std::uint64_t setbacks) {
    read_[{node, index.incarnation}] = {index.named_at, setbacks};
  }
  void forget(const std::string& node, Position incarnation) { read_.erase({node, incarnation}); }
  void forget(Position incarnation) {
    std::erase_if(read_, [&](const auto& entry) { return entry.first.second == incarnation; });
  }
  void forget_all_but(const std::set<Position>& incarnations) {
    std::erase_if(read_,
                  [&](const auto& entry) { return !incarnations.contains(entry.first.second); });
  }

 private:
  struct Read {
    Position named_at = 0;
    std::uint64_t setbacks = 0;
    bool operator==(const Read&) const = default;
  };
  std::map<std::pair<std::string, Position>, Read> read_;
};

// What every part of a pass works with. References outlive the pass.
struct Tools {
  Log& log;
  Store& store;
  Cluster& cluster;
  Forwarders& forwarders;
  Clock& clock;
  Executor executor;
  const AntiEntropyOptions& options;
  Instruments& instruments;
  Audit& audit;
  Breaker& breaker;
  Quarantine& quarantine;
  ReadInFull& read_in_full;
  Throttles& throttles;
  Semaphore& reads;                // max_read_concurrency
  std::function<bool()> stopping;  // asked between two requests
};

// One index as the log knew it when the pass came to it.
struct IndexUnderTest {
  std::string uid;
  Position incarnation = 0;
  Position named_at = 0;
  Position exchanged_at = 0;
  std::string primary_key;
  bool embedders = false;  // documents carry vectors that must be written back
  // When a recovery took it over, and by which entry, if no pass has found its replicas equal
  // since; else 0.
  EntryStamp taken_over_at = 0;
  Position taken_over_by = 0;

  KnownAs known_as() const { return {incarnation, named_at}; }
};

// Which entry gave the index another's past last; 0: none did. What was kept of it before is not of
// what it has by now.
Position exchanged_at(const Pasts& pasts, Position incarnation);

// As the log has it; kConflict: it is no more, or has or had another name.
Result<const IndexState*> unchanged(const Catalogue& catalogue, const IndexUnderTest& index);

// Limits of a pass.
inline constexpr Milliseconds kReadTimeout{15'000};     // one request to a node
inline constexpr Milliseconds kCatchUpTimeout{20'000};  // a node to apply what was appended before
// That lanes stand: until the slowest node that is not lost has caught up, and copies were read.
inline constexpr Milliseconds kStandstillMax{30'000};
inline constexpr Milliseconds kHistoryRetry{100};       // while a forwarder settles a history
inline constexpr Milliseconds kRepairTimeout{120'000};  // a node to apply a repair
inline constexpr Position kLagMax = 10'000;  // entries; a node further behind is not compared
inline constexpr std::size_t kBatchDocuments = 1'000;  // settled, judged and repaired together
inline constexpr std::size_t kIdsOfFirstRequest = 8;   // for documents of a size not known yet
inline constexpr std::size_t kIdsPerRequest = 250;
inline constexpr std::uint64_t kPageBytes = 4ULL << 20;        // an answer to come from a node
inline constexpr std::uint64_t kCopiesBytesMax = 32ULL << 20;  // copies held while they are judged
inline constexpr std::uint64_t kEntryBytesMax = 16ULL << 20;   // a larger repair is several entries
inline constexpr int kRoundsMax = 4;  // of compare and repair, per index and pass

// Waits in short steps, so that the reconciler can be stopped.
Async<bool> wait_done(const Tools& tools, std::string node, Position position,
                      Milliseconds timeout);

// Waits until the node has ended what is for it; what it said where it failed.
struct Applied {
  std::string node;
  std::optional<std::string> error;
};
Async<Applied> await_applied(const Tools& tools, std::string node, Position position);

Error cut_off();

}  // namespace miroir::anti_entropy
