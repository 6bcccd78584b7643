#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/async.h"
#include "cdc/change_reader.h"
#include "cdc/instruments.h"
#include "cdc/options.h"
#include "cdc/sink.h"
#include "cdc/webhook.h"

namespace miroir {

// What the change stream is made from; all of it outlives it.
struct ChangeStreamParts {
  Log& log;
  Store& store;
  const Cluster& cluster;
  Forwarders& forwarders;
  Clock& clock;
  Random& random;
  Metrics& metrics;
  Executor executor;
};

// The log as a stream of what clients changed (DESIGN.md, "Changes"): pushed to webhooks, and read
// by whoever asks. Reads only; a webhook that is slow or away holds up nobody but itself.
class ChangeStream {
 public:
  using OpenWebhook =
      std::function<Result<std::unique_ptr<cdc::Webhook>>(const CdcSinkOptions& sink)>;
  // Finds the places of the sinks. `webhooks`: by HTTP unless given.
  static Async<Result<std::unique_ptr<ChangeStream>>> open(ChangeStreamParts parts,
                                                           CdcOptions options,
                                                           OpenWebhook webhooks = {});
  Async<void> run();
  // Answers those who wait, then ends.
  Async<void> stop();

  // The events behind `since`, waiting at most so long for the first one; without `since` none, but
  // the place where the stream is now. kConflict: the log has not come that far.
  Async<Result<cdc::Page>> changes(std::optional<cdc::Cursor> since, cdc::Selection selection,
                                   Microseconds wait);

 private:
  ChangeStream(ChangeStreamParts parts, CdcOptions options);
  Async<void> pass_on();
  Async<void> tick();
  Async<void> count_suppressed();

  ChangeStreamParts parts_;
  const CdcOptions options_;
  cdc::Instruments instruments_;
  cdc::ChangeReader reader_;
  Signal moved_;
  TaskGroup group_;
  std::vector<std::unique_ptr<cdc::Sink>> sinks_;
  Position counted_ = 0;  // entries up to here were looked at for what is suppressed
  int waiting_ = 0;
  bool stopping_ = false;
};

}  // namespace miroir
