#include <algorithm>

#include "meili/payload.h"
#include "node/document_routes.h"
#include "node/document_view.h"
#include "node/filter_evaluation.h"
#include "node/sort.h"

namespace miroir::node {
namespace {

using meili::ApiError;

// What a request for documents asks, wherever it says so.
struct Question {
  std::uint64_t offset = 0;
  std::uint64_t limit = 20;
  FieldSelection fields;
  bool vectors = false;
  std::optional<std::vector<std::string>> ids;
  Json filter;
  std::vector<std::string> sort;
};
using Asked = std::expected<Question, ApiError>;

ApiError unreadable(const std::string& why) { return meili::api_error("internal", why); }

Asked asked_in_query(const Call& call) {
  if (auto error =
          meili::check_parameters(call.query, {"offset", "limit", "fields", "retrieveVectors",
                                               "ids", "filter", "sort", "useNetwork"})) {
    return std::unexpected(std::move(*error));
  }
  Question question;
  const auto offset = meili::unsigned_parameter(call.query, "offset", 0, "invalid_document_offset");
  if (!offset) return std::unexpected(offset.error());
  const auto limit = meili::unsigned_parameter(call.query, "limit", 20, "invalid_document_limit");
  if (!limit) return std::unexpected(limit.error());
  const auto vectors = meili::boolean_parameter(call.query, "retrieveVectors", false,
                                                "invalid_document_retrieve_vectors");
  if (!vectors) return std::unexpected(vectors.error());
  question.offset = *offset;
  question.limit = *limit;
  question.vectors = *vectors;
  if (auto fields = meili::list_parameter(call.query, "fields"))
    question.fields = FieldSelection(std::move(*fields));
  question.ids = meili::list_parameter(call.query, "ids");
  if (const std::string* filter = meili::find_parameter(call.query, "filter")) {
    // JSON where it is JSON, else an expression.
    auto parsed = parse_json(*filter);
    question.filter =
        parsed && (parsed->is_array() || parsed->is_string()) ? std::move(*parsed) : Json(*filter);
  }
  question.sort = meili::list_parameter(call.query, "sort").value_or(std::vector<std::string>());
  return question;
}

std::expected<std::optional<std::vector<std::string>>, ApiError> ids_of(const Json& body) {
  const Json* list = body.find("ids");
  if (list == nullptr || list->is_null()) return std::nullopt;
  if (!list->is_array()) {
    return std::unexpected(meili::wrong_type(*list, "an array", ".ids", "invalid_document_ids"));
  }
  std::vector<std::string> ids;
  for (const Json& id : list->as_array()) {
    if (!id.is_string() && !id.is_integer()) {
      const std::string place = ".ids[" + std::to_string(ids.size()) + "]";
      return std::unexpected(
          meili::wrong_type(id, "a string or an integer", place, "invalid_document_ids"));
    }
    ids.push_back(id.is_string() ? id.as_string() : to_text(id));
  }
  return ids;
}

Asked asked_in_body(const Call& call) {
  if (auto type = meili::expect_json(call.request.headers.find("Content-Type")); !type) {
    return std::unexpected(std::move(type.error()));
  }
  const auto body = meili::json_body(call.request.body);
  if (!body) return std::unexpected(body.error());
  if (auto error = meili::check_fields(*body, {"offset", "limit", "fields", "retrieveVectors",
                                               "ids", "filter", "sort", "useNetwork"})) {
    return std::unexpected(std::move(*error));
  }
  Question question;
  const auto offset = meili::unsigned_field(*body, "offset", 0, "invalid_document_offset");
  if (!offset) return std::unexpected(offset.error());
  const auto limit = meili::unsigned_field(*body, "limit", 20, "invalid_document_limit");
  if (!limit) return std::unexpected(limit.error());
  const auto vectors =
      meili::boolean_field(*body, "retrieveVectors", false, "invalid_document_retrieve_vectors");
  if (!vectors) return std::unexpected(vectors.error());
  auto fields = meili::strings_field(*body, "fields", "invalid_document_fields");
  if (!fields) return std::unexpected(std::move(fields.error()));
  auto ids = ids_of(*body);
  if (!ids) return std::unexpected(std::move(ids.error()));
  auto sort = meili::strings_field(*body, "sort", "invalid_document_sort");
  if (!sort) return std::unexpected(std::move(sort.error()));
  question.offset = *offset;
  question.limit = *limit;
  question.vectors = *vectors;
  if (*fields) question.fields = FieldSelection(std::move(**fields));
  question.ids = std::move(*ids);
  if (const Json* filter = body->find("filter")) question.filter = *filter;
  if (*sort) question.sort = std::move(**sort);
  return question;
}

std::expected<DocumentSet, ApiError> matching(const Question& question, const Index& index,
                                              const Engine& engine) {
  DocumentSet matches;
  if (question.ids) {
    for (const std::string& id : *question.ids) {
      if (const auto found = index.numbers.find(id); found != index.numbers.end())
        matches.insert(found->second);
    }
  } else {
    matches = index.documents;
  }
  if (question.filter.is_null()) return matches;
  auto filtered =
      evaluate(question.filter, index, engine.feature("containsFilter"), "invalid_document_filter");
  if (!filtered) return filtered;
  return matches &= *filtered;
}

// The documents of the page, in order.
Postings page_of(const Question& question, const Index& index, const DocumentSet& matches,
                 const std::vector<SortRule>& rules) {
  Postings page;
  std::uint64_t place = 0;
  const auto see = [&](DocumentNumber document) {
    if (place >= question.offset && page.size() < question.limit) page.push_back(document);
    ++place;
    return page.size() < question.limit;
  };
  if (question.limit == 0) return page;
  if (rules.empty()) {
    matches.for_each_while(see);
    return page;
  }
  const std::uint64_t wanted =
      std::min<std::uint64_t>(question.offset + question.limit, index.number_end);
  for (const SortedGroup& group : sort(index, matches, rules, wanted)) {
    for (const DocumentNumber document : group.documents) {
      if (!see(document)) return page;
    }
  }
  return page;
}

Reply answer(Engine& engine, const Call& call, const Asked& asked) {
  if (!asked) return std::unexpected(asked.error());
  const Question& question = *asked;
  const auto snapshot = engine.snapshot();
  if (!snapshot) return std::unexpected(unreadable("the database cannot be read"));
  const auto index = snapshot->index(call.variables[0]);
  if (!index) return std::unexpected(index.error());
  const auto rules = parse_sort(question.sort, **index, "invalid_document_sort");
  if (!rules) return std::unexpected(rules.error());
  const auto matches = matching(question, **index, engine);
  if (!matches) return std::unexpected(matches.error());

  std::string body = "{\"results\":[";
  const char* comma = "";
  for (const DocumentNumber number : page_of(question, **index, *matches, *rules)) {
    const auto text = snapshot->document(**index, number);
    if (!text) return std::unexpected(unreadable(text.error().message));
    body += comma;
    body += shown_document(*text, **index, question.fields, question.vectors);
    comma = ",";
  }
  body += "],\"offset\":" + std::to_string(question.offset) +
          ",\"limit\":" + std::to_string(question.limit) +
          ",\"total\":" + std::to_string(matches->size()) + "}";
  return http::json_response(200, std::move(body));
}

Reply get_document(Engine& engine, const Call& call) {
  if (auto error = meili::check_parameters(call.query, {"fields", "retrieveVectors"})) {
    return std::unexpected(std::move(*error));
  }
  const auto vectors = meili::boolean_parameter(call.query, "retrieveVectors", false,
                                                "invalid_document_retrieve_vectors");
  if (!vectors) return std::unexpected(vectors.error());
  FieldSelection fields;
  if (auto names = meili::list_parameter(call.query, "fields"))
    fields = FieldSelection(std::move(*names));
  const auto snapshot = engine.snapshot();
  if (!snapshot) return std::unexpected(unreadable("the database cannot be read"));
  const auto index = snapshot->index(call.variables[0]);
  if (!index) return std::unexpected(index.error());
  const std::string& id = call.variables[1];
  const auto number = (*index)->numbers.find(id);
  if (number == (*index)->numbers.end()) {
    return std::unexpected(
        meili::api_error("document_not_found", "Document `" + id + "` not found."));
  }
  const auto text = snapshot->document(**index, number->second);
  if (!text) return std::unexpected(unreadable(text.error().message));
  return http::json_response(200, shown_document(*text, **index, fields, *vectors));
}

}  // namespace

void add_document_read_routes(Router& router, Engine& engine) {
  router.add("GET", "/indexes/{index_uid}/documents", "documents.get",
             [&](const Call& call) { return answer(engine, call, asked_in_query(call)); });
  router.add("POST", "/indexes/{index_uid}/documents/fetch", "documents.get",
             [&](const Call& call) { return answer(engine, call, asked_in_body(call)); });
  router.add("GET", "/indexes/{index_uid}/documents/{document_id}", "documents.get",
             [&](const Call& call) { return get_document(engine, call); });
}

}  // namespace miroir::node
