#include "meili/settings_values.h"

#include <algorithm>
#include <array>
#include <span>

#include "meili/parameters.h"

namespace miroir::meili {
namespace {

using Check = Checked (*)(const Json&, const Place&);
struct MemberRule {
  std::string_view name;
  Check check;
  bool nullable = true;
  bool required = false;
};

// An object of known members, in the rules' order.
Checked check_object(const Json& value, const Place& place, std::span<const MemberRule> rules) {
  if (!value.is_object()) return std::unexpected(expected_type(value, "an object", place));
  Json checked = Json::object();
  for (const auto& [name, member] : value.as_object()) {
    if (std::ranges::find(rules, name, &MemberRule::name) != rules.end()) continue;
    std::string names;
    for (const MemberRule& rule : rules)
      names += (names.empty() ? "`" : ", `") + std::string(rule.name) + "`";
    return std::unexpected(
        api_error(place.code, "Unknown field `" + name + "`" +
                                  (place.path.empty() ? "" : " inside `" + place.path + "`") +
                                  ": expected one of " + names));
  }
  for (const MemberRule& rule : rules) {
    const Json* member = value.find(rule.name);
    if (member == nullptr) {
      if (!rule.required) continue;
      return std::unexpected(
          api_error(place.code, "Missing field `" + std::string(rule.name) + "`" +
                                    (place.path.empty() ? "" : " inside `" + place.path + "`")));
    }
    if (member->is_null() && rule.nullable) {
      checked.set(rule.name, nullptr);
      continue;
    }
    auto result = rule.check(*member, place.at(rule.name));
    if (!result) return result;
    checked.set(rule.name, std::move(*result));
  }
  return checked;
}

Checked check_patterns(const Json& value, const Place& place) {
  auto patterns = check_texts(value, place);
  if (!patterns) return patterns;
  for (std::size_t i = 0; i < patterns->size(); ++i) {
    const std::string& pattern = patterns->as_array()[i].as_string();
    if (pattern.size() < 3 || pattern.find('*', 1) >= pattern.size() - 1) continue;
    return std::unexpected(invalid_value(
        "`" + pattern + "` is not a valid attribute pattern: wildcards may only be at its ends",
        place.at(i)));
  }
  return patterns;
}

Checked check_filter_features(const Json& value, const Place& place) {
  static constexpr std::array kRules = {MemberRule{"equality", check_flag, false},
                                        MemberRule{"comparison", check_flag, false}};
  auto checked = check_object(value, place, kRules);
  if (!checked) return checked;
  if (checked->find("equality") == nullptr) checked->set("equality", true);
  if (checked->find("comparison") == nullptr) checked->set("comparison", false);
  return checked;
}

Checked check_features(const Json& value, const Place& place) {
  static constexpr std::array kRules = {MemberRule{"facetSearch", check_flag, false},
                                        MemberRule{"filter", check_filter_features, false}};
  auto checked = check_object(value, place, kRules);
  if (!checked) return checked;
  if (checked->find("facetSearch") == nullptr) checked->set("facetSearch", false);
  if (checked->find("filter") == nullptr)
    checked->set("filter", Json::object({{"equality", true}, {"comparison", false}}));
  return checked;
}

// A byte, as Meilisearch keeps word sizes.
Checked check_word_size(const Json& value, const Place& place) {
  auto count = check_count(value, place);
  if (!count || count->as_uint64() <= 255) return count;
  return std::unexpected(invalid_value("value: `" + to_text(value) +
                                           "` is too large to be deserialized, maximum value "
                                           "authorized is `255`",
                                       place));
}

Checked check_word_sizes(const Json& value, const Place& place) {
  static constexpr std::array kRules = {MemberRule{"oneTypo", check_word_size},
                                        MemberRule{"twoTypos", check_word_size}};
  auto checked = check_object(value, place, kRules);
  if (!checked) return checked;
  const Json* one = checked->find("oneTypo");
  const Json* two = checked->find("twoTypos");
  if (one == nullptr || two == nullptr || one->is_null() || two->is_null()) return checked;
  if (one->as_uint64() <= two->as_uint64()) return checked;
  return std::unexpected(invalid_value(
      "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between "
      "`0` and `255`, and `twoTypos` should be greater or equals to `oneTypo` but found "
      "`oneTypo: " +
          to_text(*one) + "` and twoTypos: " + to_text(*two) + "`.",
      place));
}

Checked check_value_orders(const Json& value, const Place& place) {
  if (!value.is_object()) return std::unexpected(expected_type(value, "an object", place));
  for (const auto& [facet, order] : value.as_object()) {
    if (auto checked = check_choice(order, place.at(facet), {"alpha", "count"}); !checked)
      return checked;
  }
  return value;
}

Checked check_positive(const Json& value, const Place& place) {
  auto count = check_count(value, place);
  if (!count || count->as_uint64() > 0) return count;
  return std::unexpected(
      invalid_value("a non-zero integer value lower than `18446744073709551615` was expected, but "
                    "found a zero",
                    place));
}

bool is_ranking_rule(std::string_view rule) {
  static constexpr std::array kRules = {
      std::string_view("words"),        std::string_view("typo"),
      std::string_view("sort"),         std::string_view("proximity"),
      std::string_view("attribute"),    std::string_view("attributeRank"),
      std::string_view("wordPosition"), std::string_view("exactness")};
  if (std::ranges::find(kRules, rule) != kRules.end()) return true;
  const std::size_t colon = rule.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view order = rule.substr(colon + 1);
  return (order == "asc" || order == "desc") && !rule.starts_with("_geo");
}

}  // namespace

Checked check_filterable(const Json& value, const Place& place) {
  static constexpr std::array kRules = {
      MemberRule{"attributePatterns", check_patterns, false, true},
      MemberRule{"features", check_features, false}};
  if (!value.is_array()) return std::unexpected(expected_type(value, "an array", place));
  Json checked = Json::array();
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Json& rule = value.as_array()[i];
    if (rule.is_string()) {
      checked.push_back(rule);
      continue;
    }
    auto object = check_object(rule, place.at(i), kRules);
    if (!object) return object;
    if (object->find("features") == nullptr)
      object->set("features", *check_features(Json::object(), place));
    checked.push_back(std::move(*object));
  }
  return checked;
}

