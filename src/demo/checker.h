#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "demo/api.h"

namespace miroir::demo {

// What was acknowledged, applied in order: document by id. Knows nothing of replicas.
class Model {
 public:
  void put(const Json& document);
  void remove(const std::string& id);
  const std::map<std::string, Json>& documents() const { return documents_; }

 private:
  std::map<std::string, Json> documents_;
};

struct CheckedNode {
  std::string id;
  int group = 0;
  Api* api = nullptr;
};

struct Proof {
  std::uint64_t documents_read = 0;
  std::vector<std::string> wrong;  // what does not hold, one sentence each
  std::uint64_t wrong_count = 0;
};

// Reads every node directly and in full, and compares each group with the model by value. Shares no
// code with the reconciler or the canonical hash: JSON values, a map, and equality.
Result<Proof> check(const std::vector<CheckedNode>& nodes, const std::string& index_uid,
                    const Model& model);

}  // namespace miroir::demo
