#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "sim/plan.h"

namespace miroir::sim {

inline constexpr std::string_view kExpiresAt = "_miroir_expires_at";

// The documents that a request writes, as its client made them.
Json document_of(const Request& request, const std::string& id);

// What one Meilisearch would hold after the same requests in the same order: maps, and nothing of
// Miroir's.
class Model {
 public:
  struct Index {
    std::map<std::string, Json> documents;
    Json stop_words;  // null: never set
    // What strangers wrote there since clients last wrote or deleted the document.
    std::map<std::string, std::vector<Json>> strange = {};
    std::set<std::string> deleted = {};  // since they were last written whole
    // What nodes held, when the log went back, that it forgot, or only nodes that are behind: those
    // that are read may have an older one.
    std::map<std::string, Json> uncertain = {};
    bool made = true;  // false: its creation failed, and so did all that its users wrote since
  };
  // False where a Meilisearch's task would fail (an index that does not exist, or that does).
  bool apply(const Request& request);
  // The same of a request on documents whose task failed on every node: nothing of it happens, but
  // that a write makes its index.
  bool apply_failed(const Request& request);
  // What no node was sent, but for that.
  void apply_canceled(const Request& request);
  // The documents that a request writes or deletes one by one, whether they are there or not.
  std::vector<std::string> documents_of(const Request& request) const;
  std::map<std::string, Index>& indexes() { return indexes_; }
  const std::map<std::string, Index>& indexes() const { return indexes_; }
  // uid → name
  std::map<std::string, std::string>& keys() { return keys_; }
  const std::map<std::string, std::string>& keys() const { return keys_; }
  // Keys that nodes may hold and need not: what was done to them was lost.
  std::set<std::string>& strange_keys() { return strange_keys_; }
  const std::set<std::string>& strange_keys() const { return strange_keys_; }

 private:
  Index& written(const std::string& uid);

  std::map<std::string, Index> indexes_;
  std::map<std::string, std::string> keys_;
  std::set<std::string> strange_keys_;
};

}  // namespace miroir::sim
