#pragma once

#include <string>
#include <utility>
#include <vector>

#include "node/index.h"

namespace miroir::node {

struct GeoPoint {
  double latitude = 0;
  double longitude = 0;
};

// Metres on a sphere (haversine).
double distance(const GeoPoint& a, const GeoPoint& b);

// The documents that have a `_geo`, in rising order. Needs `_geo` among the indexed fields.
std::vector<std::pair<DocumentNumber, GeoPoint>> geo_points(const Index& index);

// Meilisearch's words for coordinates out of range.
std::string bad_latitude(double latitude);
std::string bad_longitude(double longitude);

}  // namespace miroir::node
