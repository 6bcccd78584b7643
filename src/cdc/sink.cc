#include "cdc/sink.h"

#include <algorithm>

#include "base/logging.h"
#include "forward/context.h"

namespace miroir::cdc {
namespace {

constexpr Microseconds kAnswerTimeout = Seconds(30);
constexpr Microseconds kRetryDelayMin = Milliseconds(200);
constexpr Microseconds kRetryDelayMax = Seconds(60);
constexpr int kDoublingsMax = 9;
// How often a place is saved that moved over what is no event.
constexpr Microseconds kSaveInterval = Seconds(10);

std::string place_row(const std::string& sink) { return "cdc:" + sink; }

// Half of it is chance: what failed together is not repeated together.
Microseconds retry_delay(int attempt, Random& random) {
  const Microseconds delay =
      std::min(kRetryDelayMax, kRetryDelayMin * (1 << std::min(attempt, kDoublingsMax)));
  return delay / 2 + Microseconds(random.below(static_cast<std::uint64_t>(delay.count()) / 2));
}

}  // namespace

Sink::Sink(CdcSinkOptions options, std::unique_ptr<Webhook> webhook, SinkContext context)
    : options_(std::move(options)), webhook_(std::move(webhook)), context_(context) {}

Async<Result<void>> Sink::open() {
  MIROIR_CO_TRY(const auto row, co_await context_.store.get(Table::kMeta, place_row(options_.id)));
  const Cursor head{context_.log.head(), Cursor::kWhole};
  if (!row) {
    place_ = head;
    co_return co_await save();
  }
  MIROIR_CO_TRY(place_, parse_cursor(*row));
  saved_ = place_;
  if (place_.position <= head.position) co_return Result<void>();
  log_error("a sink is ahead of the log, which went back: it goes on at the log's head",
            {{"sink", options_.id}, {"place", to_string(place_)}, {"head", head.position}});
  place_ = head;
  co_return co_await save();
}

Async<Result<void>> Sink::save() {
  const Cursor place = place_;
  Batch batch;
  batch.put(Table::kMeta, place_row(options_.id), to_string(place));
  MIROIR_CO_CHECK(co_await context_.store.commit(std::move(batch)));
  saved_ = place;
  saved_at_ = context_.clock.now();
  co_return Result<void>();
}

Async<void> Sink::run() {
  Selection selection;
  selection.bodies = options_.bodies;
  for (;;) {
    const Position settled = context_.forwarders.settled();
    auto page = co_await context_.reader.read(place_, selection);
    if (!page) {
      log_warning("cannot read the log", {{"sink", options_.id}, {"error", page.error().message}});
      co_await context_.clock.sleep_for(kInsistDelay);
      continue;
    }
    if (page->lost > 0) {
      log_error("the log lost events before a sink took them",
                {{"sink", options_.id}, {"events", page->lost}, {"to", to_string(page->next)}});
      context_.instruments.count_dropped(options_.id, page->lost);
    }
    if (page->count > 0) {
      co_await deliver(std::move(page->events));
      for (const auto& [index, count] : page->counts)
        context_.instruments.count_published(options_.id, index, count);
    }
    place_ = page->next;
    const bool due =
        page->count > 0 || page->lost > 0 || context_.clock.now() >= saved_at_ + kSaveInterval;
    if (due && place_ != saved_) {
      co_await insist(context_.clock, "a sink's place", [this] { return save(); });
    }
    if (!page->more && context_.forwarders.settled() == settled) co_await context_.moved.wait();
  }
}

Async<void> Sink::deliver(std::string events) {
  std::string body = R"({"sink":)";
  append_quoted(body, options_.id);
  body += R"(,"events":[)" + events + "]}";
  for (int attempt = 0;; ++attempt) {
    http::Headers headers{
        {"Content-Type", "application/json"},
        {"X-Miroir-Signature", sign(options_.secret, context_.clock.wall_now(), body)}};
    const auto status =
        co_await webhook_->post(std::move(headers), body, context_.clock.now() + kAnswerTimeout);
    if (status && *status >= 200 && *status < 300) co_return;
    const Microseconds delay = retry_delay(attempt, context_.random);
    log_warning("a sink did not take events",
                {{"sink", options_.id},
                 {"error", status ? "answered " + std::to_string(*status) : status.error().message},
                 {"attempt", attempt + 1},
                 {"again_in_ms", delay / Milliseconds(1)}});
    co_await context_.clock.sleep_for(delay);
  }
}

Async<void> Sink::measure_lag() {
  const auto oldest = co_await context_.log.entries(place_.next(), 1);
  double seconds = 0;
  if (oldest && !oldest->empty()) {
    const auto now = static_cast<double>(context_.clock.wall_now().time_since_epoch().count());
    seconds = std::max(0.0, (now - static_cast<double>(oldest->front()->stamp)) / 1e6);
  }
  context_.instruments.show_lag(options_.id, seconds);
}

}  // namespace miroir::cdc
