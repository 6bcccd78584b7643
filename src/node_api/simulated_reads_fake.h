#pragma once

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
http::Response simulated_read(const SimulatedNode& node, const http::ClientRequest& request);

}  // namespace miroir
