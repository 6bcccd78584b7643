#include "cli/status.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>

#include "base/clock.h"
#include "base/json.h"
#include "http/client.h"

namespace miroir {
namespace {

constexpr Milliseconds kDeadline{10'000};

Async<Result<Json>> get(http::Client& client, Clock& clock, std::string target, std::string key) {
  http::ClientRequest request{"GET", std::move(target), {}, {}};
  if (!key.empty()) request.headers.set("Authorization", "Bearer " + key);
  auto answer = co_await client.send(std::move(request), clock.now() + kDeadline);
  if (!answer) co_return std::unexpected(std::move(answer).error().error);
  if (answer->status != 200) {
    co_return fail(ErrorCode::kUnavailable,
                   "answered " + std::to_string(answer->status) + ": " + answer->body);
  }
  co_return parse_json(answer->body);
}

std::string text(const Json& json, std::string_view name) {
  const Json* value = json.find(name);
  if (value == nullptr || value->is_null()) return "-";
  return value->is_string() ? value->as_string() : to_text(*value);
}

std::string nodes_table(const Json& topology) {
  std::string out = fmt::format("{:<10} {:>5}  {:<9} {:<9} {:>10} {:>8}  {}\n", "NODE", "GROUP",
                                "HEALTH", "STATE", "DONE", "LAG", "WHY");
  const Json* nodes = topology.find("nodes");
  if (nodes == nullptr || !nodes->is_array()) return out;
  for (const Json& node : nodes->as_array()) {
    const Json* healthy = node.find("healthy");
    const bool well = healthy != nullptr && healthy->is_bool() && healthy->as_bool();
    const std::string why = well ? text(node, "stateWhy") : text(node, "unhealthyWhy");
    out += fmt::format("{:<10} {:>5}  {:<9} {:<9} {:>10} {:>8}  {}\n", text(node, "id"),
                       text(node, "replicaGroup"), well ? "healthy" : "unhealthy",
                       text(node, "state"), text(node, "done"), text(node, "lag"), why);
  }
  return out;
}

// One line for each shard that is not in sync, then how many are in which state.
std::string shards_table(const Json& divergence, const Json& passes) {
  std::string out = fmt::format("{:<24} {:>6}  {:<15} {}\n", "INDEX", "SHARD", "STATE", "REASON");
  const auto rows = [](const Json& object, std::string_view name) {
    const Json* list = object.find(name);
    return list != nullptr && list->is_array() ? *list : Json::array();
  };
  const Json unlike = rows(divergence, "indexes");
  const Json all = rows(passes, "indexes");
  for (const Json& index : all.as_array()) {
    const std::string uid = text(index, "index");
    for (const Json& other : unlike.as_array()) {
      if (text(other, "index") != uid) continue;
      const Json shards = rows(other, "shards");
      const Json problems = rows(other, "problems");
      for (const Json& shard : shards.as_array())
        out += fmt::format("{:<24} {:>6}  {:<15} {}\n", uid, text(shard, "shard"),
                           text(shard, "state"), text(shard, "why"));
      for (const Json& problem : problems.as_array())
        out += fmt::format("{:<24} {:>6}  {:<15} {}\n", uid, "all", "problem", problem.as_string());
    }
    const Json states = rows(index, "states");
    for (const Json& state : states.as_array())
      out += fmt::format("{:<24} {:>6}  {:<15} {}\n", uid, "(" + text(state, "shards") + ")",
                         text(state, "state"), text(state, "reason"));
  }
  return out;
}

// The reconciler's report, one value a line, nested names joined with a point.
void append_lines(std::string& out, const std::string& name, const Json& value) {
  if (value.is_object() && value.size() > 0) {
    for (const auto& [key, inner] : value.as_object()) {
      append_lines(out, name.empty() ? key : name + "." + key, inner);
    }
    return;
  }
  out += fmt::format("{:<44} {}\n", name, value.is_string() ? value.as_string() : to_text(value));
}

}  // namespace

Result<std::string> status(const std::string& url, const std::string& admin_key) {
  boost::asio::io_context context(1);
  SystemClock clock;
  http::ClientOptions options;
  options.address = url;
  MIROIR_TRY(auto client, http::Client::create(context.get_executor(), clock, options));
  Result<std::string> result;
  auto ask = [&]() -> Async<Result<std::string>> {
    MIROIR_CO_TRY(const Json topology,
                  co_await get(*client, clock, "/_miroir/topology", admin_key));
    MIROIR_CO_TRY(const Json passes,
                  co_await get(*client, clock, "/_miroir/anti-entropy/status", admin_key));
    MIROIR_CO_TRY(const Json divergence,
                  co_await get(*client, clock, "/_miroir/anti-entropy/divergence", admin_key));
    std::string out = nodes_table(topology) + "\n" + shards_table(divergence, passes) + "\n";
    append_lines(out, "", passes);
    co_return out;
  };
  boost::asio::co_spawn(context, ask(), [&](std::exception_ptr error, Result<std::string> ended) {
    if (error) std::rethrow_exception(error);
    result = std::move(ended);
  });
  context.run();
  if (!result) return std::unexpected(std::move(result).error().with_context(url));
  return result;
}

}  // namespace miroir
