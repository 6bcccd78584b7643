#include "cdc/change_reader.h"

#include <algorithm>

#include "cdc/event.h"
#include "cluster/entry_failures.h"
#include "forward/overtaken.h"
#include "forward/plan.h"

namespace miroir::cdc {
namespace {

constexpr std::size_t kEntriesMax = 128;  // looked at for one page

void pass(Page& page, const Entry& entry) { page.next = {entry.position, Cursor::kWhole}; }

// Events of the entry that lie behind the page's end.
std::uint64_t given(const Page& page, const Entry& entry) {
  return page.next.position == entry.position ? page.next.given : 0;
}

// What the log lost of the positions first … before - 1, none of which it holds: what they were is
// forgotten with them. What is missing beyond was given to nobody, for the log went back: how much
// that was nobody knows.
std::uint64_t lost_between(Position first, Position before, Position forgotten) {
  const Position known = std::min(before, std::max(first, forgotten + 1));
  return known - first + (known < before ? 1 : 0);
}

// False: there is no room for it.
bool add(Page& page, const Entry& entry, std::uint64_t number, const BodyRecord* record,
         const Selection& selection) {
  if (page.lost > 0 || page.count >= selection.events_max) return false;
  std::string event;
  append_event(event, entry, number, record, selection.bodies);
  if (page.count > 0) {
    if (page.events.size() + event.size() >= selection.bytes_max) return false;
    page.events += ',';
  }
  page.events += event;
  ++page.count;
  ++page.counts[entry.index_uid];
  return true;
}

}  // namespace

Async<Result<Page>> ChangeReader::read(Cursor after, Selection selection) const {
  Page page;
  page.next = after;
  const Position settled = forwarders_.settled();
  if (after.next() > settled) co_return page;
  MIROIR_CO_TRY(const auto entries, co_await log_.entries(after.next(), kEntriesMax));
  if (entries.empty()) co_return page;
  MIROIR_CO_TRY(const Ends ends,
                co_await log_.task_ends(entries.front()->position, entries.back()->position));
  for (const std::shared_ptr<const Entry>& entry : entries) {
    if (entry->position > settled) co_return page;
    if (entry->position > page.next.next()) {
      if (page.count > 0) {
        page.more = true;
        co_return page;
      }
      page.lost += lost_between(page.next.next(), entry->position, log_.forgotten());
      page.next = {entry->position - 1, Cursor::kWhole};
    }
    MIROIR_CO_TRY(const Step step, co_await take(entry, ends, selection, page));
    if (step == Step::kPageEnds) co_return page;
  }
  page.more = entries.back()->position < settled;
  co_return page;
}

Async<Result<ChangeReader::Step>> ChangeReader::take(std::shared_ptr<const Entry> entry,
                                                     const Ends& ends, const Selection& selection,
                                                     Page& page) const {
  Fate fate = Fate::kNever;
  if (judge(*entry, options_) == Verdict::kEvents && touches(*entry, selection.index_uid)) {
    MIROIR_CO_TRY(fate, co_await fate_of(entry, ends));
  }
  if (fate == Fate::kUnknown) co_return Step::kPageEnds;
  if (fate != Fate::kNever && is_of_documents(*entry)) {
    co_return co_await take_records(entry, fate, selection, page);
  }
  if (fate == Fate::kInPart) {
    MIROIR_CO_TRY(const std::vector<bool> happened, co_await shards_that_happened(entry->position));
    if (std::ranges::find(happened, true) == happened.end()) fate = Fate::kNever;
  }
  if (fate != Fate::kNever && !add(page, *entry, 0, nullptr, selection)) {
    page.more = true;
    co_return Step::kPageEnds;
  }
  pass(page, *entry);
  co_return Step::kGoOn;
}

Async<Result<ChangeReader::Step>> ChangeReader::take_records(std::shared_ptr<const Entry> entry,
                                                             Fate fate, const Selection& selection,
                                                             Page& page) const {
  const Topology& topology = cluster_.topology();
  std::vector<bool> happened(topology.shard_count(), true);
  if (fate == Fate::kInPart) {
    MIROIR_CO_TRY(happened, co_await shards_that_happened(entry->position));
  }
  std::optional<Newer> newer = Newer{.all = std::vector<EntryStamp>(happened.size())};
  if (entry->origin == Origin::kTtlExpire) {
    MIROIR_CO_TRY(newer, co_await newer_than(entry));
  }
  std::uint64_t number = 0;
  bool full = false;
  const auto read = co_await log_.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
    if (!newer) return fail(ErrorCode::kNotFound, "what was newer is forgotten");
    const std::uint64_t its = number++;
    if (its < given(page, *entry)) return {};
    const ShardId shard = topology.shard_of(record.slot);
    const bool is_event = happened[shard] && !newer->than(record, shard);
    full = page.lost > 0 || (is_event && !add(page, *entry, its, &record, selection));
    if (full) return fail(ErrorCode::kCancelled, "the page is full");
    page.next = {entry->position, its + 1};
    return {};
  });
  const bool trimmed = !read && read.error().code == ErrorCode::kNotFound;
  if (full || (trimmed && page.count > 0)) {
    page.more = true;
    co_return Step::kPageEnds;
  }
  if (trimmed) {
    page.lost += entry->records - std::min(entry->records, given(page, *entry));
  } else {
    MIROIR_CO_CHECK(read);
  }
  pass(page, *entry);
  co_return Step::kGoOn;
}

