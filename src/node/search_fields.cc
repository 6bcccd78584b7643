#include "node/search_fields.h"

#include <algorithm>

namespace miroir::node {
namespace {

Json select(const Json& value, const std::string& base, const std::vector<std::string>& names) {
  if (value.is_array()) {
    Json elements = Json::array();
    for (const Json& element : value.as_array()) {
      if (!element.is_object()) continue;
      Json part = select(element, base, names);
      if (part.size() > 0) elements.push_back(std::move(part));
    }
    return elements;
  }
  Json selected = Json::object();
  if (!value.is_object()) return selected;
  for (const auto& [key, member] : value.as_object()) {
    const std::string field = base.empty() ? key : base + "." + key;
    if (std::ranges::find(names, field) != names.end()) {
      selected.set(key, member);
      continue;
    }
    const bool inside = std::ranges::any_of(names, [&](const std::string& name) {
      return name.size() > field.size() && name.starts_with(field) && name[field.size()] == '.';
    });
    if (!inside) continue;
    Json part = select(member, field, names);
    if (part.size() > 0) selected.set(key, std::move(part));
  }
  return selected;
}

}  // namespace

Json selected_fields(const Json& document, const std::vector<std::string>& names) {
  if (std::ranges::find(names, "*") != names.end()) return document;
  return select(document, "", names);
}

Json displayed_fields(const Json& document, const Json& settings) {
  Json visible = document;
  visible.erase("_vectors");
  const Json* displayed = settings.find("displayedAttributes");
  if (displayed == nullptr || !displayed->is_array()) return visible;
  std::vector<std::string> names;
  for (const Json& name : displayed->as_array()) names.push_back(name.as_string());
  return selected_fields(visible, names);
}

}  // namespace miroir::node
