#include "cdc/change_stream.h"

#include "base/logging.h"
#include "cdc/event.h"

namespace miroir {
namespace {

constexpr Microseconds kTick = Seconds(1);
constexpr std::size_t kReadAhead = 256;
// Readers that may wait at a time; those beyond are answered at once.
constexpr int kWaitingMax = 100;

}  // namespace

ChangeStream::ChangeStream(ChangeStreamParts parts, CdcOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      instruments_(parts_.metrics, options_.sinks),
      reader_(parts_.log, parts_.cluster, parts_.forwarders, options_),
      moved_(parts_.executor),
      group_(parts_.executor),
      counted_(parts_.log.head()) {
  for (const auto& [uid, index] : parts_.log.catalogue().indexes()) instruments_.know(uid);
}

Async<Result<std::unique_ptr<ChangeStream>>> ChangeStream::open(ChangeStreamParts parts,
                                                                CdcOptions options,
                                                                OpenWebhook webhooks) {
  if (!webhooks) {
    webhooks = [&parts](const CdcSinkOptions& sink) {
      return cdc::open_webhook(parts.executor, parts.clock, sink.url);
    };
  }
  std::unique_ptr<ChangeStream> stream(new ChangeStream(parts, std::move(options)));
  const cdc::SinkContext context{parts.log,       parts.store,   parts.forwarders,
                                 parts.clock,     parts.random,  stream->instruments_,
                                 stream->reader_, stream->moved_};
  for (const CdcSinkOptions& sink : stream->options_.sinks) {
    MIROIR_CO_TRY(auto webhook, webhooks(sink));
    stream->sinks_.push_back(std::make_unique<cdc::Sink>(sink, std::move(webhook), context));
    MIROIR_CO_CHECK(co_await stream->sinks_.back()->open());
  }
  co_return std::move(stream);
}

Async<void> ChangeStream::run() {
  group_.spawn("changes settle", pass_on());
  group_.spawn("changes' clock", tick());
  group_.spawn("suppressed changes", count_suppressed());
  for (std::size_t i = 0; i < sinks_.size(); ++i)
    group_.spawn("sink " + options_.sinks[i].id, sinks_[i]->run());
  co_await group_.join();
}

Async<void> ChangeStream::stop() {
  stopping_ = true;
  moved_.notify_all();
  co_await group_.stop();
}

Async<void> ChangeStream::pass_on() {
  for (;;) {
    co_await parts_.forwarders.settling().wait();
    moved_.notify_all();
  }
}

Async<void> ChangeStream::tick() {
  for (;;) {
    for (const auto& sink : sinks_) co_await sink->measure_lag();
    co_await parts_.clock.sleep_for(kTick);
    moved_.notify_all();
  }
}

// Each once, whoever reads the stream how often, and whatever becomes of it. Of what is logged from
// here on: what a process that died had not counted nobody does.
Async<void> ChangeStream::count_suppressed() {
  for (;;) {
    while (counted_ < parts_.log.head()) {
      const auto entries = co_await parts_.log.entries(counted_ + 1, kReadAhead);
      if (!entries || entries->empty()) break;
      for (const std::shared_ptr<const Entry>& entry : *entries) {
        instruments_.know(entry->index_uid);
        if (cdc::judge(*entry, options_) == cdc::Verdict::kSuppressed)
          instruments_.count_suppressed(entry->origin, cdc::event_count(*entry));
        counted_ = entry->position;
      }
    }
    co_await moved_.wait();
  }
}

Async<Result<cdc::Page>> ChangeStream::changes(std::optional<cdc::Cursor> since,
                                               cdc::Selection selection, Microseconds wait) {
  cdc::Page page;
  page.next = since.value_or(cdc::Cursor{parts_.forwarders.settled(), cdc::Cursor::kWhole});
  if (!since) co_return page;
  if (page.next.position > parts_.log.head()) {
    co_return fail(ErrorCode::kConflict, "the log has come to " +
                                             std::to_string(parts_.log.head()) + ", not to " +
                                             to_string(page.next));
  }
  const bool may_wait = waiting_ < kWaitingMax;
  const Instant deadline = parts_.clock.now() + (may_wait ? wait : Microseconds(0));
  struct Waiting {
    explicit Waiting(int& its_count) : count(its_count) { ++count; }
    ~Waiting() { --count; }
    int& count;
  } const counted(waiting_);
  for (;;) {
    const Position settled = parts_.forwarders.settled();
    MIROIR_CO_TRY(page, co_await reader_.read(page.next, selection));
    const bool over = stopping_ || parts_.clock.now() >= deadline;
    if (page.count > 0 || page.lost > 0 || over) co_return page;
    if (!page.more && parts_.forwarders.settled() == settled) co_await moved_.wait();
  }
}

}  // namespace miroir
