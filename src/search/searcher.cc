#include "search/searcher.h"

#include <algorithm>

#include "search/conceal.h"
#include "search/facet_limit.h"
#include "search/federated.h"
#include "search/key_refusals.h"
#include "search/search_body.h"

namespace miroir {
namespace {

// How often one request is planned anew because a node failed.
constexpr int kPlansMax = 4;
constexpr const char* kDegradedHeader = "X-Miroir-Degraded";
// A node that answers this soon is not away, however long it took over a client's question.
constexpr Milliseconds kProbeTime{500};

std::string message_of(const ReadPlan& plan) {
  return std::to_string(plan.missing.size()) + " shards have no replica that can be read";
}

// What no node says, whatever it was asked: not parsed, for most answers are only passed on.
bool is_garbage(const std::string& body) {
  if (body.empty()) return true;
  const char first = body.front();
  const char last = body.back();
  if (first == '{') return last != '}';
  if (first == '[') return last != ']';
  return !parse_json(body);
}

bool says(const http::Response& answer, std::string_view code) {
  if (answer.status < 400) return false;
  const auto body = parse_json(answer.body);
  const Json* its = body ? body->find("code") : nullptr;
  return its != nullptr && *its == Json(code);
}

// Of a search of several.
Searcher::IndexUids indexes_of(const Json& body) {
  Searcher::IndexUids uids;
  const Json* queries = body.find("queries");
  if (queries == nullptr || !queries->is_array()) return uids;
  for (const Json& query : queries->as_array()) {
    const Json* uid = query.find("indexUid");
    if (uid != nullptr && uid->is_string()) uids.push_back(uid->as_string());
  }
  return uids;
}

http::Response error_of_node(const http::Response& answer) {
  return http::json_response(answer.status, strip_error(answer.body));
}

}  // namespace

http::ClientRequest for_node(const http::Request& request) {
  http::ClientRequest out{request.method, request.target, {}, request.body};
  for (std::string_view name : {"Authorization", "Content-Type"}) {
    if (const std::string* value = request.headers.find(name)) out.headers.set(name, *value);
  }
  return out;
}

Searcher::Searcher(Log& log, Cluster& cluster, const Forwarders& forwarders, Clock& clock,
                   Metrics& metrics, SearchOptions options)
    : log_(log),
      cluster_(cluster),
      forwarders_(forwarders),
      clock_(clock),
      options_(std::move(options)),
      retries_(metrics.counter("miroir_scatter_retries_total",
                               "Reads planned anew because a node failed")),
      partial_(metrics.counter("miroir_scatter_partial_responses_total",
                               "Reads answered without some shards")),
      degraded_(
          metrics.counter("miroir_degraded_shards_total", "Shards missing from answered reads")),
      fan_out_(metrics.histogram("miroir_scatter_fan_out_size", "Nodes asked by a read",
                                 {1, 2, 3, 5, 8, 13, 21})) {}

Readers Searcher::readers_of(IndexUids indexes) const {
  return {cluster_, log_, forwarders_.newest_ended(), std::move(indexes)};
}

Async<Result<http::Response>> Searcher::ask(std::string node, http::ClientRequest request) {
  auto answer =
      co_await cluster_.client(node).read(std::move(request), clock_.now() + options_.node_timeout);
  if (!answer) {
    // A question may be too hard for a node that is well.
    const ErrorCode code = answer.error().code;
    const bool away = code == ErrorCode::kUnavailable ||
                      (code == ErrorCode::kTimeout &&
                       !co_await cluster_.client(node).probe(clock_.now() + kProbeTime));
    if (away) cluster_.report_unhealthy(node, answer.error());
    co_return std::unexpected(std::move(answer).error().with_context("node " + node));
  }
  // The node may have come back on an older disk between two requests.
  if (auto same = co_await cluster_.verify(node, clock_.now() + options_.node_timeout); !same)
    co_return std::unexpected(std::move(same).error().with_context("node " + node));
  // A 500 may be the query's own fault (FACTS.md), which another node tells: who asks looks at it.
  // The others say that the node cannot answer now.
  const int status = answer->status;
  if (status == 502 || status == 503 || status == 504 || status == 429 || status == 507) {
    co_return fail(ErrorCode::kUnavailable, "node " + node + " answered " + std::to_string(status));
  }
  if (is_garbage(answer->body))
    co_return fail(ErrorCode::kCorrupt, "node " + node + " answered what is no JSON");
  co_return std::move(*answer);
}

Async<Answer<Searcher::Gathered>> Searcher::gather_answers(MakeRequest make, std::uint64_t turn,
                                                           IndexUids indexes) {
  std::set<std::string> avoid;
  std::string last = "no node is readable";
  const Readers readers = readers_of(std::move(indexes));
  KeyRefusals keys(cluster_, log_);
  const auto refused = [&keys]() -> std::optional<Gathered> {
    auto refusal = keys.standing();
    if (!refusal) return std::nullopt;
    Gathered one;
    one.answers.push_back(std::move(refusal->answer));
    one.plan.parts.push_back({std::move(refusal->node), {}});
    return one;
  };
  std::optional<Gathered> broken;  // with a 500
  for (int attempt = 0; attempt < kPlansMax; ++attempt) {
    Gathered gathered{.answers = {},
                      .plan = plan_read(cluster_.topology(), readers.readable(), avoid, turn)};
    readers.fill_with_last_resort(gathered.plan, avoid);
    const ReadPlan& plan = gathered.plan;
    const bool partial = !plan.missing.empty();
    if (broken && (partial || !plan.stale.empty())) co_return std::move(*broken);
    if (plan.parts.empty() || (partial && options_.unavailable == UnavailableShards::kError)) {
      if (auto no = refused()) co_return std::move(*no);
      co_return std::unexpected(meili::api_error(
          "miroir_shard_unavailable", (partial ? message_of(plan) + "; " : "") + last + "."));
    }
    fan_out_.observe(static_cast<double>(plan.parts.size()));
    std::vector<Async<Result<http::Response>>> calls;
    for (const ReadPlan::Part& part : plan.parts) calls.push_back(ask(part.node, make(part)));
    auto results = co_await gather(std::move(calls));
    bool failed = false;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::string& node = plan.parts[i].node;
      if (results[i] && keys.refuses(node, *results[i])) {
        failed = true;
        last = KeyRefusals::sentence(node);
        avoid.insert(node);
        continue;
      }
      if (results[i]) {
        gathered.answers.push_back(std::move(*results[i]));
        continue;
      }
      failed = true;
      if (results[i].error().code == ErrorCode::kTimeout && !options_.retry_on_timeout) {
        co_return std::unexpected(to_api_error(results[i].error()));
      }
      last = results[i].error().message;
      avoid.insert(node);
    }
    const auto is_broken = [](const http::Response& answer) { return answer.status == 500; };
    if (!failed && !broken && std::ranges::any_of(gathered.answers, is_broken)) {
      failed = true;
      for (std::size_t i = 0; i < plan.parts.size(); ++i)
        if (is_broken(gathered.answers[i])) avoid.insert(plan.parts[i].node);
      broken = std::move(gathered);
    }
    if (!failed) {
      if (partial) {
        partial_.increment();
        degraded_.increment(static_cast<double>(plan.missing.size()));
      }
      co_return gathered;
    }
    retries_.increment();
  }
  if (broken) co_return std::move(*broken);
  if (auto no = refused()) co_return std::move(*no);
  co_return std::unexpected(
      meili::api_error("miroir_shard_unavailable", "Nodes fail one after another; " + last + "."));
}

