#include "meili/settings.h"

#include <algorithm>
#include <array>

#include "meili/settings_values.h"

namespace miroir::meili {
namespace {

Checked check_proximity(const Json& value, const Place& place) {
  return check_choice(value, place, {"byWord", "byAttribute"});
}

Checked check_prefix_search(const Json& value, const Place& place) {
  return check_choice(value, place, {"indexingTime", "disabled"});
}

// Settings that exist only with an experimental feature that this is not about.
Checked refuse_feature(const Json&, const Place& place) {
  return std::unexpected(api_error(
      "feature_not_enabled", "Setting `" + place.path + "` requires an experimental feature."));
}

// `["*"]` among the names means all, as does none.
Checked check_wildcard_list(const Json& value, const Place& place) {
  auto names = check_texts(value, place);
  if (names && std::ranges::find(names->as_array(), Json("*")) != names->as_array().end())
    return Json::array({"*"});
  return names;
}

struct Entry {
  Setting setting;
  Checked (*check)(const Json&, const Place&);
};

constexpr std::array kEntries = {
    Entry{{"displayedAttributes", "displayed-attributes", "invalid_settings_displayed_attributes",
           false},
          check_wildcard_list},
    Entry{{"searchableAttributes", "searchable-attributes",
           "invalid_settings_searchable_attributes", false},
          check_wildcard_list},
    Entry{{"filterableAttributes", "filterable-attributes",
           "invalid_settings_filterable_attributes", false},
          check_filterable},
    Entry{{"sortableAttributes", "sortable-attributes", "invalid_settings_sortable_attributes",
           false},
          check_text_set},
    Entry{{"foreignKeys", "foreign-keys", "invalid_settings_foreign_keys", false}, refuse_feature},
    Entry{{"rankingRules", "ranking-rules", "invalid_settings_ranking_rules", false},
          check_ranking_rules},
    Entry{{"stopWords", "stop-words", "invalid_settings_stop_words", false}, check_text_set},
    Entry{{"nonSeparatorTokens", "non-separator-tokens", "invalid_settings_non_separator_tokens",
           false},
          check_text_set},
    Entry{{"separatorTokens", "separator-tokens", "invalid_settings_separator_tokens", false},
          check_text_set},
    Entry{{"dictionary", "dictionary", "invalid_settings_dictionary", false}, check_text_set},
    Entry{{"synonyms", "synonyms", "invalid_settings_synonyms", false}, check_synonyms},
    Entry{{"distinctAttribute", "distinct-attribute", "invalid_settings_distinct_attribute", false},
          check_text},
    Entry{{"proximityPrecision", "proximity-precision", "invalid_settings_proximity_precision",
           false},
          check_proximity},
    Entry{{"typoTolerance", "typo-tolerance", "invalid_settings_typo_tolerance", true},
          check_typo_tolerance},
    Entry{{"faceting", "faceting", "invalid_settings_faceting", true}, check_faceting},
    Entry{{"pagination", "pagination", "invalid_settings_pagination", true}, check_pagination},
    Entry{{"embedders", "embedders", "invalid_settings_embedders", true}, check_embedders},
    Entry{{"searchCutoffMs", "search-cutoff-ms", "invalid_settings_search_cutoff_ms", false},
          check_count},
    Entry{{"localizedAttributes", "localized-attributes", "invalid_settings_localized_attributes",
           false},
          check_localized},
    Entry{{"facetSearch", "facet-search", "invalid_settings_facet_search", false}, check_flag},
    Entry{{"prefixSearch", "prefix-search", "invalid_settings_prefix_search", false},
          check_prefix_search},
    Entry{{"chat", "chat", "invalid_settings_index_chat", true}, refuse_feature},
};

constexpr auto kSettings = [] {
  std::array<Setting, kEntries.size()> settings{};
  for (std::size_t i = 0; i < kEntries.size(); ++i) settings[i] = kEntries[i].setting;
  return settings;
}();

bool is_wildcard_list(std::string_view name) {
  return name == "displayedAttributes" || name == "searchableAttributes";
}

// The members of `patch` over `current`, null ones as they are by default.
void merge_members(Json& current, const Json& defaults, const Json& patch) {
  for (const auto& [name, value] : patch.as_object()) {
    const Json* fallback = defaults.find(name);
    if (value.is_null()) {
      current.set(name, fallback == nullptr ? Json() : *fallback);
    } else if (name == "minWordSizeForTypos") {
      merge_members(current[name], *fallback, value);
    } else {
      current.set(name, value);
    }
  }
}

void merge_embedders(Json& current, const Json& patch) {
  for (const auto& [name, embedder] : patch.as_object()) {
    if (embedder.is_null()) {
      current.erase(name);
      continue;
    }
    Json& merged = current[name];
    if (merged.is_null()) merged = Json::object();
    for (const auto& [key, value] : embedder.as_object()) {
      if (value.is_null()) {
        merged.erase(key);
      } else {
        merged.set(key, value);
      }
    }
  }
}

std::expected<void, ApiError> check_whole(const Json& settings) {
  const Json* typo = settings.find("typoTolerance");
  const Json* sizes = typo == nullptr ? nullptr : typo->find("minWordSizeForTypos");
  if (sizes == nullptr) return {};
  auto checked = check_typo_tolerance(*typo, {".typoTolerance", "invalid_settings_typo_tolerance"});
  if (!checked) return std::unexpected(std::move(checked.error()));
  return {};
}

}  // namespace

std::span<const Setting> all_settings() { return kSettings; }

Json default_settings() {
  const Json none = Json::array();
  return Json::object(
      {{"displayedAttributes", Json::array({"*"})},
       {"searchableAttributes", Json::array({"*"})},
       {"filterableAttributes", none},
       {"sortableAttributes", none},
       {"rankingRules", Json::array({"words", "typo", "proximity", "attributeRank", "sort",
                                     "wordPosition", "exactness"})},
       {"stopWords", none},
       {"nonSeparatorTokens", none},
       {"separatorTokens", none},
       {"dictionary", none},
       {"synonyms", Json::object()},
       {"distinctAttribute", nullptr},
       {"proximityPrecision", "byWord"},
       {"typoTolerance",
        Json::object({{"enabled", true},
                      {"minWordSizeForTypos", Json::object({{"oneTypo", 5}, {"twoTypos", 9}})},
                      {"disableOnWords", none},
                      {"disableOnAttributes", none},
                      {"disableOnNumbers", false}})},
       {"faceting", Json::object({{"maxValuesPerFacet", 100},
                                  {"sortFacetValuesBy", Json::object({{"*", "alpha"}})}})},
       {"pagination", Json::object({{"maxTotalHits", 1000}})},
       {"embedders", Json::object()},
       {"searchCutoffMs", nullptr},
       {"localizedAttributes", nullptr},
       {"facetSearch", true},
       {"prefixSearch", "indexingTime"}});
}

std::expected<Json, ApiError> check_setting(const Setting& setting, const Json& value) {
  if (value.is_null()) return value;
  const auto found =
      std::ranges::find(kEntries, setting.name, [](const Entry& e) { return e.setting.name; });
  return found->check(value, {"", setting.code});
}

std::expected<Json, ApiError> check_settings(const Json& patch) {
  if (!patch.is_object()) {
    return std::unexpected(expected_type(patch, "an object", {"", "bad_request"}));
  }
  for (const auto& [name, value] : patch.as_object()) {
    if (std::ranges::find(kSettings, name, &Setting::name) != kSettings.end()) continue;
    std::string names;
    for (const Setting& setting : kSettings)
      names += (names.empty() ? "`" : ", `") + std::string(setting.name) + "`";
    return std::unexpected(
        api_error("bad_request", "Unknown field `" + name + "`: expected one of " + names));
  }
  Json checked = Json::object();
  for (const Entry& entry : kEntries) {
    const std::string name(entry.setting.name);
    const Json* value = patch.find(name);
    if (value == nullptr) continue;
    if (value->is_null()) {
      checked.set(name, nullptr);
      continue;
    }
    auto result = entry.check(*value, {"." + name, entry.setting.code});
    if (!result) return result;
    checked.set(name, std::move(*result));
  }
  return checked;
}

Json settings_details(const Json& patch) {
  Json details = Json::object();
  for (const auto& [name, value] : patch.as_object())
    details.set(name, value.is_null() && is_wildcard_list(name) ? Json::array({"*"}) : value);
  const Json* embedders = patch.find("embedders");
  if (embedders != nullptr && embedders->is_object()) details = without_secrets(details);
  return details;
}

std::expected<Json, ApiError> apply_settings(const Json& current, const Json& patch) {
  const Json defaults = default_settings();
  Json result = current;
  for (const auto& [name, value] : patch.as_object()) {
    const Json* fallback = defaults.find(name);
    if (fallback == nullptr) continue;
    if (value.is_null()) {
      result.set(name, *fallback);
    } else if (name == "typoTolerance" || name == "faceting" || name == "pagination") {
      merge_members(result[name], *fallback, value);
    } else if (name == "embedders") {
      merge_embedders(result[name], value);
    } else {
      result.set(name, value);
    }
  }
  if (Json* faceting = result.find("faceting")) {
    Json& orders = (*faceting)["sortFacetValuesBy"];
    if (orders.find("*") == nullptr) orders.set("*", "alpha");
    std::ranges::sort(orders.as_object(), {}, &Json::Member::first);
  }
  if (auto whole = check_whole(result); !whole) return std::unexpected(std::move(whole.error()));
  return result;
}

std::string shortened(const std::string& secret) {
  const std::size_t shown = secret.size() < 10   ? 0
                            : secret.size() < 20 ? 2
                            : secret.size() < 30 ? 3
                                                 : 5;
  std::string text = secret.substr(0, shown) + "XXX";
  text.append(shown == 0 ? 0 : shown == 5 ? 3 : shown - 1, 'X');
  return text + "...";
}

bool is_shortened(std::string_view key) { return key.ends_with("XXX..."); }

Json without_secrets(Json settings) {
  Json* embedders = settings.find("embedders");
  if (embedders == nullptr || !embedders->is_object()) return settings;
  for (auto& [name, embedder] : embedders->as_object()) {
    Json* key = embedder.find("apiKey");
    if (key == nullptr || !key->is_string()) continue;
    *key = Json(shortened(key->as_string()));
  }
  return settings;
}

}  // namespace miroir::meili
