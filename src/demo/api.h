#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

namespace miroir::demo {

// Blocking calls to one server, as a script would make them.
class Api {
 public:
  Api(std::string url, std::string key);
  ~Api();
  Api(Api&&) noexcept;

  struct Answer {
    int status = 0;
    Json body;
    std::string text;  // of what is no JSON
  };
  Result<Answer> call(const std::string& method, const std::string& target,
                      const Json& body = Json());
  Result<Answer> call_text(const std::string& method, const std::string& target,
                           const std::string& body);
  // The body of an answer that must be a success.
  Result<Json> expect(const std::string& method, const std::string& target,
                      const Json& body = Json());
  // Sends a write and waits until its task has ended, which must be well.
  Result<Json> write(const std::string& method, const std::string& target,
                     const Json& body = Json());
  Result<Json> wait_task(std::int64_t uid);
  // Waits until it answers that path with 200.
  Result<void> wait_ready(const std::string& path);

  const std::string& url() const { return url_; }

 private:
  struct State;
  std::string url_;
  std::string key_;
  std::unique_ptr<State> state_;
};

void pause(Milliseconds duration);

}  // namespace miroir::demo