// A sweep deletes only versions after which nothing was written, or deleted, until it was logged;
// some of them are younger than its look at the log. Nothing: the log forgot some of that.
Async<Result<std::optional<ChangeReader::Newer>>> ChangeReader::newer_than(
    std::shared_ptr<const Entry> sweep) const {
  std::optional<Newer> newer =
      Newer{.all = std::vector<EntryStamp>(cluster_.topology().shard_count())};
  MIROIR_CO_TRY(const bool known,
                co_await for_each_overtaking(log_, sweep, [&](std::shared_ptr<const Entry> other) {
                  return note(std::move(other), newer);
                }));
  if (!known) newer.reset();
  co_return newer;
}

bool ChangeReader::Newer::than(const BodyRecord& swept, ShardId shard) const {
  const EntryStamp stamp = exact_stamp(swept).value_or(0);
  const auto its = ids.find(swept.id);
  return all[shard] > stamp || (its != ids.end() && its->second > stamp);
}

Async<Result<bool>> ChangeReader::note(std::shared_ptr<const Entry> entry,
                                       std::optional<Newer>& newer) const {
  if (!has_records(entry->kind) && !touches_all(entry->kind)) co_return true;
  MIROIR_CO_TRY(const std::vector<bool> happened, co_await shards_that_happened(entry->position));
  if (touches_all(entry->kind)) {
    for (std::size_t shard = 0; shard < happened.size(); ++shard)
      if (happened[shard]) newer->all[shard] = entry->stamp;
    co_return true;
  }
  const Topology& topology = cluster_.topology();
  // An expiry takes away one version, and who deletes that too deletes nothing.
  const bool expiry = names_exact_stamps(*entry);
  const auto read = co_await log_.for_each_record(entry, [&](BodyRecord record) -> Result<void> {
    if (!happened[topology.shard_of(record.slot)]) return {};
    EntryStamp& oldest = newer->ids[record.id];
    oldest = std::max(oldest, expiry ? exact_stamp(record).value_or(0) + 1 : entry->stamp);
    return {};
  });
  if (!read && read.error().code == ErrorCode::kNotFound) {
    newer.reset();
    co_return false;
  }
  MIROIR_CO_CHECK(read);
  co_return true;
}

Async<Result<ChangeReader::Fate>> ChangeReader::fate_of(std::shared_ptr<const Entry> entry,
                                                        const Ends& ends) const {
  // Nobody waits for what is Miroir's own; for operations on indexes that failed it makes up.
  if (entry->task_type.empty()) co_return is_of_documents(*entry) ? Fate::kInPart : Fate::kHappened;
  const Position task = entry->task;
  auto end = ends.find(task);
  Ends others;
  if (end == ends.end()) {
    MIROIR_CO_TRY(others, co_await log_.task_ends(task, task));
    end = others.find(task);
    if (end == others.end()) {
      // Forgotten with the rest of its task, or not ended.
      MIROIR_CO_TRY(const auto last, co_await kept_entry(log_, task));
      co_return last == nullptr && task <= log_.head() ? Fate::kInPart : Fate::kUnknown;
    }
  }
  // Of a task that was deleted only the outcomes are left.
  if (!end->second) co_return Fate::kInPart;
  if (end->second->status == "succeeded") co_return Fate::kHappened;
  co_return end->second->status == "canceled" ? Fate::kNever : Fate::kInPart;
}

// By shard: whether it was not failed, nor void, on all its owners, as far as that is known. Its
// task, if it has one, has ended: who is still to join will not be given it.
Async<Result<std::vector<bool>>> ChangeReader::shards_that_happened(Position position) const {
  MIROIR_CO_TRY(const auto failures, co_await EntryFailures::of(log_, cluster_, position));
  const Topology& topology = cluster_.topology();
  std::vector<bool> happened(topology.shard_count());
  for (ShardId shard = 0; shard < topology.shard_count(); ++shard) {
    std::vector<std::string> owners = topology.owners(shard);
    std::erase_if(owners, [this](const std::string& owner) { return !cluster_.joined(owner); });
    happened[shard] = !failures.on_all(shard, owners);
  }
  co_return happened;
}

}  // namespace miroir::cdc
