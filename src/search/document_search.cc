// The parts of Searcher that read documents, facet values and statistics.
#include <algorithm>
#include <map>

#include "search/borrowed_fields.h"
#include "search/conceal.h"
#include "search/document_order.h"
#include "search/facet_limit.h"
#include "search/key_refusals.h"
#include "search/merged_answer.h"
#include "search/search_body.h"
#include "search/searcher.h"

namespace miroir {
namespace {

void add_numbers(Json& sum, const Json& other) {
  if (!other.is_object()) return;
  for (const auto& [name, value] : other.as_object()) {
    Json* own = sum.find(name);
    if (own == nullptr) {
      sum.set(name, value);
    } else if (own->is_int64() && value.is_int64()) {
      *own = Json(own->as_int64() + value.as_int64());
    } else if (own->is_object() && value.is_object()) {
      add_numbers(*own, value);
    } else if (own->is_bool() && value.is_bool()) {
      *own = Json(own->as_bool() || value.as_bool());
    } else if (own->is_string() && value.is_string() && value.as_string() > own->as_string()) {
      *own = value;  // times: the latest
    }
  }
}

void fix_average(Json& stats) {
  Json* average = stats.find("avgDocumentSize");
  if (average == nullptr) return;
  const std::uint64_t documents = count_of(stats, "numberOfDocuments", 0);
  *average =
      Json(documents == 0 ? std::uint64_t{0} : count_of(stats, "rawDocumentDbSize", 0) / documents);
}

struct PlacedDocument {
  DocumentOrder::Place place;
  std::string_view text;  // in the answer
};

// Takes the documents out of a node's answer; returns how many the node has in all.
Result<std::uint64_t> collect_documents(std::string_view answer, const DocumentOrder& order,
                                        std::vector<PlacedDocument>& out) {
  MIROIR_TRY(auto fields, top_level_fields(answer));
  std::uint64_t total = 0;
  for (const FieldView& field : fields) {
    if (field.key == "total") {
      MIROIR_TRY(const Json value, parse_json(field.value));
      if (value.is_int64() && value.as_int64() >= 0) total = value.as_uint64();
    }
    if (field.key != "results" || field.value == "[]") continue;
    MIROIR_CHECK(for_each_document(field.value, BodyFormat::kJson,
                                   [&](std::string_view document) -> Result<void> {
                                     DocumentOrder::Place place;
                                     if (!order.empty()) {
                                       MIROIR_TRY(place, order.place_of(document));
                                     }
                                     out.push_back({std::move(place), document});
                                     return {};
                                   }));
  }
  return total;
}

}  // namespace

Async<http::Response> Searcher::document(std::string index_uid, std::string id,
                                         http::Request request) {
  request = concealed(std::move(request), options_.names);
  const Slot slot = slot_of(id);
  const ShardId shard = cluster_.topology().shard_of(slot);
  const Readers readers = readers_of({index_uid});
  auto owners = owners_to_read(cluster_.topology(), readers.readable(), slot, turn_++);
  const std::size_t current = owners.size();
  for (std::string& owner : readers.last_resort(shard)) owners.push_back(std::move(owner));
  KeyRefusals keys(cluster_, log_);
  std::string last = "no replica of its shard can be read";
  for (std::size_t i = 0; i < owners.size(); ++i) {
    auto answer = co_await ask(owners[i], for_node(request));
    if (!answer) {
      last = answer.error().message;
      retries_.increment();
      continue;
    }
    if (keys.refuses(owners[i], *answer)) {
      last = KeyRefusals::sentence(owners[i]);
      retries_.increment();
      continue;
    }
    if (answer->status == 500 && i + 1 < current) continue;  // its peers may answer
    const bool found = answer->status < 300;
    ReadPlan plan;
    if (i >= current) plan.stale = {shard};
    co_return finished(
        http::json_response(
            answer->status,
            found ? strip_reserved(answer->body, AnswerShape::kDocument, options_.names)
                  : strip_error(answer->body)),
        plan);
  }
  if (const auto refusal = keys.standing()) {
    co_return http::json_response(refusal->answer.status, strip_error(refusal->answer.body));
  }
  co_return error_answer(meili::api_error("miroir_shard_unavailable", last + "."));
}

Async<http::Response> Searcher::documents(std::string index_uid, http::Request request) {
  request = concealed(std::move(request), options_.names);
  if (one_node_answers())
    co_return co_await passed(std::move(request), AnswerShape::kDocuments, {index_uid});
  std::optional<Json> query;
  if (request.method == "GET") {
    query = body_of_query(request.query);
    const Json* fields = query ? query->find("fields") : nullptr;
    if (fields != nullptr && fields->size() == 1 && fields->as_array()[0] == Json("*"))
      query->erase("fields");
  } else if (auto parsed = parse_json(request.body); parsed && parsed->is_object()) {
    query = std::move(*parsed);
  }
  if (!query || !can_be_scattered(*query)) {
    co_return co_await refusal(std::move(request));
  }
  co_return co_await gathered_documents(std::move(*query), std::move(index_uid),
                                        std::move(request));
}

// Each node gives its first offset+limit documents. Sorted lists are merged; without a sort, where
// Meilisearch promises no order, they stand one after another, the same way for every page.
Async<http::Response> Searcher::gathered_documents(Json query, std::string index_uid,
                                                   http::Request request) {
  const Page page{.size = count_of(query, "limit", 20), .offset = count_of(query, "offset", 0)};
  const std::string target = "/indexes/" + http::percent_encode(index_uid) + "/documents/fetch";
  const DocumentOrder order = DocumentOrder::parse(query.find("sort"));
  const BorrowedFields borrowed(query, "fields", order.fields());
  auto gathered = co_await gather_answers(
      [&](const ReadPlan::Part& part) {
        Json body = query;
        body.set("offset", 0);
        body.set("limit", Json(page.end()));
        if (!part.slots.empty()) body.set("filter", join_filters(query.find("filter"), part.slots));
        http::ClientRequest out{"POST", target, for_node(request).headers, to_text(body)};
        out.headers.set("Content-Type", "application/json");
        return out;
      },
      question_of(request), {index_uid});
  if (!gathered) co_return error_answer(gathered.error());

  std::uint64_t total = 0;
  std::vector<PlacedDocument> documents;
  for (std::size_t i = 0; i < gathered->answers.size(); ++i) {
    http::Response& answer = gathered->answers[i];
    if (answer.status >= 300) {
      Refused refused{gathered->plan.parts[i].node, std::move(answer)};
      co_return co_await refusal(std::move(request), std::move(refused));
    }
    auto counted = collect_documents(answer.body, order, documents);
    if (!counted) co_return error_answer(to_api_error(counted.error()));
    total += *counted;
  }
  std::ranges::stable_sort(documents, [&](const PlacedDocument& a, const PlacedDocument& b) {
    return order.compare(a.place, b.place) < 0;
  });
  std::string out = "{\"results\":[";
  const std::uint64_t end = std::min<std::uint64_t>(documents.size(), page.end());
  for (std::uint64_t i = page.offset; i < end; ++i) {
    if (i > page.offset) out += ',';
    out += borrowed.taken_from(
        strip_reserved(documents[i].text, AnswerShape::kDocument, options_.names));
  }
  out += "],\"offset\":" + std::to_string(page.offset) + ",\"limit\":" + std::to_string(page.size) +
         ",\"total\":" + std::to_string(total) + "}";
  co_return finished(http::json_response(200, std::move(out)), gathered->plan);
}

Async<http::Response> Searcher::facet_search(std::string index_uid, http::Request request) {
  request = concealed(std::move(request), options_.names);
  auto body = parse_json(request.body);
  if (one_node_answers() || !body || !body->is_object()) {
    auto answer = co_await passed(std::move(request), AnswerShape::kSearch, {index_uid});
    answer.body = cut_facets(std::move(answer.body), settings_of(log_.catalogue(), index_uid));
    co_return answer;
  }
  auto gathered = co_await gather_answers(
      [&](const ReadPlan::Part& part) {
        http::ClientRequest out = for_node(request);
        Json narrowed = *body;
        if (!part.slots.empty())
          narrowed.set("filter", join_filters(body->find("filter"), part.slots));
        out.body = to_text(narrowed);
        return out;
      },
      turn_++, {index_uid});
  if (!gathered) co_return error_answer(gathered.error());

  Json merged;
  std::vector<Json> counts;
  for (const http::Response& answer : gathered->answers) {
    if (answer.status >= 300)
      co_return http::json_response(answer.status, strip_error(answer.body));
    auto parsed = parse_json(answer.body);
    if (!parsed) co_return error_answer(to_api_error(parsed.error()));
    Json::Object values;
    if (const Json* hits = parsed->find("facetHits"); hits != nullptr && hits->is_array()) {
      for (const Json& hit : hits->as_array()) {
        const Json* value = hit.find("value");
        const Json* count = hit.find("count");
        if (value != nullptr && value->is_string() && count != nullptr)
          values.emplace_back(value->as_string(), *count);
      }
    }
    counts.push_back(Json(std::move(values)));
    if (merged.is_null()) merged = std::move(*parsed);
  }
  const Json* name = body->find("facetName");
  merged.set("facetHits",
             merge_facet_hits(counts, facet_rules_of(settings_of(log_.catalogue(), index_uid)),
                              name != nullptr && name->is_string() ? name->as_string() : ""));
  co_return finished(json_answer(200, merged), gathered->plan);
}

Async<http::Response> Searcher::stats(std::string index_uid, http::Request request) {
  IndexUids uids;
  for (const auto& [uid, index] : log_.catalogue().indexes()) {
    if (index_uid.empty() || uid == index_uid) uids.push_back(uid);
  }
  auto gathered = co_await gather_answers([&](const ReadPlan::Part&) { return for_node(request); },
                                          turn_++, std::move(uids));
  if (!gathered) co_return error_answer(gathered.error());
  Json sum;
  for (const http::Response& answer : gathered->answers) {
    if (answer.status >= 300)
      co_return http::json_response(answer.status, strip_error(answer.body));
    auto parsed = parse_json(strip_reserved(answer.body, AnswerShape::kStats, options_.names));
    if (!parsed || !parsed->is_object()) {
      co_return error_answer(
          to_api_error(Error{ErrorCode::kCorrupt, "a node's statistics are no JSON object"}));
    }
    if (sum.is_null()) {
      sum = std::move(*parsed);
    } else {
      add_numbers(sum, *parsed);
    }
  }
  fix_average(sum);
  if (Json* indexes = sum.find("indexes"); indexes != nullptr && indexes->is_object()) {
    for (auto& [uid, index] : indexes->as_object()) fix_average(index);
  }
  co_return finished(json_answer(200, sum), gathered->plan);
}

}  // namespace miroir
