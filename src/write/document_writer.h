#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "write/documents.h"
#include "write/write_context.h"

namespace miroir {

// The document routes that write. Judges what Meilisearch judges at the door, appends, answers
// (DESIGN.md, "Writing").
class DocumentWriter {
 public:
  explicit DocumentWriter(WriteContext context) : context_(std::move(context)) {}

  // POST (replace) and PUT (merge) /indexes/{uid}/documents
  Async<http::Response> add(std::string index_uid, bool merge, http::Request request,
                            MissingIndex missing = MissingIndex::kIsMade);
  // DELETE /indexes/{uid}/documents/{id}
  Async<http::Response> remove(std::string index_uid, std::string id, http::Request request);
  // POST /indexes/{uid}/documents/delete-batch
  Async<http::Response> remove_batch(std::string index_uid, http::Request request);
  // POST /indexes/{uid}/documents/delete
  Async<http::Response> remove_by_filter(std::string index_uid, http::Request request);
  // DELETE /indexes/{uid}/documents
  Async<http::Response> clear(std::string index_uid, http::Request request);

 private:
  struct Addition;
  struct Prepared;
  Async<Result<Prepared>> prepare(const Addition& addition, const IndexState* index);
  // A body of at most about `entry_bytes_max`, for an entry of its own.
  struct Part {
    Body body;
    std::vector<std::uint32_t> shards;
  };
  using Parts = std::vector<Part>;
  Async<Result<Parts>> write_parts(std::function<std::optional<BodyRecord>()> next);
  void discard(const Parts& parts);
  // The entries of one task, the first at that position; without a part one entry without a body.
  std::vector<Entry> entries_of(Entry entry, const Parts& parts, Position first);
  Async<http::Response> remove_ids(std::string index_uid, std::vector<std::string> ids,
                                   std::size_t provided, std::string metadata);

  WriteContext context_;
};

}  // namespace miroir
