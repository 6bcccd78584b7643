#include "search/facet_limit.h"

#include <algorithm>

#include "base/document.h"
#include "node_api/stored_fields.h"
#include "search/merged_answer.h"

namespace miroir {
namespace {

void cut_distribution(Json& distribution, std::size_t limit) {
  if (!distribution.is_object()) return;
  for (auto& [attribute, values] : distribution.as_object()) {
    if (values.is_object() && values.size() > limit) values.as_object().resize(limit);
  }
}

void cut_hits(Json& hits, std::size_t limit) {
  if (hits.is_array() && hits.size() > limit) hits.as_array().resize(limit);
}

}  // namespace

std::optional<std::size_t> facet_limit_below_nodes(const Json& settings) {
  const Json* faceting = settings.find("faceting");
  const Json* limit = faceting == nullptr ? nullptr : faceting->find("maxValuesPerFacet");
  if (limit == nullptr || !limit->is_int64()) return std::nullopt;
  if (limit->as_int64() < 0 || limit->as_int64() >= kDigestSymbols) return std::nullopt;
  return limit->as_uint64();
}

std::string cut_facets(std::string answer, const Json& settings) {
  const auto limit = facet_limit_below_nodes(settings);
  if (!limit) return answer;
  const auto members = top_level_fields(answer);
  if (!members) return answer;
  std::string cut = "{";
  for (const FieldView& member : *members) {
    if (cut.size() > 1) cut += ',';
    const bool distribution = member.key == "facetDistribution";
    auto facets = distribution || member.key == "facetHits" ? parse_json(member.value) : Json();
    if (!facets || facets->is_null()) {
      cut += member.raw;
      continue;
    }
    distribution ? cut_distribution(*facets, *limit) : cut_hits(*facets, *limit);
    append_quoted(cut, member.key);
    cut += ':';
    append_text(cut, *facets);
  }
  return cut + '}';
}

std::string cut_facets_of_each(std::string answer, const Catalogue& catalogue) {
  if (answer.find("\"facetDistribution\"") == std::string::npos) return answer;
  const auto members = top_level_fields(answer);
  if (!members) return answer;
  std::string cut = "{";
  for (const FieldView& member : *members) {
    if (cut.size() > 1) cut += ',';
    if (member.key != "results" || member.value == "[]") {
      cut += member.raw;
      continue;
    }
    cut += "\"results\":[";
    bool first = true;
    const auto done = for_each_document(
        member.value, BodyFormat::kJson, [&](std::string_view search) -> Result<void> {
          MIROIR_TRY(const auto fields, top_level_fields(search));
          const auto uid = std::ranges::find(fields, "indexUid", &FieldView::key);
          auto name = uid == fields.end() ? Result<Json>(Json()) : parse_json(uid->value);
          const bool named = name && name->is_string();
          if (!std::exchange(first, false)) cut += ',';
          cut += cut_facets(std::string(search),
                            settings_of(catalogue, named ? name->as_string() : ""));
          return {};
        });
    if (!done) return answer;
    cut += ']';
  }
  return cut + '}';
}

}  // namespace miroir
