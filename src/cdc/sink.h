#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "cdc/change_reader.h"
#include "cdc/instruments.h"
#include "cdc/webhook.h"
#include "store/store.h"

namespace miroir::cdc {

// What every sink works with; all of it outlives them.
struct SinkContext {
  Log& log;
  Store& store;
  const Forwarders& forwarders;
  Clock& clock;
  Random& random;
  Instruments& instruments;
  const ChangeReader& reader;
  Signal& moved;  // raised when there may be more to read, and every second
};

// Gives one webhook all events in order, each at least once: the next delivery is made when the one
// before was answered with 2xx, and its place is durable. What is refused is repeated, with
// back-off and for ever; what the log lost meanwhile is counted. Its place survives restarts, also
// those without it.
class Sink {
 public:
  Sink(CdcSinkOptions options, std::unique_ptr<Webhook> webhook, SinkContext context);
  // Finds its place. A sink that was never seen begins with what is written from now on.
  Async<Result<void>> open();
  Async<void> run();
  Async<void> measure_lag();

 private:
  Async<void> deliver(std::string events);
  Async<Result<void>> save();

  const CdcSinkOptions options_;
  std::unique_ptr<Webhook> webhook_;
  SinkContext context_;
  Cursor place_;
  Cursor saved_;
  Instant saved_at_{};
};

}  // namespace miroir::cdc
