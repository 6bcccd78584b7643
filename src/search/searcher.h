#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "cluster/cluster.h"
#include "forward/forwarders.h"
#include "http/message.h"
#include "log/log.h"
#include "node_api/api_response.h"
#include "search/read_plan.h"
#include "search/strip.h"

namespace miroir {

enum class UnavailableShards { kPartial, kError };

struct SearchOptions {
  FieldNames names;
  Milliseconds node_timeout{5'000};
  bool retry_on_timeout = true;  // ask another group when a node does not answer in time
  UnavailableShards unavailable = UnavailableShards::kPartial;
};

// The read path: one in-sync group answers; when a node fails, another group does, within the same
// request; with no whole group left, groups are mixed and each node is narrowed to the slots asked
// of it. One node per group: nothing is merged, the reserved fields are cut out of its bytes.
class Searcher {
 public:
  using IndexUids = std::vector<std::string>;  // what a read is about

  Searcher(Log& log, Cluster& cluster, const Forwarders& forwarders, Clock& clock, Metrics& metrics,
           SearchOptions options);

  // GET and POST /indexes/{uid}/search
  Async<http::Response> search(std::string index_uid, http::Request request);
  // POST /multi-search
  Async<http::Response> multi_search(http::Request request);
  // POST /indexes/{uid}/facet-search
  Async<http::Response> facet_search(std::string index_uid, http::Request request);
  // GET /indexes/{uid}/documents/{id}
  Async<http::Response> document(std::string index_uid, std::string id, http::Request request);
  // GET /indexes/{uid}/documents and POST /indexes/{uid}/documents/fetch
  Async<http::Response> documents(std::string index_uid, http::Request request);
  // GET /indexes/{uid}/stats (and /stats with an empty uid)
  Async<http::Response> stats(std::string index_uid, http::Request request);
  // Any other read, answered by one readable node as it is (settings, for instance).
  Async<Answer<http::Response>> pass_through(http::Request request, IndexUids indexes = {});

 private:
  struct Gathered {
    std::vector<http::Response> answers;  // in the order of the plan's parts
    ReadPlan plan;
  };
  // Asks the plan's nodes at the same time with what `make` returns for each, planning anew without
  // the nodes that fail. A 4xx of a node is an answer. Fails when nothing can be read. Of several
  // whole groups the `turn`-th answers; nodes on which one of the indexes is in doubt are avoided.
  using MakeRequest = std::function<http::ClientRequest(const ReadPlan::Part&)>;
  Async<Answer<Gathered>> gather_answers(MakeRequest make, std::uint64_t turn, IndexUids indexes);
  // The same for one part.
  Async<Result<http::Response>> ask(std::string node, http::ClientRequest request);

  // Every group is a single node: whoever can be read has everything.
  bool one_node_answers() const;
  Async<http::Response> scattered(std::string index_uid, Json body, http::Request original);
  Async<http::Response> federated(Json body, http::Request request);
  Async<http::Response> passed(http::Request request, AnswerShape shape, IndexUids indexes);
  bool cuts_facets(const Json& federation) const;
  Readers readers_of(IndexUids indexes) const;
  // For what every node answers alike.
  std::vector<std::string> anybody(IndexUids indexes) const;
  Async<Answer<http::Response>> ask_one_of(std::vector<std::string> nodes, http::Request request);
  // What a node says is wrong with the client's own request, in the words that fit it. `refused`: a
  // node's answer to another form of it, and the node.
  struct Refused {
    std::string node;
    http::Response answer;
  };
  Async<http::Response> refusal(http::Request request, std::optional<Refused> refused = {});
  // Asks the nodes for their share of a federated search, with the keys that it merges by.
  using MakeBody = std::function<std::string(const ReadPlan::Part&)>;
  Async<Answer<Gathered>> gather_federated(MakeBody make, http::Request request, IndexUids indexes);
  Async<http::Response> gathered_documents(Json query, std::string index_uid,
                                           http::Request request);
  http::Response finished(http::Response response, const ReadPlan& plan) const;

  Log& log_;
  Cluster& cluster_;
  const Forwarders& forwarders_;
  Clock& clock_;
  SearchOptions options_;
  std::uint64_t turn_ = 0;
  Counter retries_;
  Counter partial_;
  Counter degraded_;
  Histogram fan_out_;
};

// A client's request for a node: its own key goes along (the node's rules decide), the master key
// is exchanged.
http::ClientRequest for_node(const http::Request& request);
}  // namespace miroir
