#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "meili/filterable.h"

namespace miroir::node {

// What the settings say about fields, made ready for asking. Immutable.
class FieldRules {
 public:
  FieldRules() = default;
  // `settings` as GET …/settings answers them.
  explicit FieldRules(const Json& settings);

  using Match = meili::FilterableRules::Match;
  // The first rule that matches; nullopt where the field is not filterable.
  std::optional<Match> filterable(std::string_view field) const { return filterable_.find(field); }
  // As error messages list them.
  std::vector<std::string> filterable_patterns() const { return filterable_.patterns(); }
  bool sortable(std::string_view field) const;
  // Whether its values are needed in a column: filterable, sortable, ranked by, or the distinct
  // attribute.
  bool indexed(std::string_view field) const;
  const std::vector<std::string>& sortable_fields() const { return sortable_; }
  const std::optional<std::string>& distinct() const { return distinct_; }

 private:
  meili::FilterableRules filterable_;
  std::vector<std::string> sortable_;
  std::vector<std::string> ranked_;  // of rankingRules like "year:desc"
  std::optional<std::string> distinct_;
};

}  // namespace miroir::node
