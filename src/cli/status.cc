#include "cli/status.h"

#include <fmt/format.h>

#include <algorithm>
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

// On one line: what a node says of an error may have several.
std::string text(const Json& value) {
  std::string line = value.is_string() ? value.as_string() : to_text(value);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

std::string text(const Json& json, std::string_view name) {
  const Json* value = json.find(name);
  return value == nullptr || value->is_null() ? "-" : text(*value);
}

bool flag(const Json& json, std::string_view name) {
  const Json* value = json.find(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::string nodes_table(const Json& topology) {
  std::string out = fmt::format("{:<10} {:>5}  {:<9} {:<9} {:>10} {:>8}  {}\n", "NODE", "GROUP",
                                "HEALTH", "STATE", "DONE", "LAG", "WHY");
  const Json* nodes = topology.find("nodes");
  if (nodes == nullptr || !nodes->is_array()) return out;
  for (const Json& node : nodes->as_array()) {
    const bool well = flag(node, "healthy");
    std::string why = well ? text(node, "stateWhy") : text(node, "unhealthyWhy");
    if (flag(node, "stopped")) why = "its lane is stopped: it refused several writes; " + why;
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
        out += fmt::format("{:<24} {:>6}  {:<15} {}\n", uid, "all", "problem", text(problem));
    }
    const Json states = rows(index, "states");
    for (const Json& state : states.as_array())
      out += fmt::format("{:<24} {:>6}  {:<15} {}\n", uid, "(" + text(state, "shards") + ")",
                         text(state, "state"), text(state, "reason"));
  }
  return out;
}

std::string kind_and_number(const Json& order) {
  const std::string number = text(order, "pass");
  return text(order, "kind") + (number == "-" ? "" : " pass " + number);
}

// What the reconciler does now and next, and how the last pass of each kind ended.
std::string passes_table(const Json& status) {
  std::string out = "reconciler  ";
  out += !flag(status, "enabled") ? "off"
         : flag(status, "paused") ? "paused"
         : flag(status, "leader") ? "on"
                                  : "on, in another process";
  out += flag(status, "autoRepair") ? ", repairs\n" : ", reports only\n";
  const Json* running = status.find("running");
  if (running != nullptr && running->is_object())
    out += "running     " + kind_and_number(*running) + "\n";
  if (const Json* waiting = status.find("waiting"); waiting != nullptr && waiting->is_array()) {
    for (const Json& order : waiting->as_array())
      out += "waiting     " + kind_and_number(order) + "\n";
  }
  out += "next light  " + text(status, "nextLightAt") + "\n";
  out += "next deep   " + text(status, "nextDeepAt") + "\n\n";
  out += fmt::format("{:<9} {:>6}  {:<27}  {:<10} {:<5} {:>8} {:>8} {:>6}\n", "LAST PASS", "NUMBER",
                     "ENDED", "STATE", "CLEAN", "DIFFERED", "REPAIRED", "LEFT");
  for (const auto& [kind, name] :
       {std::pair("light", "lastLight"), std::pair("deep", "lastDeep")}) {
    const Json* last = status.find(name);
    if (last == nullptr || !last->is_object()) continue;
    out += fmt::format("{:<9} {:>6}  {:<27}  {:<10} {:<5} {:>8} {:>8} {:>6}\n", kind,
                       text(*last, "pass"), text(*last, "endedAt"), text(*last, "state"),
                       flag(*last, "clean") ? "yes" : "no", text(*last, "mismatches"),
                       text(*last, "repaired"), text(*last, "unresolved"));
    if (last->find("error") != nullptr) out += "          " + text(*last, "error") + "\n";
    const Json* problems = last->find("problems");
    for (const Json& problem :
         problems != nullptr && problems->is_array() ? problems->as_array() : Json::Array())
      out += "          " + text(problem) + "\n";
  }
  return out;
}

// The newest rows of the audit.
std::string repairs_table(const Json& repairs) {
  const Json* rows = repairs.find("results");
  if (rows == nullptr || !rows->is_array() || rows->size() == 0) return "";
  std::string out = fmt::format("\n{:<27}  {:<24} {:<10} {:<16} {}\n", "NEWEST REPAIRS", "OF",
                                "ACTION", "REASON", "OUTCOME");
  for (const Json& row : rows->as_array()) {
    std::string what = text(row, "key") == "-" ? text(row, "index") : "key " + text(row, "key");
    if (text(row, "id") != "-") what += "/" + text(row, "id");
    if (text(row, "node") != "-") what += " on " + text(row, "node");
    out += fmt::format("{:<27}  {:<24} {:<10} {:<16} {}\n", text(row, "at"), what,
                       text(row, "action"), text(row, "reason"), text(row, "outcome"));
  }
  return out;
}

}  // namespace

std::string status_text(const Json& topology, const Json& passes, const Json& divergence,
                        const Json& repairs) {
  return nodes_table(topology) + "\n" + shards_table(divergence, passes) + "\n" +
         passes_table(passes) + repairs_table(repairs);
}

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
    MIROIR_CO_TRY(const Json repairs,
                  co_await get(*client, clock, "/_miroir/anti-entropy/repairs?limit=5", admin_key));
    co_return status_text(topology, passes, divergence, repairs);
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