http::Response Searcher::finished(http::Response response, const ReadPlan& plan) const {
  std::string short_of;
  if (!plan.missing.empty()) short_of = "shards=" + std::to_string(plan.missing.size());
  if (!plan.stale.empty())
    short_of += (short_of.empty() ? "stale=" : ", stale=") + std::to_string(plan.stale.size());
  if (!short_of.empty()) response.headers.set(kDegradedHeader, std::move(short_of));
  return response;
}

bool Searcher::one_node_answers() const {
  const Topology& topology = cluster_.topology();
  return topology.nodes().size() == topology.groups().size();
}

Async<http::Response> Searcher::passed(http::Request request, AnswerShape shape,
                                       IndexUids indexes) {
  auto gathered = co_await gather_answers([&](const ReadPlan::Part&) { return for_node(request); },
                                          question_of(request), std::move(indexes));
  if (!gathered) co_return error_answer(gathered.error());
  http::Response& answer = gathered->answers.front();
  std::string body = answer.status < 300 ? strip_reserved(answer.body, shape, options_.names)
                                         : strip_error(answer.body);
  co_return finished(http::json_response(answer.status, std::move(body)), gathered->plan);
}

std::vector<std::string> Searcher::anybody(IndexUids indexes) const {
  const Readers readers = readers_of(std::move(indexes));
  std::vector<std::string> nodes;
  for (const std::set<std::string>& some : {readers.readable(), readers.behind()})
    nodes.insert(nodes.end(), some.begin(), some.end());
  return nodes.empty() ? readers.last_resort(0) : nodes;
}

