#include "node/field_rules.h"

#include <algorithm>

namespace miroir::node {

FieldRules::FieldRules(const Json& settings)
    : filterable_(settings.find("filterableAttributes")),
      sortable_(meili::strings_of(settings.find("sortableAttributes"))) {
  if (const Json* distinct = settings.find("distinctAttribute");
      distinct != nullptr && distinct->is_string()) {
    distinct_ = distinct->as_string();
  }
  for (const std::string& rule : meili::strings_of(settings.find("rankingRules"))) {
    if (rule.ends_with(":asc") || rule.ends_with(":desc"))
      ranked_.push_back(rule.substr(0, rule.rfind(':')));
  }
}

bool FieldRules::sortable(std::string_view field) const {
  return std::ranges::find(sortable_, field) != sortable_.end();
}

bool FieldRules::indexed(std::string_view field) const {
  const auto asked_for = [&](std::string_view wanted) { return meili::covers(wanted, field); };
  return filterable(field).has_value() || std::ranges::any_of(sortable_, asked_for) ||
         std::ranges::any_of(ranked_, asked_for) || (distinct_ && asked_for(*distinct_));
}

}  // namespace miroir::node
