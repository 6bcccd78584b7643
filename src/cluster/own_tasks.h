// Which of a node's tasks are of the log's entries.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/async.h"
#include "log/log.h"
#include "node_api/node_client.h"

namespace miroir {

// What the node calls the task that an entry of this kind makes; empty for keys, which make none.
std::string_view node_task_type(EntryKind kind);
// An entry as its tasks name it: a log that went back gives the same positions again, with other
// stamps.
struct EntryMark {
  Position position = 0;
  EntryStamp stamp = 0;
};
// The metadata of our tasks, and back.
std::string task_metadata(EntryMark mark);
std::optional<EntryMark> parse_task_metadata(std::string_view metadata);

// The log, as far as a node may have been sent it.
struct SentLog {
  Log& log;
  std::string_view node;
  Position up_to = std::numeric_limits<Position>::max();
};

// Whether the log has, or had, that entry, and the node may have been sent it.
Async<Result<bool>> knows(SentLog sent, EntryMark mark);

// The position of a task, if it is one of ours. It is known by its metadata or, where the route
// keeps none, by number, kind and index of the log's entry at that position, which must be for this
// node. What the log took that the node was not sent is none of them: a log that was ahead had
// given the number before. What cannot be read is not somebody else's.
Async<Result<std::optional<Position>>> identify(const NodeTask& task, std::int64_t offset,
                                                SentLog sent);

}  // namespace miroir