Async<Answer<http::Response>> Searcher::ask_one_of(std::vector<std::string> nodes,
                                                   http::Request request) {
  std::string last = "no node is readable";
  std::optional<http::Response> broken;  // a 500
  KeyRefusals keys(cluster_, log_);
  for (const std::string& node : nodes) {
    auto answer = co_await ask(node, for_node(request));
    if (!answer) {
      last = answer.error().message;
    } else if (keys.refuses(node, *answer)) {
      last = KeyRefusals::sentence(node);
    } else if (answer->status != 500 || broken) {
      co_return std::move(*answer);
    } else {
      broken = std::move(*answer);
    }
  }
  if (broken) co_return std::move(*broken);
  if (auto refusal = keys.standing()) co_return std::move(refusal->answer);
  co_return std::unexpected(meili::api_error("miroir_shard_unavailable", last + "."));
}

Async<Answer<http::Response>> Searcher::pass_through(http::Request request, IndexUids indexes) {
  co_return co_await ask_one_of(anybody(std::move(indexes)), std::move(request));
}

Async<http::Response> Searcher::refusal(http::Request request, std::optional<Refused> refused) {
  std::vector<std::string> nodes = anybody({});
  if (refused) nodes.insert(nodes.begin(), refused->node);
  auto answer = co_await ask_one_of(std::move(nodes), std::move(request));
  if (!answer) co_return error_answer(answer.error());
  if (answer->status >= 300) co_return error_of_node(*answer);
  // Right for one node, and not for several together.
  if (!refused || says(refused->answer, "index_not_found")) {
    co_return error_answer(meili::api_error("miroir_shard_unavailable",
                                            "The nodes changed while they were asked: try again."));
  }
  const auto body = parse_json(refused->answer.body);
  const Json* message = body ? body->find("message") : nullptr;
  co_return error_answer(meili::api_error(
      "miroir_not_supported",
      "Several nodes cannot be asked this together: " +
          (message != nullptr && message->is_string() ? message->as_string() : "refused")));
}

// Without the feature `network` a node refuses the header, and tells only the ranking score.
Async<Answer<Searcher::Gathered>> Searcher::gather_federated(MakeBody make, http::Request request,
                                                             IndexUids indexes) {
  const std::uint64_t turn = question_of(request);
  for (const bool with_keys : {true, false}) {
    auto gathered = co_await gather_answers(
        [&](const ReadPlan::Part& part) {
          http::ClientRequest out{"POST", "/multi-search", for_node(request).headers, make(part)};
          out.headers.set("Content-Type", "application/json");
          if (with_keys) out.headers.set("Meili-Proxy-Search", "true");
          return out;
        },
        turn, indexes);
    const bool keyless = with_keys && gathered &&
                         std::ranges::any_of(gathered->answers, [](const http::Response& answer) {
                           return says(answer, "feature_not_enabled");
                         });
    if (!keyless) co_return gathered;
  }
  co_return std::unexpected(meili::api_error("internal", "a search was asked three times"));
}

Async<http::Response> Searcher::search(std::string index_uid, http::Request request) {
  request = concealed(std::move(request), options_.names);
  if (one_node_answers()) {
    http::Response answer = co_await passed(std::move(request), AnswerShape::kSearch, {index_uid});
    answer.body = cut_facets(std::move(answer.body), settings_of(log_.catalogue(), index_uid));
    co_return answer;
  }
  std::optional<Json> body;
  if (request.method == "GET") {
    body = body_of_query(request.query);
  } else if (auto parsed = parse_json(request.body); parsed && parsed->is_object()) {
    body = std::move(*parsed);
  }
  if (!body) co_return co_await refusal(std::move(request));
  co_return co_await scattered(std::move(index_uid), std::move(*body), std::move(request));
}

Async<http::Response> Searcher::scattered(std::string index_uid, Json body,
                                          http::Request original) {
  if (!can_be_scattered(body)) co_return co_await refusal(std::move(original));
  ScatteredSearch search(index_uid, std::move(body), settings_of(log_.catalogue(), index_uid));
  auto ask_nodes = [&] {
    return gather_federated([&](const ReadPlan::Part& part) { return search.request(part.slots); },
                            original, {index_uid});
  };
  auto gathered = co_await ask_nodes();
  // A node may not have the index's newest settings yet.
  const bool undistinguished =
      gathered && std::ranges::any_of(gathered->answers, [](const http::Response& answer) {
        return says(answer, "invalid_search_distinct");
      });
  if (undistinguished && search.leave_distinct_to_the_index()) gathered = co_await ask_nodes();
  if (!gathered) co_return error_answer(gathered.error());

  std::vector<FederatedAnswer> answers;
  for (std::size_t i = 0; i < gathered->answers.size(); ++i) {
    http::Response& answer = gathered->answers[i];
    if (answer.status >= 300) {
      Refused refused{gathered->plan.parts[i].node, std::move(answer)};
      co_return co_await refusal(std::move(original), std::move(refused));
    }
    auto parsed = parse_federated(answer.body);
    if (!parsed) co_return error_answer(to_api_error(parsed.error()));
    answers.push_back(std::move(*parsed));
  }
  co_return finished(http::json_response(200, search.answer(std::move(answers), options_.names)),
                     gathered->plan);
}

