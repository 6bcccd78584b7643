#include "meili/geo.h"

#include <charconv>
#include <cmath>

#include "base/document.h"
#include "base/json.h"

namespace miroir::meili {
namespace {

bool is_finite_number(const Json& value) {
  if (value.is_number()) return std::isfinite(value.as_double());
  if (!value.is_string()) return false;
  const std::string& text = value.as_string();
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
}

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

std::optional<std::string> what_is_wrong(Json geo, const std::string& id) {
  if (geo.is_null()) return std::nullopt;
  if (!geo.is_object()) {
    return "The `_geo` field in the document with the id: `" + id +
           "` is not an object. Was expecting an object with the `_geo.lat` and `_geo.lng` fields "
           "but instead got `" +
           to_text(geo) + "`.";
  }
  const Json* lat = geo.find("lat");
  const Json* lng = geo.find("lng");
  if (lat == nullptr && lng == nullptr) {
    return "Could not find latitude nor longitude in the document with the id: `" + id +
           "`. Was expecting `_geo.lat` and `_geo.lng` fields.";
  }
  if (lat == nullptr || lng == nullptr) {
    std::string name = lat == nullptr ? "latitude" : "longitude";
    std::string field = lat == nullptr ? "lat" : "lng";
    return "Could not find " + name + " in the document with the id: `" + id +
           "`. Was expecting a `_geo." + field + "` field.";
  }
  if (geo.size() > 2) {
    Json rest = geo;
    rest.erase("lat");
    rest.erase("lng");
    return "The `_geo` field in the document with the id: `" + id +
           "` contains the following unexpected fields: `" + to_text(rest) + "`.";
  }
  const bool lat_right = is_finite_number(*lat);
  const bool lng_right = is_finite_number(*lng);
  if (lat_right && lng_right) return std::nullopt;
  if (!lat_right && !lng_right) {
    return "Could not parse latitude nor longitude in the document with the id: `" + id +
           "`. Was expecting finite numbers but instead got `" + to_text(*lat) + "` and `" +
           to_text(*lng) + "`.";
  }
  return "Could not parse " + std::string(lat_right ? "longitude" : "latitude") +
         " in the document with the id: `" + id +
         "`. Was expecting a finite number but instead got `" + to_text(lat_right ? *lng : *lat) +
         "`.";
}

}  // namespace

std::optional<ApiError> check_geo(std::string_view document, std::string_view id) {
  auto fields = top_level_fields(document);
  if (!fields) return std::nullopt;
  const FieldView* geo = nullptr;
  for (const FieldView& field : *fields) {
    if (field.key == "_geo") geo = &field;
  }
  if (geo == nullptr) return std::nullopt;
  auto value = parse_json(geo->value, DecimalReading::kNode);
  if (!value) return std::nullopt;
  auto wrong = what_is_wrong(std::move(*value), quoted(id));
  if (!wrong) return std::nullopt;
  return api_error("invalid_document_geo_field", std::move(*wrong));
}

}  // namespace miroir::meili
