#pragma once

#include "base/clock.h"
#include "cluster/cluster.h"
#include "http/message.h"
#include "log/log.h"
#include "node_api/api_response.h"
#include "node_api/stored_fields.h"

namespace miroir {

struct WriteOptions {
  FieldNames names;
  std::uint64_t entry_bytes_max = 16ULL << 20;  // a larger body becomes several entries
  std::uint64_t deleted_per_entry = 100'000;    // and a delete by filter of about so many more,
  std::size_t slices_unknown = 16;              // or so many where no node says how many
  Milliseconds request_timeout{30'000};
};

// What a write to an index that does not exist does: makes it, or fails when its turn comes,
// because the client's key does not allow making indexes.
enum class MissingIndex { kIsMade, kFails };

// What every writer works with; all of it outlives them.
struct WriteContext {
  Log& log;
  Cluster& cluster;
  Clock& clock;
  WriteOptions options;
};

// Log::append, but kUnavailable too while nodes wait for recovery (cluster/state_reasons.h), unless
// it is only about documents of indexes that the log knows: what it does not know the nodes may
// hold, and an index that is made anew would lose its settings.
Async<Result<std::vector<Entry>>> append_for_client(WriteContext context, Log::Judge judge);

// 202: {"taskUid", "indexUid", "status": "enqueued", "type", "enqueuedAt"}; names degraded groups
// in its header.
http::Response accepted_answer(const WriteContext& context, const Entry& entry);
// The answer of an append: 202 for the client's task among the entries, or the error.
http::Response append_answer(const WriteContext& context,
                             const Result<std::vector<Entry>>& appended);

// A client's entry of the given kind, for an index as it stands in the catalogue (or not: nullptr).
Entry client_entry(EntryKind kind, std::string_view task_type, std::string index_uid,
                   const IndexState* index);
// The entries that make a missing index: its creation and the settings that every index has.
std::vector<Entry> index_birth(Position next, const std::string& index_uid,
                               std::optional<std::string> primary_key);
// The settings entry that follows when the primary key becomes known.
Entry primary_key_settings(const IndexState& index, Position incarnation,
                           const std::string& primary_key);

// Asks a healthy node what it would answer to the request (DryRun: true). Anything but a 2xx is the
// client's answer; that its key is refused, only where no node that is silent may hold more keys.
Async<Answer<Json>> judge_at_node(WriteContext context, std::string method, std::string target,
                                  std::string body, http::Headers headers);

}  // namespace miroir
