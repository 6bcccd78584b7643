#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "forward/forward_world_fake.h"
#include "search/search_engine_fake.h"
#include "search/searcher.h"

namespace miroir {

// A Searcher before nodes that hold their shares of a list of documents (SearchEngine), in groups
// of any size. What a node does wrong is said by `misbehave`; what it was asked stands in `asked`.
class SearchWorld {
 public:
  static constexpr const char* kIndex = "movies";

  explicit SearchWorld(int nodes_per_group, SearchOptions options = {});

  // Every group gets its copy, each document with its slot.
  void load(std::vector<Json> documents);
  // As a client makes them; the nodes' engines have no settings.
  void set_settings(std::string_view settings);
  http::Response request(std::string method, std::string target, std::string body = {});
  http::Response search(std::string body) {
    return request("POST", "/indexes/movies/search", std::move(body));
  }
  Json search_json(std::string body) { return parse_json(search(std::move(body)).body).value(); }

  struct Asked {
    std::string node;
    http::ClientRequest request;
  };
  std::vector<Asked> asked;
  std::function<std::optional<Result<http::Response>>(const Asked&)> misbehave;
  std::string key;  // with which requests come
  ForwardWorld world;
  SearchOptions options;

 private:
  std::optional<Result<http::Response>> answer(const Asked& question) const;

  std::map<std::string, std::vector<Json>> documents_;
};

}  // namespace miroir
