#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace miroir::node {

// What a matching rule of `filterableAttributes` allows.
struct FilterFeatures {
  bool equality = true;
  bool comparison = true;
  bool facet_search = true;
};

// Patterns are "a*", "*a", "*a*", "*" or a name.
bool matches_pattern(std::string_view pattern, std::string_view field);

// What the settings say about fields, made ready for asking. Immutable.
class FieldRules {
 public:
  FieldRules() = default;
  // `settings` as GET …/settings answers them.
  explicit FieldRules(const Json& settings);

  struct Match {
    FilterFeatures features;
    std::size_t rule;  // its place in filterableAttributes
  };
  // The first rule that matches; nullopt where the field is not filterable.
  std::optional<Match> filterable(std::string_view field) const;
  bool sortable(std::string_view field) const;
  // Whether its values are needed in a column: filterable, sortable, ranked by, or the distinct
  // attribute.
  bool indexed(std::string_view field) const;
  bool any_filterable() const { return !filterable_.empty(); }
  // The patterns of all rules as error messages list them: sorted, without duplicates.
  std::vector<std::string> filterable_patterns() const;
  const std::vector<std::string>& sortable_fields() const { return sortable_; }
  const std::optional<std::string>& distinct() const { return distinct_; }

 private:
  struct Rule {
    std::vector<std::string> patterns;
    bool plain = false;  // a bare name: "*" is no wildcard there, and "author" covers "author.name"
    FilterFeatures features;
  };
  std::vector<Rule> filterable_;
  std::vector<std::string> sortable_;
  std::vector<std::string> ranked_;  // of rankingRules like "year:desc"
  std::optional<std::string> distinct_;
};

}  // namespace miroir::node