Checked check_ranking_rules(const Json& value, const Place& place) {
  auto rules = check_texts(value, place);
  if (!rules) return rules;
  bool attribute = false;
  bool rank_or_position = false;
  for (std::size_t i = 0; i < rules->size(); ++i) {
    const std::string& rule = rules->as_array()[i].as_string();
    if (!is_ranking_rule(rule)) {
      return std::unexpected(invalid_value(
          "`" + rule +
              "` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, "
              "attribute, exactness and custom ranking rules.",
          place.at(i)));
    }
    attribute |= rule == "attribute";
    rank_or_position |= rule == "attributeRank" || rule == "wordPosition";
  }
  if (attribute && rank_or_position) {
    return std::unexpected(
        api_error(place.code,
                  "`attribute` and `attributeRank` or `wordPosition` cannot be specified together "
                  "in the ranking rules."));
  }
  return rules;
}

Checked check_synonyms(const Json& value, const Place& place) {
  if (!value.is_object()) return std::unexpected(expected_type(value, "an object", place));
  for (const auto& [word, synonyms] : value.as_object()) {
    if (auto checked = check_texts(synonyms, place.at(word)); !checked) return checked;
  }
  Json sorted = value;
  std::ranges::sort(sorted.as_object(), {}, &Json::Member::first);
  return sorted;
}

Checked check_typo_tolerance(const Json& value, const Place& place) {
  static constexpr std::array kRules = {MemberRule{"enabled", check_flag},
                                        MemberRule{"minWordSizeForTypos", check_word_sizes},
                                        MemberRule{"disableOnWords", check_text_set},
                                        MemberRule{"disableOnAttributes", check_text_set},
                                        MemberRule{"disableOnNumbers", check_flag}};
  return check_object(value, place, kRules);
}

Checked check_faceting(const Json& value, const Place& place) {
  static constexpr std::array kRules = {MemberRule{"maxValuesPerFacet", check_count},
                                        MemberRule{"sortFacetValuesBy", check_value_orders}};
  return check_object(value, place, kRules);
}

Checked check_pagination(const Json& value, const Place& place) {
  static constexpr std::array kRules = {MemberRule{"maxTotalHits", check_positive}};
  return check_object(value, place, kRules);
}

Checked check_embedders(const Json& value, const Place& place) {
  if (!value.is_object()) return std::unexpected(expected_type(value, "an object", place));
  for (const auto& [name, embedder] : value.as_object()) {
    if (embedder.is_null()) continue;
    const Place here = place.at(name);
    if (!embedder.is_object()) return std::unexpected(expected_type(embedder, "an object", here));
    const Json* source = embedder.find("source");
    if (source == nullptr) continue;
    auto checked =
        check_choice(*source, here.at("source"),
                     {"openAi", "huggingFace", "ollama", "userProvided", "rest", "composite"});
    if (!checked) return checked;
    if (source->as_string() != "userProvided") {
      return std::unexpected(
          api_error(place.code, "`" + here.path +
                                    "`: this node computes no embeddings: only the source "
                                    "`userProvided` is supported."));
    }
    const Json* dimensions = embedder.find("dimensions");
    if (dimensions == nullptr || dimensions->is_null()) {
      return std::unexpected(api_error(place.code, "`" + here.path +
                                                       "`: Missing field `dimensions` (note: this "
                                                       "field is mandatory for source "
                                                       "`userProvided`)"));
    }
    if (auto count = check_positive(*dimensions, here.at("dimensions")); !count) return count;
  }
  return value;
}

Checked check_localized(const Json& value, const Place& place) {
  static constexpr std::array kRules = {
      MemberRule{"attributePatterns", check_patterns, false, true},
      MemberRule{"locales", check_texts, false, true}};
  if (!value.is_array()) return std::unexpected(expected_type(value, "an array", place));
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (auto rule = check_object(value.as_array()[i], place.at(i), kRules); !rule) return rule;
  }
  return value;
}

}  // namespace miroir::meili
