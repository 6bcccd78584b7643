#include "node_api/node_settings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "meili/filterable.h"
#include "meili/settings.h"

namespace miroir {
namespace {

// Every stable setting of Meilisearch 1.50, by name and route.
constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kSettings = {{
    {"displayedAttributes", "displayed-attributes"},
    {"searchableAttributes", "searchable-attributes"},
    {"filterableAttributes", "filterable-attributes"},
    {"sortableAttributes", "sortable-attributes"},
    {"foreignKeys", "foreign-keys"},
    {"rankingRules", "ranking-rules"},
    {"stopWords", "stop-words"},
    {"nonSeparatorTokens", "non-separator-tokens"},
    {"separatorTokens", "separator-tokens"},
    {"dictionary", "dictionary"},
    {"synonyms", "synonyms"},
    {"distinctAttribute", "distinct-attribute"},
    {"proximityPrecision", "proximity-precision"},
    {"typoTolerance", "typo-tolerance"},
    {"faceting", "faceting"},
    {"pagination", "pagination"},
    {"embedders", "embedders"},
    {"searchCutoffMs", "search-cutoff-ms"},
    {"localizedAttributes", "localized-attributes"},
    {"facetSearch", "facet-search"},
    {"prefixSearch", "prefix-search"},
    {"chat", "chat"},
}};
// Behind experimental features: only sent where the client made them.
bool is_experimental(std::string_view name) { return name == "chat" || name == "foreignKeys"; }
bool merges_members(std::string_view name) {
  return name == "typoTolerance" || name == "faceting" || name == "pagination" ||
         name == "embedders" || name == "chat";
}

constexpr std::string_view kOurAlphabet = "!()*;?[]";

Json merge_members(const Json* old, const Json& change) {
  Json merged = old != nullptr && old->is_object() ? *old : Json::object();
  for (const auto& [key, value] : change.as_object()) {
    if (value.is_null()) {
      merged.erase(key);
    } else if (value.is_object()) {
      merged.set(key, merge_members(merged.find(key), value));
    } else {
      merged.set(key, value);
    }
  }
  return merged;
}

// With another source an embedder begins anew: what it may have depends on that.
void end_embedders_of_other_sources(Json& settings, const Json& change) {
  Json* embedders = settings.find("embedders");
  const Json* changes = change.find("embedders");
  if (embedders == nullptr || changes == nullptr || !changes->is_object()) return;
  for (const auto& [name, its] : changes->as_object()) {
    const Json* source = its.is_object() ? its.find("source") : nullptr;
    const Json* old = embedders->find(name);
    const Json* before = old == nullptr ? nullptr : old->find("source");
    if (source != nullptr && before != nullptr && *source != *before) embedders->erase(name);
  }
}

// Members that are merged one by one stay on a node that is not told that they are no more. Those
// of an embedder are not told so: which it may have depends on its source.
void reset_what_is_gone(Json& settings, const Json& before, bool nested) {
  if (!settings.is_object() || !before.is_object()) return;
  for (const auto& [name, old] : before.as_object()) {
    if (Json* now = settings.find(name); now == nullptr) {
      settings.set(name, Json());
    } else if (nested) {
      reset_what_is_gone(*now, old, true);
    }
  }
}

Json filter_rule(Json patterns, bool facet_search, bool equality, bool comparison) {
  return Json::object(
      {{"attributePatterns", std::move(patterns)},
       {"features", Json::object({{"facetSearch", facet_search},
                                  {"filter", Json::object({{"equality", equality},
                                                           {"comparison", comparison}})}})}});
}

// The rule that makes the primary key filterable, joined with what the client's first matching rule
// allows.
Json primary_key_rule(const std::string& primary_key, const Json* clients) {
  const auto match = meili::FilterableRules(clients).find(primary_key);
  return filter_rule(Json::array({primary_key}), match && match->features.facet_search, true,
                     match && match->features.comparison);
}

Json filter_rules(const Json* clients, const std::string& primary_key) {
  Json rules = Json::array({filter_rule(Json::array({"_miroir_*"}), false, true, true)});
  if (!primary_key.empty()) rules.push_back(primary_key_rule(primary_key, clients));
  if (clients != nullptr && clients->is_array()) {
    for (const Json& rule : clients->as_array()) rules.push_back(rule);
  }
  return rules;
}

// By value, as a float of 32 bits may keep it.
bool is_near(double one, double other) {
  constexpr double kPrecision = 1e-6;
  return std::abs(one - other) <= kPrecision * std::max(std::abs(one), std::abs(other));
}

// None where others are among them.
std::optional<std::set<std::string>> texts_of(const Json::Array& list) {
  std::set<std::string> texts;
  for (const Json& each : list) {
    if (!each.is_string()) return std::nullopt;
    texts.insert(each.as_string());
  }
  return texts;
}

bool may_show_list(const Json::Array& shown, const Json::Array& sent) {
  const auto its = texts_of(shown);
  const auto texts = texts_of(sent);
  if (!its || !texts) return std::ranges::equal(shown, sent, may_show);
  return its == texts || (texts->contains("*") && its == std::set<std::string>{"*"});
}

// Those of the embedders that an embedder is made of, too.
void restore_secrets(Json& told, const Json* remembered) {
  if (!told.is_object()) return;
  std::vector<std::string> unknown;
  for (auto& [name, value] : told.as_object()) {
    const Json* its = remembered == nullptr ? nullptr : remembered->find(name);
    if (name != "apiKey" || !value.is_string()) {
      restore_secrets(value, its);
    } else if (!meili::is_shortened(value.as_string())) {
      continue;
    } else if (its != nullptr && its->is_string() &&
               meili::shortened(its->as_string()) == value.as_string()) {
      value = *its;
    } else {
      unknown.push_back(name);
    }
  }
  for (const std::string& name : unknown) told.erase(name);
}

bool names_reserved(const Json& value) {
  if (value.is_string()) {
    return value.as_string().find(kReservedPrefix) != std::string::npos;
  }
  if (value.is_array()) return std::ranges::any_of(value.as_array(), names_reserved);
  if (value.is_object()) {
    return std::ranges::any_of(value.as_object(),
                               [](const auto& member) { return names_reserved(member.second); });
  }
  return false;
}

}  // namespace

Json merge_settings(const Json& settings, const Json& change) {
  Json merged = settings.is_object() ? settings : Json::object();
  end_embedders_of_other_sources(merged, change);
  for (const auto& [key, value] : change.as_object()) {
    if (value.is_null()) {
      merged.erase(key);
    } else if (value.is_object() && merges_members(key)) {
      merged.set(key, merge_members(merged.find(key), value));
    } else {
      merged.set(key, value);
    }
  }
  return merged;
}

Json settings_for_node(const Json& settings, const Json& before, const std::string& primary_key) {
  Json complete = Json::object();
  for (const auto& [name, route] : kSettings) {
    const Json* value = settings.find(name);
    if (value != nullptr) {
      complete.set(name, *value);
    } else if (!is_experimental(name)) {
      complete.set(name, Json());
    }
  }
  // What this list does not know is passed on as the client made it.
  for (const auto& [name, value] : settings.is_object() ? settings.as_object() : Json::Object{}) {
    if (complete.find(name) == nullptr) complete.set(name, value);
  }

  complete.set("filterableAttributes",
               filter_rules(settings.find("filterableAttributes"), primary_key));

  for (auto& [name, value] : complete.as_object())
    if (const Json* old = before.find(name); merges_members(name) && old != nullptr)
      reset_what_is_gone(value, *old, name != "embedders");

  Json* faceting = complete.find("faceting");
  Json* facet_limit = faceting->find("maxValuesPerFacet");
  if (facet_limit != nullptr && facet_limit->is_int64() &&
      facet_limit->as_int64() < kDigestSymbols) {
    *facet_limit = Json(kDigestSymbols);
  }
  return complete;
}

Json settings_for_client(Json answer, const Json& settings) {
  if (!answer.is_object()) return answer;
  if (Json* rules = answer.find("filterableAttributes"); rules != nullptr) {
    const Json* clients = settings.find("filterableAttributes");
    *rules = clients == nullptr ? Json::array() : *clients;
  }
  if (Json* faceting = answer.find("faceting"); faceting != nullptr && faceting->is_object()) {
    const Json* own = settings.find("faceting");
    const Json* limit = own == nullptr ? nullptr : own->find("maxValuesPerFacet");
    if (limit != nullptr) faceting->set("maxValuesPerFacet", *limit);
  }
  return answer;
}

Json settings_from_node(Json answer, const std::string& primary_key, const Json& remembered) {
  if (!answer.is_object()) return Json::object();
  if (Json* embedders = answer.find("embedders"))
    restore_secrets(*embedders, remembered.find("embedders"));
  const Json* rules = answer.find("filterableAttributes");
  if (rules == nullptr || !rules->is_array()) return answer;
  const Json ours = filter_rule(Json::array({"_miroir_*"}), false, true, true);
  Json clients = Json::array();
  bool after_ours = false;
  for (const Json& rule : rules->as_array()) {
    // The primary key's comes after the one for our fields, if there was one yet; a client's own is
    // among the others.
    const Json* patterns = rule.is_object() ? rule.find("attributePatterns") : nullptr;
    const bool primary_keys = std::exchange(after_ours, rule == ours) && patterns != nullptr &&
                              *patterns == Json::array({primary_key});
    if (!after_ours && !primary_keys) clients.push_back(rule);
  }
  answer.set("filterableAttributes", std::move(clients));
  return answer;
}

bool may_show(const Json& shown, const Json& sent) {
  if (sent.is_null()) return shown.is_null() || shown == Json::array({"*"});
  if (sent.is_number() && shown.is_number()) return is_near(shown.as_double(), sent.as_double());
  if (sent.is_array() && shown.is_array()) return may_show_list(shown.as_array(), sent.as_array());
  if (!sent.is_object() || !shown.is_object()) return shown == sent;
  return std::ranges::all_of(sent.as_object(), [&shown](const auto& member) {
    const Json* its = shown.find(member.first);
    return member.first == "apiKey" || may_show(its == nullptr ? Json() : *its, member.second);
  });
}

Json details_of_reset() {
  Json details = Json::object();
  for (const auto& [name, route] : kSettings) details.set(name, Json());
  details.set("displayedAttributes", Json::array({"*"}));
  details.set("searchableAttributes", Json::array({"*"}));
  return details;
}

std::optional<meili::ApiError> refuse_settings(const Json& change, const FieldNames&) {
  if (const Json* tokens = change.find("nonSeparatorTokens");
      tokens != nullptr && tokens->is_array()) {
    for (const Json& token : tokens->as_array()) {
      if (!token.is_string() || token.as_string().find_first_of(kOurAlphabet) == std::string::npos)
        continue;
      return meili::api_error(
          "miroir_not_supported",
          "Invalid value at `.nonSeparatorTokens`: `" + token.as_string() +
              "` must stay a separator, because Miroir's stored fields are written with the "
              "characters `!()*;?[]`.");
    }
  }
  for (std::string_view name :
       {"filterableAttributes", "sortableAttributes", "searchableAttributes", "displayedAttributes",
        "distinctAttribute", "rankingRules"}) {
    const Json* value = change.find(name);
    if (value == nullptr || !names_reserved(*value)) continue;
    return meili::api_error("miroir_reserved_field",
                            "Invalid value at `." + std::string(name) +
                                "`: names that begin with `_miroir_` are reserved.");
  }
  return std::nullopt;
}

std::string setting_of_route(std::string_view route) {
  for (const auto& [name, its_route] : kSettings) {
    if (its_route == route) return std::string(name);
  }
  return "";
}

std::vector<std::string> setting_routes() {
  std::vector<std::string> routes;
  for (const auto& [name, route] : kSettings) routes.emplace_back(route);
  return routes;
}

std::string_view method_of_setting(std::string_view route) {
  return merges_members(setting_of_route(route)) ? "PATCH" : "PUT";
}

}  // namespace miroir
