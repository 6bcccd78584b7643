#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "node_api/node_client.h"

namespace miroir {

// What a node's answers mean. Pure: everything a node says is checked, and what makes no sense is
// kCorrupt.

// The error that an answer of another status than 2xx stands for (codes: see NodeClient).
Error error_of(const http::Response& response);
// The body of a 2xx answer as JSON, or the error.
Result<Json> json_of(const http::Response& response);

Result<Enqueued> enqueued_of(const http::Response& response);
Result<NodeTask> task_of(const Json& task);
Result<std::vector<NodeTask>> tasks_of(const Json& page);
Result<NodeIndex> index_of(const Json& index);
Result<std::vector<NodeIndex>> indexes_of(const Json& page);
// Cuts the documents out of the answer as they stand there.
Result<DocumentPage> documents_of(const http::Response& response);

// The request body that asks for the digests of these ranges, and its answer.
Json digest_queries(const std::string& index_uid, const std::vector<SlotRange>& ranges);
Result<std::vector<DigestCounts>> digests_of(const Json& answer, std::size_t ranges);

}  // namespace miroir
