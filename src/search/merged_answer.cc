#include "search/merged_answer.h"

#include <algorithm>
#include <limits>

#include "search/strip.h"

namespace miroir {
namespace {

constexpr std::uint64_t kCountMax = std::numeric_limits<std::int64_t>::max();

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return a > kCountMax - std::min(b, kCountMax) ? kCountMax : a + b;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kCountMax / b ? kCountMax : a * b;
}

std::uint64_t pages(std::uint64_t total, std::uint64_t size) {
  return size == 0 ? 0 : sum(total, size - 1) / size;
}

bool is_semantic(const FederatedHit& hit) {
  return hit.scores.is_array() && std::ranges::any_of(hit.scores.as_array(), [](const Json& score) {
           return score.find("vectorSort") != nullptr;
         });
}

}  // namespace

std::uint64_t count_of(const Json& object, std::string_view name, std::uint64_t fallback) {
  const Json* value = object.find(name);
  if (value == nullptr || !value->is_integer()) return fallback;
  return value->is_int64() && value->as_int64() < 0 ? fallback : value->as_uint64();
}

Page Page::parse(const Json& asked) {
  auto given = [&](std::string_view name) {
    const Json* value = asked.find(name);
    return value != nullptr && !value->is_null();
  };
  Page page;
  page.by_pages = given("page") || given("hitsPerPage");
  page.number = count_of(asked, "page", 1);
  page.size = count_of(asked, page.by_pages ? "hitsPerPage" : "limit", 20);
  page.offset = count_of(asked, "offset", 0);
  return page;
}

std::uint64_t Page::first() const {
  if (!by_pages) return offset;
  return number == 0 ? 0 : product(number - 1, size);
}

std::uint64_t Page::end() const { return by_pages && number == 0 ? 0 : sum(first(), size); }

FacetRules facet_rules_of(const Json& settings) {
  FacetRules rules;
  if (const Json* faceting = settings.find("faceting")) {
    rules.limit = count_of(*faceting, "maxValuesPerFacet", rules.limit);
    if (const Json* order = faceting->find("sortFacetValuesBy")) rules.sort_by = *order;
  }
  return rules;
}

const Json& settings_of(const Catalogue& catalogue, std::string_view index_uid) {
  static const Json kNone;
  const IndexState* index = catalogue.index(index_uid);
  return index == nullptr ? kNone : index->settings;
}

std::string distinct_attribute_of(const Json& settings) {
  const Json* attribute = settings.find("distinctAttribute");
  return attribute != nullptr && attribute->is_string() ? attribute->as_string() : "";
}

MergedHits merge_answers(std::vector<FederatedAnswer>& answers, const Distinct& distinct) {
  MergedHits merged;
  std::uint64_t given = 0;
  for (const FederatedAnswer& answer : answers) {
    merged.total += answer.total;
    given += answer.hits.size();
  }
  merged.hits = merge_hits(answers, distinct);
  merged.total -= std::min(merged.total, given - merged.hits.size());
  return merged;
}

std::string begin_answer(const std::vector<FederatedAnswer>& answers,
                         const std::vector<FederatedHit>& hits, const ShownHits& shown) {
  std::string out = "{\"hits\":[";
  std::int64_t semantic = 0;
  for (std::uint64_t i = shown.first; i < std::min<std::uint64_t>(hits.size(), shown.end); ++i) {
    if (i > shown.first) out += ',';
    out += shown.finish(hits[i], strip_reserved(hits[i].text, AnswerShape::kDocument, shown.names));
    if (is_semantic(hits[i])) ++semantic;
  }
  out += ']';
  if (std::ranges::any_of(answers, &FederatedAnswer::semantic))
    append_member(out, "semanticHitCount", Json(semantic));
  return out;
}

void append_member(std::string& out, std::string_view name, const Json& value) {
  out += ',';
  append_quoted(out, name);
  out += ':';
  append_text(out, value);
}

void append_totals(std::string& out, const Page& page, std::uint64_t shown_offset,
                   std::uint64_t total) {
  if (page.by_pages) {
    append_member(out, "hitsPerPage", Json(page.size));
    append_member(out, "page", Json(page.number));
    append_member(out, "totalPages", Json(pages(total, page.size)));
    append_member(out, "totalHits", Json(total));
  } else {
    append_member(out, "limit", Json(page.size));
    append_member(out, "offset", Json(shown_offset));
    append_member(out, "estimatedTotalHits", Json(total));
  }
}

std::string end_answer(std::string out, const std::vector<FederatedAnswer>& answers) {
  if (!answers.empty() && !answers.front().request_uid.empty())
    append_member(out, "requestUid", answers.front().request_uid);
  return out + '}';
}

std::int64_t slowest(const std::vector<FederatedAnswer>& answers) {
  std::int64_t milliseconds = 0;
  for (const FederatedAnswer& answer : answers)
    milliseconds = std::max(milliseconds, answer.milliseconds);
  return milliseconds;
}

std::vector<Json> facets_of(const std::vector<FederatedAnswer>& answers,
                            const std::string& index_uid, const FieldNames& names) {
  std::vector<Json> facets;
  for (const FederatedAnswer& answer : answers) {
    const Json* own = answer.facets.find(index_uid);
    if (own == nullptr) continue;
    Json clean = *own;
    for (std::string_view part : {"distribution", "stats"}) {
      Json* members = clean.find(part);
      if (members == nullptr || !members->is_object()) continue;
      std::erase_if(members->as_object(),
                    [&](const Json::Member& member) { return is_reserved(member.first, names); });
    }
    facets.push_back(std::move(clean));
  }
  return facets;
}

}  // namespace miroir
