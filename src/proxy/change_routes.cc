#include <algorithm>

#include "cdc/change_stream.h"
#include "meili/parameters.h"
#include "proxy/proxy_state.h"

namespace miroir {
namespace {

constexpr std::string_view kCode = "bad_parameter";
constexpr std::uint64_t kLimitDefault = 1'000;
constexpr std::uint64_t kLimitMax = 10'000;
constexpr std::uint64_t kWaitDefault = 30;
constexpr std::uint64_t kWaitMax = 60;

http::Response lost(std::string why) {
  return error_answer(meili::api_error("miroir_changes_lost", std::move(why)));
}

}  // namespace

// {"events": […], "next": cursor, "more": bool}
Async<http::Response> read_changes(Proxy::State* state, http::Request request) {
  ChangeStream* const stream = state->parts.changes;
  if (stream == nullptr) {
    co_return error_answer(meili::api_error(
        "miroir_not_supported", "There is no change stream: `cdc.enabled` is not set."));
  }
  const meili::Parameters query = http::parse_query(request.query);
  if (auto error = meili::check_parameters(query, {"since", "index", "bodies", "limit", "wait"}))
    co_return error_answer(*error);
  std::optional<cdc::Cursor> since;
  if (const std::string* text = meili::find_parameter(query, "since")) {
    auto cursor = cdc::parse_cursor(*text);
    if (!cursor)
      co_return error_answer(meili::api_error(kCode, "`since`: " + cursor.error().message));
    since = *cursor;
  }
  auto bodies = meili::boolean_parameter(query, "bodies", true, kCode);
  auto limit = meili::unsigned_parameter(query, "limit", kLimitDefault, kCode);
  auto wait = meili::unsigned_parameter(query, "wait", kWaitDefault, kCode);
  if (!bodies) co_return error_answer(bodies.error());
  if (!limit) co_return error_answer(limit.error());
  if (!wait) co_return error_answer(wait.error());
  cdc::Selection selection;
  if (const std::string* index = meili::find_parameter(query, "index"))
    selection.index_uid = *index;
  selection.bodies = *bodies;
  selection.events_max = std::clamp<std::uint64_t>(*limit, 1, kLimitMax);

  const Seconds longest(std::min(*wait, kWaitMax));
  auto page = co_await stream->changes(since, std::move(selection), longest);
  if (!page && page.error().code == ErrorCode::kConflict) co_return lost(page.error().message);
  if (!page) co_return error_answer(to_api_error(page.error(), "miroir_store_unavailable"));
  if (page->lost > 0) {
    co_return lost("The log cannot tell all that came after `" + cdc::to_string(*since) +
                   "` any more. It goes on after `" + cdc::to_string(page->next) + "`.");
  }
  std::string body = R"({"events":[)" + page->events + R"(],"next":")" +
                     cdc::to_string(page->next) + R"(","more":)" + (page->more ? "true" : "false") +
                     "}";
  co_return http::json_response(200, std::move(body));
}

}  // namespace miroir
