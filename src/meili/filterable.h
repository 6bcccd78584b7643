#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace miroir::meili {

// What a matching rule of `filterableAttributes` allows.
struct FilterFeatures {
  bool equality = true;
  bool comparison = true;
  bool facet_search = true;

  bool filterable() const { return equality || comparison; }
};

// Patterns are "a*", "*a", "*a*", "*" or a name.
bool matches_pattern(std::string_view pattern, std::string_view field);
// "author" covers "author.name".
bool covers(std::string_view field, std::string_view inner);
// The strings of an array of them; what is none is left out.
std::vector<std::string> strings_of(const Json* array);

// The setting `filterableAttributes`, made ready for asking. Immutable.
class FilterableRules {
 public:
  FilterableRules() = default;
  explicit FilterableRules(const Json* rules);

  struct Match {
    FilterFeatures features;
    std::size_t rule;  // its place
  };
  // The first rule that matches; nullopt where the field is not filterable.
  std::optional<Match> find(std::string_view field) const;
  // The patterns of all rules as error messages list them: sorted, without duplicates.
  std::vector<std::string> patterns() const;

 private:
  struct Rule {
    std::vector<std::string> patterns;
    bool plain = false;  // a bare name: "*" is no wildcard there, and "author" covers "author.name"
    FilterFeatures features;
  };
  std::vector<Rule> rules_;
};

}  // namespace miroir::meili
