#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node_api/simulated_node_fake.h"

namespace miroir {

// What a simulated node answers to reads.
Result<const SimulatedNode::Index*> simulated_index(const SimulatedNode& node,
                                                    const std::string& index_uid);
Result<DocumentPage> simulated_documents(const SimulatedNode& node, const DocumentQuery& query);
Result<std::vector<DigestCounts>> simulated_digests(const SimulatedNode& node,
                                                    const std::string& index_uid,
                                                    const std::vector<SlotRange>& ranges);
// What it says of each document that is asked for by its id.
std::map<std::string, std::optional<Json>> simulated_answers(const SimulatedNode& node,
                                                             const DocumentQuery& query);
http::Response simulated_read(const SimulatedNode& node, const http::ClientRequest& request);

}  // namespace miroir
