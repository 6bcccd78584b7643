#include "node/geo_distance.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "meili/facet_value.h"

namespace miroir::node {

double distance(const GeoPoint& a, const GeoPoint& b) {
  constexpr double kEarthRadius = 6'371'007.2;
  constexpr double kRadians = std::numbers::pi / 180;
  const double latitudes = std::sin((b.latitude - a.latitude) * kRadians / 2);
  const double longitudes = std::sin((b.longitude - a.longitude) * kRadians / 2);
  const double h = latitudes * latitudes + std::cos(a.latitude * kRadians) *
                                               std::cos(b.latitude * kRadians) * longitudes *
                                               longitudes;
  return 2 * kEarthRadius * std::asin(std::min(1.0, std::sqrt(h)));
}

std::vector<std::pair<DocumentNumber, GeoPoint>> geo_points(const Index& index) {
  std::vector<std::pair<DocumentNumber, GeoPoint>> points;
  const Column* latitudes = index.column("_geo.lat");
  const Column* longitudes = index.column("_geo.lng");
  if (latitudes == nullptr || longitudes == nullptr) return points;
  for (const auto& [latitude, documents] : latitudes->numbers) {
    for (const DocumentNumber document : documents)
      points.push_back({document, {.latitude = latitude}});
  }
  std::ranges::sort(points, {}, &std::pair<DocumentNumber, GeoPoint>::first);
  for (const auto& [longitude, documents] : longitudes->numbers) {
    for (const DocumentNumber document : documents) {
      const auto found = std::ranges::lower_bound(points, document, {},
                                                  &std::pair<DocumentNumber, GeoPoint>::first);
      if (found != points.end() && found->first == document) found->second.longitude = longitude;
    }
  }
  return points;
}

std::string bad_latitude(double latitude) {
  return "Bad latitude `" + meili::number_text(latitude) +
         "`. Latitude must be contained between -90 and 90 degrees.";
}

std::string bad_longitude(double longitude) {
  const double turned = std::fmod(longitude + 180, 360);
  const double hint = (turned < 0 ? turned + 360 : turned) - 180;
  return "Bad longitude `" + meili::number_text(longitude) +
         "`. Longitude must be contained between -180 and 180 degrees. Hint: try using `" +
         meili::number_text(hint) + "` instead.";
}

}  // namespace miroir::node
