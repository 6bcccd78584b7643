#include "log/appender.h"

#include <boost/asio/co_spawn.hpp>
#include <deque>
#include <optional>
#include <utility>

#include "base/logging.h"
#include "log/catalogue_codec.h"
#include "log/rows.h"

namespace miroir {
namespace {

// One commit takes no more than this many proposals: the first of them should not wait for ever.
constexpr std::size_t kGroupMax = 1'024;
constexpr EntryStamp kStampsSkippedMax = 1'000'000;  // a second

struct Waiting {
  Waiting(Executor executor, Appender::Proposal what)
      : proposal(std::move(what)), settled(std::move(executor)) {}
  Appender::Proposal proposal;
  Signal settled;
  std::optional<Result<void>> result;
};
using Line = std::deque<std::shared_ptr<Waiting>>;

void settle(Waiting& waiting, Result<void> result) {
  if (waiting.proposal.settled) waiting.proposal.settled(result.has_value());
  waiting.result = std::move(result);
  waiting.settled.notify_all();
}

}  // namespace

struct Appender::State {
  State(Store& its_store, Clock& its_clock, Executor its_executor, Head its_head)
      : store(its_store),
        clock(its_clock),
        executor(its_executor),
        durable(std::move(its_head)),
        appended(its_executor) {
    run = durable.run + 1;
    forget_tentative();
    const EntryStamp now = clock_stamp();
    if (durable.stamp >= now) stamps_from = durable.stamp + 1 + now % kStampsSkippedMax;
  }

  EntryStamp clock_stamp() const {
    return static_cast<EntryStamp>(clock.wall_now().time_since_epoch().count());
  }

  void forget_tentative() {
    tentative = durable.catalogue;
    tentative_position = durable.position;
    tentative_stamp = durable.stamp;
  }

  void publish(Proposal& proposal) {
    for (const auto& entry : proposal.entries) {
      durable.catalogue.apply(*entry);
      durable.position = entry->position;
      durable.stamp = entry->stamp;
    }
    durable.body_bytes = static_cast<std::uint64_t>(static_cast<std::int64_t>(durable.body_bytes) +
                                                    proposal.body_bytes);
  }

  Store& store;
  Clock& clock;
  Executor executor;
  std::uint64_t run = 0;
  Head durable;
  Signal appended;
  Catalogue tentative;
  Position tentative_position = 0;
  // Positions up to here are given to nobody, also where the entry that asked for it did not become
  // durable: the numbers may be spent (a log that went back).
  Position left_out = 0;
  EntryStamp tentative_stamp = 0;
  // Where the log is ahead of the clock: another life of it, since put back, may have given the
  // next ones under the same numbers, and by the two an entry is known on nodes.
  EntryStamp stamps_from = 0;
  Line line;
  bool flushing = false;
};

namespace {

// What the names stand for before they are given away: what is dropped later is still known here.
void add_what_is_named(Entry& entry, const Catalogue& before) {
  if (entry.kind != EntryKind::kSwapIndexes || !entry.arguments.is_array()) return;
  for (Json& pair : entry.arguments.as_array()) {
    const Json* uids = pair.find("indexes");
    if (uids == nullptr || !uids->is_array()) continue;
    Json incarnations = Json::array();
    for (const Json& uid : uids->as_array()) {
      const IndexState* index = uid.is_string() ? before.index(uid.as_string()) : nullptr;
      incarnations.push_back(index == nullptr ? 0 : index->incarnation);
    }
    pair.set("incarnations", std::move(incarnations));
  }
}

}  // namespace

Appender::Appender(Store& store, Clock& clock, Executor executor, Head head)
    : state_(std::make_shared<State>(store, clock, std::move(executor), std::move(head))) {}

const Appender::Head& Appender::head() const { return state_->durable; }
std::uint64_t Appender::run() const { return state_->run; }
Signal& Appender::appended() { return state_->appended; }
const Catalogue& Appender::tentative_catalogue() const { return state_->tentative; }
Position Appender::next_position() const {
  return std::max(state_->tentative_position, state_->left_out) + 1;
}

void Appender::number(std::vector<Entry>& entries) {
  const EntryStamp now = state_->clock_stamp();
  for (Entry& entry : entries) {
    if (entry.position > next_position()) state_->left_out = entry.position - 1;
    entry.position = next_position();
    state_->tentative_position = entry.position;
    entry.stamp = std::max({state_->tentative_stamp + 1, state_->stamps_from, now, entry.stamp});
    state_->tentative_stamp = entry.stamp;
    entry.run = state_->run;
    if (entry.task == 0) entry.task = entry.position;
    const bool born = entry.kind == EntryKind::kCreateIndex || entry.kind == EntryKind::kAdoptIndex;
    if (born && entry.incarnation == 0 && !entry.born_failed) entry.incarnation = entry.position;
    if (!entry.target) add_what_is_named(entry, state_->tentative);
  }
}

Batch Appender::apply(const Entry& entry) {
  return CatalogueCodec::apply(state_->tentative, entry);
}

void Appender::bury(Position incarnation) {
  state_->durable.catalogue.bury(incarnation);
  state_->tentative.bury(incarnation);
}

void Appender::forget_pasts(const std::vector<TakenBack>& those) {
  state_->durable.catalogue.forget_pasts(those);
  state_->tentative.forget_pasts(those);
}

Async<Result<void>> Appender::commit(Proposal proposal) {
  const auto state = state_;
  const auto waiting = std::make_shared<Waiting>(state->executor, std::move(proposal));
  state->line.push_back(waiting);
  if (!std::exchange(state->flushing, true)) {
    // Belongs to nobody who could be cancelled: others wait for its commit too.
    boost::asio::co_spawn(state->executor, flush(state), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  }
  while (!waiting->result) co_await waiting->settled.wait();
  co_return *waiting->result;
}

Async<void> Appender::flush(std::shared_ptr<State> state) {
  while (!state->line.empty()) {
    const auto count = static_cast<Line::difference_type>(std::min(kGroupMax, state->line.size()));
    const Line group(state->line.begin(), state->line.begin() + count);
    state->line.erase(state->line.begin(), state->line.begin() + count);
    Batch batch;
    std::int64_t grown = 0;
    for (const auto& waiting : group) {
      batch.append(std::move(waiting->proposal.batch));
      grown += waiting->proposal.body_bytes;
    }
    if (grown != 0) {
      const auto total = static_cast<std::int64_t>(state->durable.body_bytes) + grown;
      batch.put(Table::kMeta, std::string(kBodyBytesRow),
                key_of(static_cast<std::uint64_t>(total)));
    }
    const Result<void> committed = co_await state->store.commit(std::move(batch));
    if (committed) {
      const Position before = state->durable.position;
      for (const auto& waiting : group) state->publish(waiting->proposal);
      for (const auto& waiting : group) settle(*waiting, {});
      if (state->durable.position != before) state->appended.notify_all();
      continue;
    }
    log_error("the log could not be written", {{"error", committed.error().message}});
    const Error error{ErrorCode::kUnavailable, "the log: " + committed.error().message};
    const Line behind = std::exchange(state->line, {});
    state->forget_tentative();
    for (const auto& waiting : group) settle(*waiting, std::unexpected(error));
    for (const auto& waiting : behind) settle(*waiting, std::unexpected(error));
  }
  state->flushing = false;
}

}  // namespace miroir
