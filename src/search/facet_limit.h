#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "log/catalogue.h"

namespace miroir {

// Nodes give 100 values of a facet where a client wants fewer, because the digest needs as many
// (node_settings.h): here the client's own limit is applied to what a single node answered. Pure.

// The client's limit; nullopt where nodes have it themselves.
std::optional<std::size_t> facet_limit_below_nodes(const Json& settings);

// `facetDistribution` and `facetHits` of an answer, cut; everything else as it is.
std::string cut_facets(std::string answer, const Json& settings);
// The same, of several searches in one.
std::string cut_facets_of_each(std::string answer, const Catalogue& catalogue);

}  // namespace miroir
