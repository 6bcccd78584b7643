#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/result.h"

namespace miroir {

// The durable tables. Keys are ordered as bytes; what rows mean is said where they are written
// (src/log).
enum class Table {
  kMeta,       // what the process must remember of itself
  kEntry,      // position → entry
  kBody,       // body, piece → compressed bytes
  kOutcome,    // position, node → what failed there
  kTask,       // position → how the client's task ended
  kIndex,      // index uid → catalogue
  kTombstone,  // incarnation, document → delete
  kTaint,      // incarnation, node, document → positions
  kNode,       // node → how far it is
  kKey,        // key uid → API key
  kLease,      // name → holder
  kPass,       // pass → report
  kRepair,     // pass, document → audit
};
inline constexpr int kTableCount = 13;

struct Row {
  std::string key;
  std::string value;
};

// Changes that happen together or not at all.
class Batch {
 public:
  struct Change {
    enum class Kind { kPut, kErase, kEraseRange, kExpect } kind;
    Table table;
    std::string key;
    std::string value;                    // kPut; kEraseRange: the end of the range
    std::optional<std::string> expected;  // kExpect
  };
  Batch& put(Table table, std::string key, std::string value);
  Batch& erase(Table table, std::string key);
  Batch& erase_range(Table table, std::string first, std::string end);  // [first, end)
  // The batch fails with kConflict, changing nothing, unless the key holds this value (nullopt: is
  // absent).
  Batch& expect(Table table, std::string key, std::optional<std::string> value);
  void append(Batch other);
  bool empty() const { return changes_.empty(); }
  const std::vector<Change>& changes() const { return changes_; }

 private:
  std::vector<Change> changes_;
};

// An ordered durable map with atomic batches: all that Miroir needs of a database, so that SQLite,
// PostgreSQL and a simulated disk can stand behind it. Awaitable from one thread; work is done
// elsewhere, calls return on the caller's executor. A commit is durable when it returns, and
// commits happen in the order of the calls; neighbours share one fsync. An error of commit
// (kUnavailable: disk full or gone) means that nothing of the batch happened.
class Store {
 public:
  virtual ~Store() = default;
  virtual Async<Result<void>> commit(Batch batch) = 0;
  virtual Async<Result<std::optional<std::string>>> get(Table table, std::string key) = 0;
  // Rows with first ≤ key < end in order (`reverse`: from the end), at most `limit`. An empty `end`
  // has no bound.
  virtual Async<Result<std::vector<Row>>> scan(Table table, std::string first, std::string end,
                                               std::size_t limit, bool reverse = false) = 0;
  virtual Async<Result<std::uint64_t>> bytes() = 0;  // on disk
  // Nobody else can have it open: whoever else left something in it is gone.
  virtual bool exclusive() const { return false; }
};

// Keys: numbers as 8 bytes big-endian, so that their order is the rows'; parts of a key joined with
// a zero byte.
std::string key_of(std::uint64_t number);
std::uint64_t number_of(std::string_view key);
std::string key_join(std::string_view first, std::string_view second);
// The end of the range of keys that begin with `prefix`.
std::string prefix_end(std::string_view prefix);

}  // namespace miroir
