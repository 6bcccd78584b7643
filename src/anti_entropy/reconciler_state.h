#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string_view>

#include "anti_entropy/audit.h"
#include "anti_entropy/breaker.h"
#include "anti_entropy/pass.h"
#include "anti_entropy/quarantine.h"
#include "anti_entropy/reconciler.h"
#include "log/lease.h"

namespace miroir {

// Only the reconciler's own files know this.
struct Reconciler::State {
  State(Log& log_, Store& store_, Cluster& cluster, Forwarders& forwarders, Clock& clock_,
        Random& random, Metrics& metrics, Executor executor_, AntiEntropyOptions options_)
      : store(store_),
        clock(clock_),
        executor(executor_),
        options(std::move(options_)),
        instruments(metrics),
        audit(store, options.audit_retention),
        breaker(store, options.breaker),
        quarantine(store),
        reads(executor, options.max_read_concurrency),
        tools{.log = log_,
              .store = store_,
              .cluster = cluster,
              .forwarders = forwarders,
              .clock = clock_,
              .executor = executor,
              .options = options,
              .instruments = instruments,
              .audit = audit,
              .breaker = breaker,
              .quarantine = quarantine,
              .read_in_full = read_in_full,
              .throttles = throttles,
              .reads = reads,
              .stopping = [this] { return stopping || !lease.held() || !interruption().empty(); }},
        lease(store_, clock_, "reconciler", random.uuid_v4()),
        wake(executor),
        ended(executor) {}

  Async<Result<void>> recover();
  void show_again(const std::vector<Json>& passes);
  Json nothing_compared();
  Async<Result<void>> recall_completed();
  Async<Result<void>> recall_paused();
  Async<void> wait_until_due();
  std::optional<anti_entropy::PassOrder> next_order();
  Async<void> execute(anti_entropy::PassOrder order);
  Async<Result<void>> keep(anti_entropy::PassReport report);
  Json describe(const anti_entropy::PassOrder& order) const;
  std::string_view interruption() const;
  WallTime next_due() const;
  Async<Result<void>> set_paused(bool to);
  Json newest() const;  // report

  Store& store;
  Clock& clock;
  Executor executor;
  AntiEntropyOptions options;
  anti_entropy::Instruments instruments;
  anti_entropy::Audit audit;
  anti_entropy::Breaker breaker;
  anti_entropy::Quarantine quarantine;
  anti_entropy::ReadInFull read_in_full;
  anti_entropy::Throttles throttles;
  Semaphore reads;
  anti_entropy::Tools tools;
  Lease lease;  // one process at a time reconciles
  Signal wake;
  Signal ended;  // of a pass, or of run()

  bool started = false;
  bool running = false;
  bool stopping = false;
  bool paused = false;       // a row of kMeta
  bool pause_known = false;  // it was read, or a person said so
  bool cut_current = false;  // a person paused while it ran
  std::uint64_t next_number = 1;
  std::deque<anti_entropy::PassOrder> orders;
  std::optional<anti_entropy::PassOrder> current;
  WallTime light_due;
  WallTime deep_due;
  WallTime completed;                     // the last pass that did; a row of kMeta, as is
  WallTime deep_completed;                // when deep passes had last been through all shards
  std::map<std::uint64_t, Json> reports;  // the newest, for those who wait
  std::map<PassKind, Json> last;
  std::map<std::uint64_t, std::string> unwritten;  // rows of passes whose end was not written
  std::optional<std::uint64_t> quiet;  // the last pass, if it was a light one that found nothing
};

}  // namespace miroir
