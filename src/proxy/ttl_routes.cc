#include "meili/index_uid.h"
#include "meili/parameters.h"
#include "proxy/proxy_state.h"
#include "ttl/sweeper.h"

namespace miroir {
namespace {

constexpr std::string_view kCode = "bad_request";
constexpr const char* kInterval = "sweep_interval_s";
constexpr const char* kDeletes = "max_deletes_per_sweep";

// nullopt: missing or null, as configured.
Answer<std::optional<std::int64_t>> number_of(const Json& body, const char* name,
                                              std::int64_t highest) {
  const Json* value = body.find(name);
  if (value == nullptr || value->is_null()) return std::optional<std::int64_t>();
  if (value->is_int64() && value->as_int64() >= 1 && value->as_int64() <= highest)
    return std::optional(value->as_int64());
  return std::unexpected(meili::api_error(kCode, "Invalid value at `." + std::string(name) +
                                                     "`: expected null or an integer from 1 to " +
                                                     std::to_string(highest) + ", got `" +
                                                     to_text(*value) + "`"));
}

}  // namespace

// {"sweep_interval_s": seconds | null, "max_deletes_per_sweep": number | null}
Async<http::Response> set_ttl_policy(Proxy::State* state, std::string index_uid,
                                     http::Request request) {
  Sweeper* const sweeper = state->parts.sweeper;
  if (sweeper == nullptr) {
    co_return error_answer(
        meili::api_error("miroir_not_supported", "Nothing expires: `ttl.enabled` is not set."));
  }
  if (!meili::is_index_uid(index_uid)) co_return error_answer(meili::invalid_index_uid(index_uid));
  auto body = meili::json_body(request.body);
  if (!body) co_return error_answer(body.error());
  if (auto error = meili::check_fields(*body, {kInterval, kDeletes}))
    co_return error_answer(*error);
  const auto interval = number_of(*body, kInterval, kSweepIntervalMax);
  if (!interval) co_return error_answer(interval.error());
  const auto deletes = number_of(*body, kDeletes, kSweepDeletesMax);
  if (!deletes) co_return error_answer(deletes.error());
  TtlOverride change;
  if (*interval) change.sweep_interval = Seconds(**interval);
  if (*deletes) change.deletes_max = static_cast<std::uint64_t>(**deletes);
  auto set = co_await sweeper->set_policy(index_uid, change);
  if (!set) co_return error_answer(to_api_error(set.error(), "miroir_store_unavailable"));
  const TtlPolicy policy = sweeper->policy(index_uid);
  co_return json_answer(200, Json::object({{"index", index_uid},
                                           {kInterval, std::int64_t{policy.sweep_interval.count()}},
                                           {kDeletes, policy.deletes_max}}));
}

}  // namespace miroir
