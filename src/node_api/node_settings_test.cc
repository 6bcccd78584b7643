#include "node_api/node_settings.h"

#include <gtest/gtest.h>

#include "base/parsed_json_fake.h"

namespace miroir {
namespace {

const Json kNone = Json::object();

const Json kOurRule = parsed(
    R"({"attributePatterns":["_miroir_*"],"features":{"facetSearch":false,"filter":{"equality":true,"comparison":true}}})");

Json key_rule(bool facet_search, bool comparison) {
  Json rule = parsed(
      R"({"attributePatterns":["id"],"features":{"facetSearch":false,"filter":{"equality":true,"comparison":false}}})");
  rule["features"].set("facetSearch", facet_search);
  rule["features"]["filter"].set("comparison", comparison);
  return rule;
}

TEST(NodeSettingsTest, OurRulesStandBeforeTheClients) {
  const Json rules =
      settings_for_node(parsed(R"({"filterableAttributes":["genre",{"attributePatterns":["*"]}]})"),
                        kNone, "sku")["filterableAttributes"];
  ASSERT_EQ(rules.size(), 4u);
  EXPECT_EQ(rules.as_array()[0], kOurRule);
  EXPECT_EQ(rules.as_array()[2], Json("genre"));
  EXPECT_EQ(rules.as_array()[3], parsed(R"({"attributePatterns":["*"]})"));
}

TEST(NodeSettingsTest, WithoutAPrimaryKeyThereIsNoRuleForIt) {
  EXPECT_EQ(settings_for_node(kNone, kNone, "")["filterableAttributes"], Json::array({kOurRule}));
}

TEST(NodeSettingsTest, ThePrimaryKeysRuleAllowsWhatTheClientsFirstMatchingRuleDoes) {
  const std::vector<std::pair<const char*, Json>> cases = {
      {"null", key_rule(false, false)},
      {R"(["id"])", key_rule(true, true)},
      {R"(["*"])", key_rule(false, false)},  // an attribute of that name, no wildcard
      {R"([{"attributePatterns":["i*"],"features":{"facetSearch":true,"filter":{"equality":false,"comparison":true}}},"id"])",
       key_rule(true, true)},
      {R"([{"attributePatterns":["x"]},{"attributePatterns":["*d"],"features":{"filter":{"comparison":true}}}])",
       key_rule(false, true)},
  };
  for (const auto& [clients, expected] : cases) {
    const Json settings = Json::object({{"filterableAttributes", parsed(clients)}});
    EXPECT_EQ(settings_for_node(settings, kNone, "id")["filterableAttributes"].as_array()[1],
              expected)
        << clients;
  }
}

TEST(NodeSettingsTest, EverySettingIsSentSoThatNodesEndEqual) {
  const Json complete = settings_for_node(parsed(R"({"stopWords":["a"],"fresh":1})"), kNone, "");
  EXPECT_EQ(*complete.find("stopWords"), parsed(R"(["a"])"));
  EXPECT_EQ(*complete.find("fresh"), Json(1));
  for (const char* name :
       {"synonyms", "rankingRules", "pagination", "embedders", "searchCutoffMs"}) {
    ASSERT_NE(complete.find(name), nullptr) << name;
    EXPECT_TRUE(complete.find(name)->is_null()) << name;
  }
  for (const char* name : {"chat", "foreignKeys"}) EXPECT_EQ(complete.find(name), nullptr) << name;
}

TEST(NodeSettingsTest, TheDigestsSymbolsFitAmongTheFacetValues) {
  auto limit = [](const char* value) {
    const Json settings =
        parsed(std::string(R"({"faceting":{"maxValuesPerFacet":)") + value + "}}");
    return *settings_for_node(settings, kNone, "").find("faceting")->find("maxValuesPerFacet");
  };
  EXPECT_EQ(limit("5"), Json(100));
  EXPECT_EQ(limit("100"), Json(100));
  EXPECT_EQ(limit("500"), Json(500));
  EXPECT_EQ(to_text(limit("18446744073709551615")), "18446744073709551615");
}

TEST(NodeSettingsTest, AnEmbedderThatIsGoneIsTakenAwayByName) {
  const Json before = parsed(R"({"embedders":{"a":{"source":"userProvided"},"b":{}}})");
  EXPECT_EQ(settings_for_node(parsed(R"({"embedders":{"b":{}}})"), before, "")["embedders"],
            parsed(R"({"b":{},"a":null})"));
}

TEST(NodeSettingsTest, AChangeMergesWhatMeilisearchMerges) {
  const Json settings = parsed(
      R"({"stopWords":["a"],"typoTolerance":{"enabled":false,"minWordSizeForTypos":{"oneTypo":4}}})");
  EXPECT_EQ(merge_settings(settings, parsed(R"({"stopWords":["b"]})"))["stopWords"],
            parsed(R"(["b"])"));
  EXPECT_EQ(
      merge_settings(
          settings,
          parsed(R"({"typoTolerance":{"minWordSizeForTypos":{"twoTypos":9}}})"))["typoTolerance"],
      parsed(R"({"enabled":false,"minWordSizeForTypos":{"oneTypo":4,"twoTypos":9}})"));
  EXPECT_EQ(merge_settings(settings, parsed(R"({"typoTolerance":null,"stopWords":null})")), kNone);
  EXPECT_EQ(
      merge_settings(settings, parsed(R"({"typoTolerance":{"enabled":null}})"))["typoTolerance"],
      parsed(R"({"minWordSizeForTypos":{"oneTypo":4}})"));
}

TEST(NodeSettingsTest, ClientsSeeTheSettingsTheyMade) {
  const Json answer = parsed(
      R"({"filterableAttributes":[{"attributePatterns":["_miroir_*"]},"genre"],"faceting":{"maxValuesPerFacet":100},"stopWords":["a"]})");
  EXPECT_EQ(
      settings_for_client(
          answer,
          parsed(R"({"filterableAttributes":["genre"],"faceting":{"maxValuesPerFacet":5}})")),
      parsed(
          R"({"filterableAttributes":["genre"],"faceting":{"maxValuesPerFacet":5},"stopWords":["a"]})"));
  EXPECT_EQ(settings_for_client(answer, kNone)["filterableAttributes"], Json::array());
}

// Those of an index that had no primary key yet have no rule for it.
TEST(NodeSettingsTest, ANodeTellsWhatClientsMade) {
  for (const char* clients : {R"(["genre"])", R"([{"attributePatterns":["genre"]},"year"])"}) {
    const Json settings = Json::object({{"filterableAttributes", parsed(clients)}});
    for (const auto& [then, now] : {std::pair("", ""), std::pair("", "id"), std::pair("id", "id")})
      EXPECT_EQ(settings_from_node(settings_for_node(settings, kNone, then), now,
                                   kNone)["filterableAttributes"],
                parsed(clients))
          << then << now;
  }
}

TEST(NodeSettingsTest, SecretsThatANodeShortensAreRemembered) {
  const Json remembered = parsed(R"({"embedders":{
      "a":{"source":"openAi","apiKey":"0123456789","model":"old"},
      "b":{"source":"composite","searchEmbedder":{"apiKey":"short"}},
      "c":{"apiKey":"another0123456789"}}})");
  EXPECT_EQ(settings_from_node(parsed(R"({"embedders":{
      "a":{"source":"openAi","apiKey":"01XXXX...","model":"new"},
      "b":{"source":"composite","searchEmbedder":{"apiKey":"XXX..."},
           "indexingEmbedder":{"apiKey":"XXX...","url":"u"}},
      "c":{"apiKey":"01XXXX..."},
      "d":{"apiKey":"told"}}})"),
                               "id", remembered),
            parsed(R"({"embedders":{
      "a":{"source":"openAi","apiKey":"0123456789","model":"new"},
      "b":{"source":"composite","searchEmbedder":{"apiKey":"short"},"indexingEmbedder":{"url":"u"}},
      "c":{},
      "d":{"apiKey":"told"}}})"));
}

