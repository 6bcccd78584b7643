#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cdc/cursor.h"
#include "cdc/options.h"
#include "cluster/cluster.h"
#include "forward/forwarders.h"
#include "log/log.h"

namespace miroir::cdc {

struct Selection {
  std::string index_uid = {};  // empty: all
  bool bodies = true;
  std::size_t events_max = 10'000;
  std::size_t bytes_max = 1'000'000;  // an event that is larger comes alone
};

struct Page {
  std::string events;  // JSON, with commas between
  std::uint64_t count = 0;
  std::map<std::string, std::uint64_t> counts;  // by index; "" for what concerns several
  Cursor next;
  bool more = false;  // the log holds more than was looked at
  // Events up to `next` that the log holds no more, those that it lost when it went back as one.
  // There are no others on such a page.
  std::uint64_t lost = 0;
};

// Reads the log as a stream of events. An event is given when it is known what became of it: the
// client's task has ended, and its part was not failed, nor void, on all owners of the document; of
// Miroir's own, for which nobody waits, unless that is known. Everything up to the first entry of
// which it is not known can be read; keeps no state.
class ChangeReader {
 public:
  ChangeReader(Log& log, const Cluster& cluster, const Forwarders& forwarders,
               const CdcOptions& options)
      : log_(log), cluster_(cluster), forwarders_(forwarders), options_(options) {}

  // At most a page; nothing where there is nothing yet.
  Async<Result<Page>> read(Cursor after, Selection selection) const;

 private:
  using Ends = std::map<Position, std::optional<TaskEnd>>;
  enum class Step { kGoOn, kPageEnds };
  enum class Fate { kUnknown, kHappened, kInPart, kNever };
  Async<Result<Fate>> fate_of(std::shared_ptr<const Entry> entry, const Ends& ends) const;
  Async<Result<Step>> take(std::shared_ptr<const Entry> entry, const Ends& ends,
                           const Selection& selection, Page& page) const;
  Async<Result<Step>> take_records(std::shared_ptr<const Entry> entry, Fate fate,
                                   const Selection& selection, Page& page) const;
  Async<Result<std::vector<bool>>> shards_that_happened(Position position) const;
  // Of documents, and of whole shards: what is older was changed since.
  struct Newer {
    std::map<std::string, EntryStamp> ids = {};
    std::vector<EntryStamp> all;
    bool than(const BodyRecord& swept, ShardId shard) const;
  };
  Async<Result<std::optional<Newer>>> newer_than(std::shared_ptr<const Entry> sweep) const;
  Async<Result<bool>> note(std::shared_ptr<const Entry> entry, std::optional<Newer>& newer) const;

  Log& log_;
  const Cluster& cluster_;
  const Forwarders& forwarders_;
  const CdcOptions& options_;
};

}  // namespace miroir::cdc
