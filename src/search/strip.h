#pragma once

#include <string>
#include <string_view>

#include "node_api/stored_fields.h"

namespace miroir {

// What a node's answer is, and so where documents and field names stand in it.
enum class AnswerShape {
  kSearch,       // {"hits": [documents], "facetDistribution": {…}, …}, a federated one too
  kMultiSearch,  // {"results": [searches]}
  kDocuments,    // {"results": [documents]}
  kDocument,
  kStats,  // {"fieldDistribution": {…}} or {"indexes": {uid: {"fieldDistribution"…}}}
};

// The answer without the reserved fields (but an expiry that clients may see, in milliseconds), in
// one pass over its bytes: members of documents, of
// their `_formatted` and
// `_matchesPosition`, and of lists by field name. A client's own nested fields are never touched.
// `answer` is valid JSON; of text that is not nothing is passed on: {}.
std::string strip_reserved(std::string_view answer, AnswerShape shape, const FieldNames& names);

// An error's message without our filter rule among the available patterns.
std::string strip_error(std::string_view answer);

}  // namespace miroir
