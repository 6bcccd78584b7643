#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"

namespace miroir::cdc {

// Where deliveries go: a subscriber's HTTP server, or a test's stand-in.
class Webhook {
 public:
  virtual ~Webhook() = default;
  // One POST; the status that was answered.
  virtual Async<Result<int>> post(http::Headers headers, std::string body, Instant deadline) = 0;
};

struct WebhookUrl {
  std::string address;  // "http://10.0.0.1:8080"
  std::string target;   // "/changes?from=miroir"
};
Result<WebhookUrl> parse_webhook_url(std::string_view url);

// Keeps one connection open.
Result<std::unique_ptr<Webhook>> open_webhook(Executor executor, Clock& clock, std::string url);

// "t=SECONDS,v1=HEX": HEX is the HMAC-SHA256, with the secret, of "SECONDS.BODY". The time is in
// it so that a delivery cannot be played back later.
std::string sign(std::string_view secret, WallTime now, std::string_view body);

}  // namespace miroir::cdc
