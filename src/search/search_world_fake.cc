#include "search/search_world_fake.h"

namespace miroir {
namespace {

ForwardWorld::Options world_of(int nodes_per_group) {
  ForwardWorld::Options options;
  options.nodes_per_group = nodes_per_group;
  return options;
}

Async<http::Response> route(Searcher& searcher, http::Request request) {
  if (request.path == "/multi-search") co_return co_await searcher.multi_search(std::move(request));
  if (request.path.ends_with("/search"))
    co_return co_await searcher.search(SearchWorld::kIndex, std::move(request));
  if (request.path.ends_with("/facet-search"))
    co_return co_await searcher.facet_search(SearchWorld::kIndex, std::move(request));
  if (request.path.ends_with("/stats"))
    co_return co_await searcher.stats(SearchWorld::kIndex, std::move(request));
  if (request.path.ends_with("/documents") || request.path.ends_with("/fetch"))
    co_return co_await searcher.documents(SearchWorld::kIndex, std::move(request));
  const std::string id = request.path.substr(request.path.rfind('/') + 1);
  co_return co_await searcher.document(SearchWorld::kIndex, id, std::move(request));
}

}  // namespace

SearchWorld::SearchWorld(int nodes_per_group, SearchOptions given)
    : world(20261123, world_of(nodes_per_group)), options(std::move(given)) {
  world.start();
  world.create_index(kIndex);
  MIROIR_ASSERT(world.run_until([this] { return world.all_done(); }));
  world.answer_read = [this](const std::string& node, const http::ClientRequest& request) {
    asked.push_back({node, request});
    const Asked question = asked.back();
    if (misbehave) {
      if (auto wrong = misbehave(question)) return wrong;
    }
    return answer(question);
  };
}

void SearchWorld::load(std::vector<Json> documents) {
  documents_.clear();
  const Topology& topology = world.topology();
  for (Json& document : documents) {
    const Slot slot = slot_of(document.find("id")->as_string());
    document.set(kSlotField, encode_slot(slot));
    for (const std::string& owner : topology.owners(topology.shard_of(slot)))
      documents_[owner].push_back(document);
  }
}

void SearchWorld::set_settings(std::string_view settings) {
  Entry entry;
  entry.kind = EntryKind::kUpdateSettings;
  entry.index_uid = kIndex;
  const IndexState& index = *world.log().catalogue().index(kIndex);
  entry.incarnation = index.incarnation;
  const Json given = parse_json(settings).value();
  entry.arguments = Json::object({{"settings", given}, {"clientSettings", given}});
  world.append(std::move(entry));
  MIROIR_ASSERT(world.run_until([this] { return world.all_done(); }));
}

http::Response SearchWorld::request(std::string method, std::string target, std::string body) {
  Searcher searcher(world.log(), world.cluster(), *world.process->forwarders, world.clock,
                    world.process->metrics, options);
  http::Request request;
  request.method = std::move(method);
  request.target = target;
  request.path = target.substr(0, target.find('?'));
  if (request.path != target) request.query = target.substr(request.path.size() + 1);
  request.headers.set("Content-Type", "application/json");
  if (!key.empty()) request.headers.set("Authorization", "Bearer " + key);
  request.body = std::move(body);
  return world.await(route(searcher, std::move(request)));
}

std::optional<Result<http::Response>> SearchWorld::answer(const Asked& question) const {
  const auto held = documents_.find(question.node);
  const SearchEngine engine(held == documents_.end() ? std::vector<Json>{} : held->second);
  const std::string& target = question.request.target;
  const auto body = parse_json(question.request.body);
  if (target == "/multi-search" && body && body->find("federation") != nullptr)
    return http::json_response(200, engine.federated(*body));
  if (target.ends_with("/search") && body)
    return http::json_response(200, to_text(engine.search(*body)));
  return std::nullopt;
}

}  // namespace miroir
