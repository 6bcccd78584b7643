#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "anti_entropy/settle.h"
#include "store/store.h"

namespace miroir::anti_entropy {

// A document that is repaired again and again, though nobody wrote it, is not looped: after
// kRepairsMax repairs of the same version, without a deep pass in between that found it right, its
// copies on nodes in sync are left as they are, and it is reported. It holds back only itself, and
// comes free when it is written anew, or when a deep pass finds its copies equal. Quarantined
// documents are rows of kMeta; the counts before are in memory only.
class Quarantine {
 public:
  static constexpr int kRepairsMax = 3;
  struct Held {
    std::string index;
    Stamp version = 0;  // the newest stamp among its copies
    std::uint64_t pass = 0;
  };
  using Key = std::pair<Position, std::string>;  // incarnation, document

  explicit Quarantine(Store& store) : store_(store) {}
  Async<Result<void>> load();

  void begin(std::uint64_t pass);
  // Takes from the decision what may not be done; whether anything was taken. A version that is
  // another by now frees the document.
  Async<Result<bool>> restrain(const IndexUnderTest& index, Judged& judged);
  // These were repaired and found right.
  Async<Result<void>> repaired(IndexUnderTest index, std::vector<const Judged*> documents);
  // A deep pass has compared these documents of the index: which it did not find to differ are
  // right.
  Async<Result<void>> compared(Position incarnation,
                               std::function<bool(const std::string& id)> includes);

  // Of indexes that are no more.
  Async<Result<void>> forget_all_but(std::set<Position> incarnations);

  const std::map<Key, Held>& held() const { return held_; }

 private:
  struct Streak {
    Stamp version = 0;
    std::uint64_t pass = 0;
    int repairs = 0;
  };
  Async<Result<void>> free(std::vector<Key> keys);

  Store& store_;
  std::uint64_t pass_ = 0;
  std::map<Key, Streak> streaks_;
  std::map<Key, Held> held_;
  std::set<Key> seen_;  // still different, in this pass
};

}  // namespace miroir::anti_entropy
