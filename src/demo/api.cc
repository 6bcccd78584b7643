#include "demo/api.h"

#include <boost/asio/co_spawn.hpp>
#include <optional>

#include "http/client.h"

namespace miroir::demo {
namespace {

constexpr Milliseconds kRequestTime{60'000};
constexpr Milliseconds kTaskTime{120'000};
constexpr Milliseconds kStartTime{20'000};
constexpr Milliseconds kPoll{20};

}  // namespace

struct Api::State {
  boost::asio::io_context context{1};
  SystemClock clock;
  std::unique_ptr<http::Client> client;

  template <class T>
  T run(Async<T> coroutine) {
    std::optional<T> result;
    boost::asio::co_spawn(context, std::move(coroutine), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    context.restart();
    while (!result) context.run_one();
    return std::move(*result);
  }
};

Api::Api(std::string url, std::string key)
    : url_(std::move(url)), key_(std::move(key)), state_(std::make_unique<State>()) {
  http::ClientOptions options;
  options.address = url_;
  auto client = http::Client::create(state_->context.get_executor(), state_->clock, options);
  if (client) state_->client = std::move(*client);
}
Api::~Api() = default;
Api::Api(Api&&) noexcept = default;

Result<Api::Answer> Api::call_text(const std::string& method, const std::string& target,
                                   const std::string& body) {
  if (!state_->client) return fail(ErrorCode::kInvalid, "a malformed address: " + url_);
  http::ClientRequest request{method, target, {}, body};
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  if (!key_.empty()) request.headers.set("Authorization", "Bearer " + key_);
  const Instant deadline = state_->clock.now() + kRequestTime;
  auto send = [](http::Client* client, http::ClientRequest its_request,
                 Instant until) -> Async<std::expected<http::Response, http::ClientError>> {
    co_return co_await client->send(std::move(its_request), until);
  };
  auto answer = state_->run(send(state_->client.get(), std::move(request), deadline));
  if (!answer) return std::unexpected(std::move(answer).error().error.with_context(url_));
  Answer out{answer->status, Json(), answer->body};
  if (auto json = parse_json(answer->body)) out.body = std::move(*json);
  return out;
}

Result<Api::Answer> Api::call(const std::string& method, const std::string& target,
                              const Json& body) {
  return call_text(method, target, body.is_null() ? std::string() : to_text(body));
}

Result<Json> Api::expect(const std::string& method, const std::string& target, const Json& body) {
  MIROIR_TRY(Answer answer, call(method, target, body));
  if (answer.status < 300) return std::move(answer.body);
  return fail(ErrorCode::kInvalid, method + " " + url_ + target + " answered " +
                                       std::to_string(answer.status) + ": " + answer.text);
}

Result<Json> Api::wait_task(std::int64_t uid) {
  const Instant until = state_->clock.now() + kTaskTime;
  while (state_->clock.now() < until) {
    MIROIR_TRY(Json task, expect("GET", "/tasks/" + std::to_string(uid)));
    const Json* status = task.find("status");
    const std::string text = status != nullptr && status->is_string() ? status->as_string() : "";
    if (text == "succeeded") return task;
    if (text == "failed" || text == "canceled") {
      return fail(ErrorCode::kInvalid,
                  "task " + std::to_string(uid) + " " + text + ": " + to_text(task));
    }
    pause(kPoll);
  }
  return fail(ErrorCode::kTimeout, "task " + std::to_string(uid) + " did not end");
}

Result<Json> Api::write(const std::string& method, const std::string& target, const Json& body) {
  MIROIR_TRY(const Json accepted, expect(method, target, body));
  const Json* uid = accepted.find("taskUid");
  if (uid == nullptr || !uid->is_int64())
    return fail(ErrorCode::kCorrupt, "no taskUid: " + to_text(accepted));
  return wait_task(uid->as_int64());
}

Result<void> Api::wait_ready(const std::string& path) {
  const Instant until = state_->clock.now() + kStartTime;
  while (state_->clock.now() < until) {
    if (auto answer = call("GET", path); answer && answer->status == 200) return {};
    pause(kPoll);
  }
  return fail(ErrorCode::kTimeout, url_ + path + " does not answer 200");
}

void pause(Milliseconds duration) {
  boost::asio::io_context context(1);
  SystemClock clock;
  auto sleep = [](SystemClock* its_clock, Milliseconds time) -> Async<void> {
    co_await its_clock->sleep_for(time);
  };
  boost::asio::co_spawn(context, sleep(&clock, duration), [](std::exception_ptr) {});
  context.run();
}

}  // namespace miroir::demo
