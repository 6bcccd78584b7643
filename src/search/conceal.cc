#include "search/conceal.h"

#include <algorithm>
#include <array>

#include "meili/filter.h"
#include "meili/filter_text.h"

namespace miroir {
namespace {

// As long as the prefix, so that the places which a node names stay right.
constexpr std::string_view kAbsentPrefix = "_miroir-";
static_assert(kAbsentPrefix.size() == kReservedPrefix.size());

// Members that are names of fields, or lists of them; of a sort or a crop, the name stands first.
constexpr std::array<std::string_view, 10> kNames = {"facets",
                                                     "sort",
                                                     "attributesToRetrieve",
                                                     "attributesToCrop",
                                                     "attributesToHighlight",
                                                     "attributesToSearchOn",
                                                     "fields",
                                                     "distinct",
                                                     "facetName",
                                                     "facetsByIndex"};

bool are_names(std::string_view member) {
  return std::ranges::find(kNames, member) != kNames.end();
}

// What of a document is answered: an expiry may be among it.
std::string_view shown_of(std::string_view member, const FieldNames& names) {
  const bool answered = member == "attributesToRetrieve" || member == "fields";
  return names.expiry && answered ? std::string_view(names.expires_at) : std::string_view();
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at))
    text.replace(at, from.size(), to);
}

// `shown`: a name that may stay; empty: none.
void conceal_names(Json& value, std::string_view shown = {}) {
  if (value.is_string() && value.as_string() == shown) return;
  if (value.is_string() && value.as_string().starts_with(kReservedPrefix)) {
    value = Json(std::string(kAbsentPrefix) + value.as_string().substr(kReservedPrefix.size()));
  } else if (value.is_array()) {
    for (Json& each : value.as_array()) conceal_names(each, shown);
  } else if (value.is_object()) {
    for (auto& [name, each] : value.as_object()) conceal_names(each, shown);
  }
}

void replace_in_strings(Json& value) {
  if (value.is_string()) {
    std::string text = value.as_string();
    replace_all(text, kReservedPrefix, kAbsentPrefix);
    value = Json(std::move(text));
  } else if (value.is_array()) {
    for (Json& each : value.as_array()) replace_in_strings(each);
  }
}

// Whether such a name stands anywhere in it, the grammar's own escapes undone.
bool holds_reserved(const Json& filter) {
  if (filter.is_array()) return std::ranges::any_of(filter.as_array(), holds_reserved);
  if (!filter.is_string()) return false;
  const std::string& text = filter.as_string();
  return meili::unescape(text, '\0').value_or(text).find(kReservedPrefix) != std::string::npos;
}

// The first stored field that the filter asks about. A filter that we cannot read, though a node
// may, must not have such a name in it.
std::string reserved_field_of(const Json& filter) {
  const auto parsed = meili::parse_filter(filter, "invalid_search_filter");
  if (!parsed) return holds_reserved(filter) ? std::string(kReservedPrefix) : "";
  for (std::string& field : meili::attributes_of(*parsed)) {
    if (field.starts_with(kReservedPrefix)) return std::move(field);
  }
  return "";
}

// A node refuses a filter by a field that it has no rule for, whatever else the filter says.
bool conceal_filter(Json& filter) {
  if (reserved_field_of(filter).empty()) return false;
  replace_in_strings(filter);
  const std::string left = reserved_field_of(filter);  // written with escapes of the grammar's own
  if (!left.empty()) {
    filter =
        Json("\"" + std::string(kAbsentPrefix) + left.substr(kReservedPrefix.size()) + "\" EXISTS");
  }
  return true;
}

// A parameter: JSON if it is an array, as Meilisearch takes it, an expression otherwise.
bool conceal_filter_text(std::string& text) {
  auto list = text.starts_with('[') ? parse_json(text) : Result<Json>(Json(text));
  Json filter = list ? std::move(*list) : Json(text);
  if (!conceal_filter(filter)) return false;
  text = filter.is_string() ? filter.as_string() : to_text(filter);
  return true;
}

// A parameter: names between commas.
bool conceal_list_text(std::string& text, std::string_view shown) {
  std::string list;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    Json name(text.substr(at, end - at));
    conceal_names(name, shown);
    list += (at == 0 ? "" : ",") + name.as_string();
    at = end + 1;
  }
  const bool changed = list != text;
  text = std::move(list);
  return changed;
}

}  // namespace

void conceal_reserved(Json& body, const FieldNames& names) {
  if (!body.is_object()) return;
  for (auto& [name, value] : body.as_object()) {
    if (name == "filter") {
      conceal_filter(value);
    } else if (are_names(name)) {
      conceal_names(value, shown_of(name, names));
    } else if (name == "federation") {
      conceal_reserved(value, names);
    } else if (name == "queries" && value.is_array()) {
      for (Json& query : value.as_array()) conceal_reserved(query, names);
    }
  }
}

std::string concealed_body(std::string body, const FieldNames& names) {
  // A name can also be written with escapes.
  if (body.find(kReservedPrefix) == std::string::npos && body.find('\\') == std::string::npos)
    return body;
  const auto given = parse_json(body);
  if (!given) return body;  // a node refuses it
  Json concealed = *given;
  conceal_reserved(concealed, names);
  return concealed == *given ? std::move(body) : to_text(concealed);
}

std::string concealed_query(std::string query, const FieldNames& names) {
  auto pairs = http::parse_query(query);
  bool changed = false;
  for (auto& [name, value] : pairs) {
    if (name == "filter") changed = conceal_filter_text(value) || changed;
    if (are_names(name)) changed = conceal_list_text(value, shown_of(name, names)) || changed;
  }
  return changed ? http::build_query(pairs) : query;
}

http::Request concealed(http::Request request, const FieldNames& names) {
  request.body = concealed_body(std::move(request.body), names);
  if (const std::string query = concealed_query(request.query, names); query != request.query) {
    request.query = query;
    request.target = request.path + "?" + query;
  }
  return request;
}

std::string revealed(std::string message) {
  replace_all(message, kAbsentPrefix, kReservedPrefix);
  return message;
}

}  // namespace miroir
