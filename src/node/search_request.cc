#include "node/search_request.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "meili/settings_check.h"

namespace miroir::node {
namespace {

using meili::ApiError;
using meili::Place;
using Problem = std::optional<ApiError>;

constexpr std::string_view kLocales =
    "af ak am ar az be bn bg ca cs da de el en eo et fi fr gu he hi hr hu hy id it jv ja kn ka km "
    "ko la lv lt ml mr mk my ne nl nb or pa fa pl pt ro ru si sk sl sn es sr sv ta te tl th tk tr "
    "uk ur uz vi yi zh zu afr aka amh ara aze bel ben bul cat ces cmn dan deu ell eng epo est fin "
    "fra guj heb hin hrv hun hye ind ita jav jpn kan kat khm kor lat lav lit mal mar mkd mya nep "
    "nld nob ori pan pes pol por ron rus sin slk slv sna spa srp swe tam tel tgl tha tuk tur ukr "
    "urd uzb vie yid zho zul";

bool is_locale(std::string_view name) {
  std::string_view rest = kLocales;
  while (!rest.empty()) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, space) == name) return true;
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return false;
}

template <class T>
Problem take(std::expected<Json, ApiError> checked, T& into) {
  if (!checked) return std::move(checked.error());
  if constexpr (std::is_same_v<T, bool>) {
    into = checked->as_bool();
  } else if constexpr (std::is_same_v<T, std::string> ||
                       std::is_same_v<T, std::optional<std::string>>) {
    into = checked->as_string();
  } else if constexpr (std::is_same_v<T, std::uint64_t> ||
                       std::is_same_v<T, std::optional<std::uint64_t>>) {
    into = checked->as_uint64();
  } else {
    std::vector<std::string> texts;
    for (const Json& text : checked->as_array()) texts.push_back(text.as_string());
    into = std::move(texts);
  }
  return std::nullopt;
}

template <auto Field>
Problem texts(SearchRequest& search, const Json& value, const Place& place) {
  return take(meili::check_texts(value, place), search.*Field);
}
template <auto Field>
Problem text(SearchRequest& search, const Json& value, const Place& place) {
  return take(meili::check_text(value, place), search.*Field);
}
template <auto Field>
Problem count(SearchRequest& search, const Json& value, const Place& place) {
  return take(meili::check_count(value, place), search.*Field);
}
template <auto Field>
Problem flag(SearchRequest& search, const Json& value, const Place& place) {
  return take(meili::check_flag(value, place), search.*Field);
}

Problem filter(SearchRequest& search, const Json& value, const Place&) {
  search.filter = value;
  return std::nullopt;
}

Problem strategy(SearchRequest& search, const Json& value, const Place& place) {
  const auto name = meili::check_choice(value, place, {"last", "all", "frequency"});
  if (!name) return name.error();
  search.strategy = *name == Json("last")  ? MatchingStrategy::kLast
                    : *name == Json("all") ? MatchingStrategy::kAll
                                           : MatchingStrategy::kFrequency;
  return std::nullopt;
}

Problem threshold(SearchRequest& search, const Json& value, const Place& place) {
  if (!value.is_number()) return meili::expected_type(value, "a number", place);
  if (value.as_double() < 0 || value.as_double() > 1) {
    return meili::invalid_value(
        "the value of `rankingScoreThreshold` is invalid, expected a float between `0.0` and "
        "`1.0`.",
        place);
  }
  search.score_threshold = value.as_double();
  return std::nullopt;
}

Problem locales(SearchRequest&, const Json& value, const Place& place) {
  const auto names = meili::check_texts(value, place);
  if (!names) return names.error();
  for (std::size_t i = 0; i < names->size(); ++i) {
    const std::string& name = names->as_array()[i].as_string();
    if (!is_locale(name)) return meili::unknown_value(name, "the known locales", place.at(i));
  }
  return std::nullopt;
}

Problem hybrid(SearchRequest&, const Json& value, const Place& place) {
  if (!value.is_object()) return meili::expected_type(value, "an object", place);
  const Json* embedder = value.find("embedder");
  if (embedder == nullptr || !embedder->is_string()) {
    return meili::api_error("invalid_search_embedder",
                            "Missing field `embedder` inside `" + place.path + "`");
  }
  return std::nullopt;
}

Problem vector(SearchRequest&, const Json& value, const Place& place) {
  if (!value.is_array()) return meili::expected_type(value, "an array", place);
  return std::nullopt;
}

Problem ignored(SearchRequest&, const Json&, const Place&) { return std::nullopt; }

struct Member {
  std::string_view name;
  std::string_view code;
  Problem (*read)(SearchRequest&, const Json&, const Place&);
};