TEST(NodeSettingsTest, OurAlphabetStaysSeparators) {
  const FieldNames names;
  for (const char character : std::string("!()*;?[]")) {
    const Json change =
        Json::object({{"nonSeparatorTokens", Json::array({"@", std::string("a") + character})}});
    const auto refused = refuse_settings(change, names);
    ASSERT_TRUE(refused) << character;
    EXPECT_EQ(refused->code, "miroir_not_supported");
  }
  EXPECT_FALSE(refuse_settings(
      parsed(R"({"nonSeparatorTokens":["@","#","&","+","-","_",".","/"]})"), names));
}

TEST(NodeSettingsTest, NamesOfStoredFieldsAreRefusedInEverySettingThatNamesFields) {
  const FieldNames names;
  for (const char* change :
       {R"({"filterableAttributes":["_miroir_slot"]})",
        R"({"filterableAttributes":[{"attributePatterns":["a","_miroir_*"]}]})",
        R"({"sortableAttributes":["_miroir_updated_at"]})",
        R"({"distinctAttribute":"_miroir_base"})", R"({"searchableAttributes":["_miroir_slot"]})",
        R"({"displayedAttributes":["_miroir_slot"]})",
        R"({"rankingRules":["_miroir_updated_at:desc"]})"}) {
    const auto refused = refuse_settings(parsed(change), names);
    ASSERT_TRUE(refused) << change;
    EXPECT_EQ(refused->code, "miroir_reserved_field");
  }
  EXPECT_FALSE(refuse_settings(
      parsed(R"({"stopWords":["_miroir_slot"],"sortableAttributes":["a"]})"), names));
}

TEST(NodeSettingsTest, RoutesAndTheirMethods) {
  EXPECT_EQ(setting_of_route("filterable-attributes"), "filterableAttributes");
  EXPECT_EQ(setting_of_route("nothing"), "");
  EXPECT_EQ(method_of_setting("typo-tolerance"), "PATCH");
  EXPECT_EQ(method_of_setting("stop-words"), "PUT");
}

TEST(NodeSettingsTest, AnEmbedderBeginsAnewWithAnotherSource) {
  const Json rest =
      parsed(R"({"embedders":{"m":{"source":"rest","url":"u"},"n":{"source":"rest"}}})");
  const auto embedder = [&](const char* change) {
    return *merge_settings(rest, parsed(change)).find("embedders")->find("m");
  };
  EXPECT_EQ(embedder(R"({"embedders":{"m":{"source":"userProvided","dimensions":3}}})"),
            parsed(R"({"source":"userProvided","dimensions":3})"));
  EXPECT_EQ(embedder(R"({"embedders":{"m":{"source":"rest","dimensions":3}}})"),
            parsed(R"({"source":"rest","url":"u","dimensions":3})"));
  EXPECT_EQ(embedder(R"({"embedders":{"m":{"dimensions":3}}})"),
            parsed(R"({"source":"rest","url":"u","dimensions":3})"));
}

TEST(NodeSettingsTest, MembersThatAreGoneAreReset) {
  const Json before = parsed(
      R"({"typoTolerance":{"enabled":false,"minWordSizeForTypos":{"oneTypo":3,"twoTypos":9}},)"
      R"("pagination":{"maxTotalHits":5}})");
  const Json now = parsed(R"({"typoTolerance":{"minWordSizeForTypos":{"twoTypos":9}}})");
  const Json complete = settings_for_node(now, before, "");
  EXPECT_EQ(*complete.find("typoTolerance"),
            parsed(R"({"enabled":null,"minWordSizeForTypos":{"oneTypo":null,"twoTypos":9}})"));
  EXPECT_TRUE(complete.find("pagination")->is_null());
}

// As measured with Meilisearch 1.50 (and `task_view.rs` there).
TEST(NodeSettingsTest, ATaskShowsTheSettingsThatItWasSentInTheNodesOwnWay) {
  const Json sent = settings_for_node(
      parsed(R"({"stopWords":["the","a","the"],"searchableAttributes":["title","*"],
                 "filterableAttributes":["genre",{"attributePatterns":["x"]}],
                 "typoTolerance":{"enabled":false,"disableOnWords":["b","a"]},
                 "embedders":{"e":{"source":"openAi","apiKey":"a secret",
                                   "distribution":{"mean":0.123456789,"sigma":0.1}}}})"),
      kNone, "id");
  Json shown = sent;
  shown.set("stopWords", Json::array({"a", "the"}));
  shown.set("searchableAttributes", Json::array({"*"}));
  shown.set("displayedAttributes", Json::array({"*"}));
  shown["typoTolerance"].set("disableOnWords", Json::array({"a", "b"}));
  shown["embedders"]["e"].set("apiKey", "XXX...");
  shown["embedders"]["e"]["distribution"].set("mean", 0.12345679);
  shown["filterableAttributes"].as_array().back().set("features", Json::object());
  EXPECT_TRUE(may_show(shown, sent));
  const auto shows = [&](std::string_view name, Json value) {
    Json other = shown;
    other.set(name, std::move(value));
    return may_show(other, sent);
  };
  EXPECT_FALSE(shows("stopWords", Json::array({"a"})));
  EXPECT_FALSE(shows("stopWords", Json()));
  EXPECT_FALSE(shows("rankingRules", Json::array({"words"}))) << "it was reset";
  EXPECT_FALSE(shows("searchableAttributes", Json::array({"title"})));
  EXPECT_FALSE(shows("typoTolerance", Json::object({{"enabled", false}})));
  EXPECT_FALSE(shows("filterableAttributes", Json::array({"genre"})));
  EXPECT_FALSE(shows("embedders", Json::object()));
  EXPECT_FALSE(may_show(Json::object({{"stopWords", Json::array({"a", "the"})}}), sent))
      << "a stranger's change of one setting";
}

}  // namespace
}  // namespace miroir
