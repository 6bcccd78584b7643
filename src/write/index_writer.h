#pragma once

#include <string>

#include "write/write_context.h"

namespace miroir {

// Creation, change, deletion, swap and renaming of indexes, and their settings. A node judges the
// request's form (DryRun); the catalogue judges what Meilisearch would only find out later, and
// such an entry is born failed.
class IndexWriter {
 public:
  explicit IndexWriter(WriteContext context) : context_(std::move(context)) {}

  Async<http::Response> create(http::Request request);  // POST /indexes
  Async<http::Response> update(std::string index_uid,
                               http::Request request);  // PATCH /indexes/{uid}
  Async<http::Response> drop(std::string index_uid,
                             http::Request request);  // DELETE /indexes/{uid}
  Async<http::Response> swap(http::Request request);  // POST /swap-indexes

 private:
  // Whether any readable node holds a document of the index; with nobody to ask: no.
  Async<bool> may_hold_documents(std::string index_uid);

  WriteContext context_;
};

}  // namespace miroir
