#include "meili/settings.h"

#include <gtest/gtest.h>

namespace miroir::meili {
namespace {

Json json(std::string_view text) { return *parse_json(text); }

std::string refusal_of(std::string_view patch) {
  const auto checked = check_settings(json(patch));
  return checked ? "" : checked.error().code;
}

Json applied(const Json& current, std::string_view patch) {
  return *apply_settings(current, *check_settings(json(patch)));
}

TEST(SettingsTest, SetsAreSortedWithoutDuplicates) {
  const auto patch = check_settings(json(R"({"stopWords":["the","of","the"]})"));
  EXPECT_EQ(*patch->find("stopWords"), json(R"(["of","the"])"));
}

TEST(SettingsTest, GranularRulesAreFilledIn) {
  const auto patch =
      check_settings(json(R"({"filterableAttributes":["b",{"attributePatterns":["a.*"]}]})"));
  EXPECT_EQ(*patch->find("filterableAttributes"), json(R"(["b",{"attributePatterns":["a.*"],
      "features":{"facetSearch":false,"filter":{"equality":true,"comparison":false}}}])"));
}

TEST(SettingsTest, EachIsRefusedWithItsCode) {
  EXPECT_EQ(refusal_of(R"({"colour":1})"), "bad_request");
  EXPECT_EQ(refusal_of(R"({"rankingRules":["odd"]})"), "invalid_settings_ranking_rules");
  EXPECT_EQ(refusal_of(R"({"rankingRules":["year:down"]})"), "invalid_settings_ranking_rules");
  EXPECT_EQ(refusal_of(R"({"rankingRules":["attribute","wordPosition"]})"),
            "invalid_settings_ranking_rules");
  EXPECT_EQ(refusal_of(R"({"filterableAttributes":[{"attributePatterns":["a*b"]}]})"),
            "invalid_settings_filterable_attributes");
  EXPECT_EQ(refusal_of(R"({"pagination":{"maxTotalHits":0}})"), "invalid_settings_pagination");
  EXPECT_EQ(refusal_of(R"({"faceting":{"sortFacetValuesBy":{"a":"size"}}})"),
            "invalid_settings_faceting");
  EXPECT_EQ(refusal_of(R"({"typoTolerance":{"minWordSizeForTypos":{"oneTypo":256}}})"),
            "invalid_settings_typo_tolerance");
  EXPECT_EQ(refusal_of(R"({"embedders":{"e":{"source":"openAi"}}})"), "invalid_settings_embedders");
  EXPECT_EQ(refusal_of(R"({"embedders":{"e":{"source":"userProvided"}}})"),
            "invalid_settings_embedders");
}

TEST(SettingsTest, NullResetsOneMemberOfAnObject) {
  Json settings = applied(default_settings(),
                          R"({"typoTolerance":{"enabled":false,"disableOnNumbers":true},
                              "faceting":{"maxValuesPerFacet":7}})");
  settings = applied(settings, R"({"typoTolerance":{"enabled":null}})");
  EXPECT_EQ(*settings.find("typoTolerance")->find("enabled"), Json(true));
  EXPECT_EQ(*settings.find("typoTolerance")->find("disableOnNumbers"), Json(true));
  EXPECT_EQ(*settings.find("faceting")->find("maxValuesPerFacet"), Json(7));
}

TEST(SettingsTest, ResettingEverythingGivesTheDefaults) {
  Json everything = Json::object();
  for (const Setting& setting : all_settings()) everything.set(setting.name, nullptr);
  const Json changed = applied(default_settings(), R"({"stopWords":["a"],"facetSearch":false,
      "searchableAttributes":["t"],"embedders":{"u":{"source":"userProvided","dimensions":3}}})");
  EXPECT_NE(changed, default_settings());
  EXPECT_EQ(*apply_settings(changed, everything), default_settings());
}

TEST(SettingsTest, WordSizesAreJudgedTogetherWithWhatIsThere) {
  const auto patch =
      check_settings(json(R"({"typoTolerance":{"minWordSizeForTypos":{"oneTypo":10}}})"));
  ASSERT_TRUE(patch);
  const auto result = apply_settings(default_settings(), *patch);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "invalid_settings_typo_tolerance");
}

TEST(SettingsTest, SecretsAreShortened) {
  const Json shown = without_secrets(json(R"({"embedders":{"a":{"apiKey":"short"},
      "b":{"apiKey":"0123456789abcdefghijklmnopqrstuv"}}})"));
  EXPECT_EQ(*shown.find("embedders")->find("a")->find("apiKey"), Json("XXX..."));
  EXPECT_EQ(*shown.find("embedders")->find("b")->find("apiKey"), Json("01234XXXXXX..."));
}

}  // namespace
}  // namespace miroir::meili