constexpr std::array kMembers = {
    Member{"q", "invalid_search_q", text<&SearchRequest::q>},
    Member{"offset", "invalid_search_offset", count<&SearchRequest::offset>},
    Member{"limit", "invalid_search_limit", count<&SearchRequest::limit>},
    Member{"page", "invalid_search_page", count<&SearchRequest::page>},
    Member{"hitsPerPage", "invalid_search_hits_per_page", count<&SearchRequest::hits_per_page>},
    Member{"attributesToRetrieve", "invalid_search_attributes_to_retrieve",
           texts<&SearchRequest::attributes_to_retrieve>},
    Member{"attributesToCrop", "invalid_search_attributes_to_crop",
           texts<&SearchRequest::attributes_to_crop>},
    Member{"cropLength", "invalid_search_crop_length", count<&SearchRequest::crop_length>},
    Member{"cropMarker", "invalid_search_crop_marker", text<&SearchRequest::crop_marker>},
    Member{"attributesToHighlight", "invalid_search_attributes_to_highlight",
           texts<&SearchRequest::attributes_to_highlight>},
    Member{"highlightPreTag", "invalid_search_highlight_pre_tag",
           text<&SearchRequest::highlight_pre_tag>},
    Member{"highlightPostTag", "invalid_search_highlight_post_tag",
           text<&SearchRequest::highlight_post_tag>},
    Member{"showMatchesPosition", "invalid_search_show_matches_position",
           flag<&SearchRequest::show_matches_position>},
    Member{"filter", "invalid_search_filter", filter},
    Member{"sort", "invalid_search_sort", texts<&SearchRequest::sort>},
    Member{"distinct", "invalid_search_distinct", text<&SearchRequest::distinct>},
    Member{"facets", "invalid_search_facets", texts<&SearchRequest::facets>},
    Member{"matchingStrategy", "invalid_search_matching_strategy", strategy},
    Member{"attributesToSearchOn", "invalid_search_attributes_to_search_on",
           texts<&SearchRequest::attributes_to_search_on>},
    Member{"rankingScoreThreshold", "invalid_search_ranking_score_threshold", threshold},
    Member{"locales", "invalid_search_locales", locales},
    Member{"hybrid", "invalid_search_hybrid_query", hybrid},
    Member{"vector", "invalid_search_vector", vector},
    Member{"retrieveVectors", "invalid_search_retrieve_vectors",
           flag<&SearchRequest::retrieve_vectors>},
    Member{"media", "invalid_search_media", ignored},
    Member{"personalize", "invalid_search_personalize", ignored},
    Member{"useNetwork", "invalid_search_use_network", ignored},
    Member{"showRankingScore", "invalid_search_show_ranking_score",
           flag<&SearchRequest::show_score>},
    Member{"showRankingScoreDetails", "invalid_search_show_ranking_score_details",
           flag<&SearchRequest::show_score_details>},
    Member{"showPerformanceDetails", "invalid_search_show_performance_details", ignored},
};

ApiError unknown_member(std::string_view kind, std::string_view name, const SearchPlace& place) {
  std::string names;
  for (const Member& member : kMembers)
    names += (names.empty() ? "`" : ", `") + std::string(member.name) + "`";
  return meili::api_error("bad_request",
                          "Unknown " + std::string(kind) + " `" + std::string(name) + "`" +
                              (place.path.empty() ? "" : " inside `" + place.path + "`") +
                              ": expected one of " + names);
}

// A parameter's text as the JSON value that the member takes.
std::expected<Json, ApiError> parameter_value(const Member& member, const std::string& name,
                                              const std::string& text) {
  const meili::Parameters one{{name, text}};
  for (const std::string_view number : {"offset", "limit", "page", "hitsPerPage", "cropLength"}) {
    if (name == number) return meili::unsigned_parameter(one, name, 0, member.code);
  }
  if (name.starts_with("show") || name == "retrieveVectors")
    return meili::boolean_parameter(one, name, false, member.code);
  if (name == "rankingScoreThreshold") {
    double value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && stop == text.data() + text.size()) return value;
    return std::unexpected(meili::api_error(
        member.code,
        "Invalid value in parameter `" + name + "`: could not parse `" + text + "` as a float"));
  }
  if (name == "filter") {
    if (const auto json = parse_json(text); json && json->is_array()) return *json;
    return Json(text);
  }
  for (const std::string_view single :
       {"q", "cropMarker", "highlightPreTag", "highlightPostTag", "distinct", "matchingStrategy"}) {
    if (name == single) return Json(text);
  }
  Json list = Json::array();
  const auto parts = meili::list_parameter(one, name);
  for (const std::string& part : *parts) list.push_back(part);
  return list;
}

}  // namespace

std::expected<SearchRequest, ApiError> parse_search(const Json& body, const SearchPlace& place) {
  if (!body.is_object())
    return std::unexpected(meili::expected_type(body, "an object", {place.path, "bad_request"}));
  SearchRequest search;
  for (const auto& [name, value] : body.as_object()) {
    if (std::ranges::find(place.more_members, name) != place.more_members.end()) continue;
    const auto member = std::ranges::find(kMembers, name, &Member::name);
    if (member == kMembers.end()) return std::unexpected(unknown_member("field", name, place));
    if (value.is_null()) continue;
    if (auto problem = member->read(search, value, {place.path + "." + name, member->code}))
      return std::unexpected(std::move(*problem));
  }
  const Json* vectors = body.find("vector");
  if (vectors != nullptr && !vectors->is_null()) {
    const Json* mode = body.find("hybrid");
    if (mode == nullptr || mode->is_null()) {
      return std::unexpected(meili::api_error(
          "missing_search_hybrid",
          "Invalid request: missing `hybrid` parameter when `vector` or `media` are present."));
    }
    return std::unexpected(
        meili::api_error("invalid_search_vector", "This node does not search by vectors."));
  }
  return search;
}

std::expected<SearchRequest, ApiError> parse_search(const meili::Parameters& query) {
  Json body = Json::object();
  for (const auto& [name, text] : query) {
    if (name == "hybridEmbedder" || name == "hybridSemanticRatio") continue;
    const auto member = std::ranges::find(kMembers, name, &Member::name);
    if (member == kMembers.end() || name == "hybrid" || name == "media")
      return std::unexpected(unknown_member("parameter", name, {}));
    auto value = parameter_value(*member, name, text);
    if (!value) return std::unexpected(std::move(value.error()));
    body.set(name, std::move(*value));
  }
  return parse_search(body);
}

}  // namespace miroir::node
