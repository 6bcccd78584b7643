#pragma once

#include <optional>
#include <set>
#include <string>

#include "cluster/cluster.h"
#include "http/message.h"
#include "log/log.h"

namespace miroir {

// The nodes that do not take the key of one request, which Miroir admitted: such a node may lack it
// still, or have lost it, so others are asked, as where a node fails. The refusal stands where none
// takes it and one of those that refuse it had done all that the log has of keys: of tenant tokens,
// and of indexes that a body names, a node knows more than Miroir.
class KeyRefusals {
 public:
  // Before any node is asked.
  KeyRefusals(const Cluster& cluster, const Log& log);

  struct Refusal {
    std::string node;
    http::Response answer;
  };
  // Whether the node refuses the key; it is noted.
  bool refuses(const std::string& node, const http::Response& answer);
  // Of a node that does, for people.
  static std::string sentence(const std::string& node) {
    return "node " + node + " does not know the key";
  }
  // Nothing: the client is not to be told so.
  std::optional<Refusal> standing() const;

 private:
  std::set<std::string> have_all_keys_;
  std::optional<Refusal> refusal_;
  bool taken_ = false;
};

}  // namespace miroir
