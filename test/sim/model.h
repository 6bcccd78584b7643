#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "sim/plan.h"

namespace miroir::sim {

// The documents that a request writes, as its client made them.
Json document_of(const Request& request, const std::string& id);

// What one Meilisearch would hold after the same requests in the same order: maps, and nothing of
// Miroir's.
class Model {
 public:
  struct Index {
    std::map<std::string, Json> documents;
    Json stop_words;  // null: never set
  };
  // False where a Meilisearch's task would fail (an index that does not exist, or that does).
  bool apply(const Request& request);
  const std::map<std::string, Index>& indexes() const { return indexes_; }

 private:
  std::map<std::string, Index> indexes_;
};

}  // namespace miroir::sim