Async<http::Response> Searcher::federated(Json body, http::Request request) {
  if (!can_be_scattered(body["federation"])) co_return co_await refusal(std::move(request));
  IndexUids indexes = indexes_of(body);
  const ScatteredFederation search(std::move(body), log_.catalogue());
  auto gathered = co_await gather_federated(
      [&](const ReadPlan::Part& part) { return search.request(part.slots); }, request, indexes);
  if (!gathered) co_return error_answer(gathered.error());
  std::vector<FederatedAnswer> answers;
  for (const http::Response& answer : gathered->answers) {
    if (answer.status >= 300) co_return error_of_node(answer);
    auto parsed = parse_federated(answer.body);
    if (!parsed) co_return error_answer(to_api_error(parsed.error()));
    answers.push_back(std::move(*parsed));
  }
  auto merged = search.answer(std::move(answers), log_.catalogue(), options_.names);
  if (!merged) co_return error_answer(merged.error());
  co_return finished(http::json_response(200, std::move(*merged)), gathered->plan);
}

// Whether facets are asked for of which nodes give more than the client's setting says.
bool Searcher::cuts_facets(const Json& federation) const {
  const Json* asked = federation.find("facetsByIndex");
  return asked != nullptr && asked->is_object() &&
         std::ranges::any_of(asked->as_object(), [&](const Json::Member& index) {
           return facet_limit_below_nodes(settings_of(log_.catalogue(), index.first)).has_value();
         });
}

Async<http::Response> Searcher::multi_search(http::Request request) {
  request = concealed(std::move(request), options_.names);
  auto body = parse_json(request.body);
  const Json* federation = body && body->is_object() ? body->find("federation") : nullptr;
  const bool is_federated = federation != nullptr && federation->is_object();
  const Json* queries = body ? body->find("queries") : nullptr;
  const bool has_queries = queries != nullptr && queries->is_array();
  const bool merged = is_federated && has_queries && cuts_facets(*federation);
  if ((one_node_answers() && !merged) || !body) {
    http::Response answer = co_await passed(
        std::move(request), is_federated ? AnswerShape::kSearch : AnswerShape::kMultiSearch,
        body ? indexes_of(*body) : IndexUids());
    if (!is_federated) answer.body = cut_facets_of_each(std::move(answer.body), log_.catalogue());
    co_return answer;
  }
  if (!has_queries) co_return co_await refusal(std::move(request));
  if (is_federated) co_return co_await federated(std::move(*body), std::move(request));

  // Several searches in one request: each on its own.
  std::string out = "{\"results\":[";
  std::string degraded;
  for (std::size_t i = 0; i < queries->size(); ++i) {
    Json query = queries->as_array()[i];
    const Json* uid = query.find("indexUid");
    if (uid == nullptr || !uid->is_string()) co_return co_await refusal(std::move(request));
    const std::string index_uid = uid->as_string();
    query.erase("indexUid");
    // Only here, and only null, does a node take it.
    if (const Json* options = query.find("federationOptions"); options && options->is_null())
      query.erase("federationOptions");
    http::Request one = request;
    one.method = "POST";
    one.path = one.target = "/indexes/" + http::percent_encode(index_uid) + "/search";
    one.query.clear();
    one.body = to_text(query);
    http::Response answer = co_await scattered(index_uid, std::move(query), std::move(one));
    if (answer.status >= 500) co_return answer;
    // A node words the refusal as for this request: "Inside `.queries[1]`: …".
    if (answer.status >= 300) co_return co_await refusal(std::move(request));
    if (const std::string* its = answer.headers.find(kDegradedHeader)) degraded = *its;
    out += i == 0 ? "{\"indexUid\":" : ",{\"indexUid\":";
    append_quoted(out, index_uid);
    out += ',';
    out.append(answer.body, 1);
  }
  http::Response all = http::json_response(200, out + "]}");
  if (!degraded.empty()) all.headers.set(kDegradedHeader, degraded);
  co_return all;
}

}  // namespace miroir
