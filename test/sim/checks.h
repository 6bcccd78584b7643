#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/topology.h"
#include "node_api/simulated_node_fake.h"
#include "sim/model.h"

namespace miroir::sim {

// The document as its client wrote it: without the stored fields, and its expiry in milliseconds.
Json client_view(const Json& document);

using Nodes = std::map<std::string, std::unique_ptr<SimulatedNode>>;

// A document that a repair changed on a node.
struct Repaired {
  std::uint64_t position = 0;  // of the repair
  std::string node;
  std::string index;
  std::string id;
  std::optional<Json> before = std::nullopt;  // what was there; nothing: there was none
  std::optional<Json> after = std::nullopt;   // nothing: deleted
};

// A document that a sweep took from a node.
struct Swept {
  std::uint64_t position = 0;
  std::string node;
  std::string index;
  std::string id;
  Json document;
  std::int64_t by = 0;  // the latest time that the wall clock had shown when the sweep was logged
};

// Documents, by index and id, that nodes deleted for an entry of a delete by filter.
using Filtered = std::map<std::uint64_t, std::set<std::pair<std::string, std::string>>>;

// How many repairs of documents the audit tells of. What the breaker holds back every pass says
// anew until a person agrees: that counts once, and what was only reported does not.
std::uint64_t count_repairs(const std::vector<Json>& audit);

// What is wrong, in sentences; empty: all holds. These know the model, the nodes' disks and who
// owns what, and share no code with what they check.

// Every node holds the model's indexes, and of the model's documents exactly those that it owns,
// with the model's content; and the settings and keys that clients made.
std::vector<std::string> check_against_model(const Model& model, const Topology& topology,
                                             const Nodes& nodes);
// What a repair wrote is what the model holds at its place in the log; what it deleted is gone
// there, or another version.
std::optional<std::string> check_repair(const Model& model, const Topology& topology,
                                        const Repaired& repair);
// A shard whose copies differ is in no state that says otherwise, and no state is without a reason.
// Of a pass that compared them all, when nothing was written meanwhile.
std::vector<std::string> check_states(const Json& pass, const Topology& topology,
                                      const Nodes& nodes);
// What has expired is gone.
std::vector<std::string> check_expired(const Model& model, std::int64_t now_milliseconds);
// What belongs to strangers alone is theirs.
std::vector<std::string> check_left_alone(const Nodes& nodes);
// The copies of a document are the same, stored fields included; and an index's primary key and all
// its settings.
std::vector<std::string> check_replicas_equal(const Nodes& nodes);

}  // namespace miroir::sim
