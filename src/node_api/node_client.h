#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "http/client.h"
#include "node_api/node_write.h"
#include "node_api/stored_fields.h"

namespace miroir {

struct NodeTask {
  TaskUid uid = 0;
  std::string status;  // enqueued, processing, succeeded, failed, canceled
  std::string type;
  std::string index_uid;  // empty where the task belongs to no single index
  std::string enqueued_at;
  std::string started_at;   // empty until then
  std::string finished_at;  // empty until then
  std::string custom_metadata;
  Json details;
  Json error;  // null, or {message, code, type, link}
  bool ended() const { return status == "succeeded" || status == "failed" || status == "canceled"; }
};

struct NodeIndex {
  std::string uid;
  std::optional<std::string> primary_key;
  std::string created_at;
};

// Counts of the digest's symbols among the documents of a range of slots.
struct DigestCounts {
  std::array<std::array<std::uint64_t, kDigestSymbols>, kDigestPositions> counts{};
  auto operator<=>(const DigestCounts&) const = default;
  DigestCounts& operator+=(const DigestCounts& other);
  std::uint64_t documents() const;  // the sum of the first position
};

// Which documents of an index to read. All conditions given must hold.
struct DocumentQuery {
  std::string index_uid = {};
  std::vector<std::string> ids = {};  // empty: any
  std::vector<SlotRange> slots = {};  // in one of them; empty: any
  std::array<std::vector<std::uint8_t>, kDigestPositions> symbols =
      {};  // one of these per position; empty: any
  // Only documents that lie outside of all slots, or without a digest symbol.
  bool unmarked = false;
  std::optional<Json> filter = {};       // a client's filter, in Meilisearch's grammar
  std::vector<std::string> fields = {};  // empty: all
  bool vectors = false;
  std::size_t limit = 1'000;
  std::size_t offset = 0;
};
struct DocumentPage {
  std::vector<std::string> documents;  // their JSON texts
  std::uint64_t total = 0;             // how many match
  std::uint64_t bytes = 0;             // of the answer, as read from the wire
};

// What became of a request that makes a task.
struct Enqueued {
  TaskUid uid = 0;
  std::string enqueued_at;
};

// One node, over its HTTP API. Every call has a deadline, is bounded, and may be abandoned. Reads
// are retried with jitter where that is safe; enqueue() never is. Errors: kUnavailable (connection,
// 5xx, 429, a full disk or queue, a wrong key), kTimeout, kCorrupt (an answer that makes no sense),
// kNotFound (index), and: kInvalid: a 4xx that names this very request, kConflict: the task number
// is taken.
class NodeClient {
 public:
  virtual ~NodeClient() = default;

  // Writes. `metadata` is kept in the task where the route allows it (document routes).
  virtual Async<Result<Enqueued>> enqueue(NodeWrite write, TaskUid uid, std::string metadata,
                                          Instant deadline) = 0;
  // Keys are no tasks: done when it returns; both are idempotent.
  virtual Async<Result<void>> put_key(Json key, Instant deadline) = 0;
  virtual Async<Result<void>> delete_key(std::string uid, Instant deadline) = 0;

  // Tasks.
  virtual Async<Result<std::optional<NodeTask>>> newest_task(Instant deadline) = 0;
  virtual Async<Result<std::optional<NodeTask>>> task(TaskUid uid, Instant deadline) = 0;
  // Tasks with uids in [first, last], rising; at most `limit`, the lowest.
  virtual Async<Result<std::vector<NodeTask>>> tasks(TaskUid first, TaskUid last, std::size_t limit,
                                                     Instant deadline) = 0;

  // State.
  virtual Async<Result<std::vector<NodeIndex>>> indexes(Instant deadline) = 0;
  virtual Async<Result<NodeIndex>> index(std::string uid, Instant deadline) = 0;
  virtual Async<Result<Json>> settings(std::string index_uid, Instant deadline) = 0;
  virtual Async<Result<std::vector<Json>>> keys(Instant deadline) = 0;
  virtual Async<Result<DocumentPage>> documents(DocumentQuery query, Instant deadline) = 0;
  // One digest for each range, of one snapshot each.
  virtual Async<Result<std::vector<DigestCounts>>> digests(std::string index_uid,
                                                           std::vector<SlotRange> ranges,
                                                           Instant deadline) = 0;
  // Whether it answers, speaks `TaskId` (or kUnsupported, in words an operator can act on), and
  // accepts our key. Switches the `network` feature on.
  virtual Async<Result<void>> probe(Instant deadline) = 0;
  // What `DryRun: true` answers to a request: its status and body. Nothing is enqueued.
  virtual Async<Result<http::Response>> dry_run(http::ClientRequest request, Instant deadline) = 0;
  // A read passed through as it is, with the node's key in place of the client's unless the request
  // carries its own.
  virtual Async<Result<http::Response>> read(http::ClientRequest request, Instant deadline) = 0;
  // Connections opened so far. While it stays the same, every answer came from the process that
  // gave those before; a rise says that the node may have been started again, on another disk.
  virtual std::uint64_t connections() const = 0;
};

}  // namespace miroir
