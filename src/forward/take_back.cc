#include "forward/take_back.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "cluster/state_reasons.h"
#include "forward/doubt_indexes.h"
#include "forward/plan.h"
#include "node_api/node_settings.h"

namespace miroir {
namespace {

constexpr std::size_t kLookedThroughAtOnce = 256;

Entry system_entry(EntryKind kind, const IndexState& index, Json arguments) {
  Entry entry;
  entry.origin = Origin::kSystem;
  entry.kind = kind;
  entry.index_uid = index.uid;
  entry.incarnation = index.incarnation;
  entry.primary_key = index.primary_key.value_or("");
  entry.arguments = std::move(arguments);
  return entry;
}

// `given`: what nodes may have of it.
Entry settings_entry(const IndexState& index, const Json& settings, const Json& given) {
  const std::string key = index.primary_key.value_or("");
  return system_entry(EntryKind::kUpdateSettings, index,
                      Json::object({{"clientSettings", settings},
                                    {"settings", settings_for_node(settings, given, key)}}));
}

void make(Json& settings, const Json& change) {
  settings = change.is_null() ? Json::object() : merge_settings(settings, change);
}

// Of a version of settings: the one before it, and which it takes back.
Position previous_of(const Entry& version) {
  const Json* previous = version.arguments.find("previous");
  return previous == nullptr ? 0 : previous->as_uint64();
}

void add_taken_back(const Entry& version, std::set<Position>& failed) {
  const Json* positions = version.arguments.find("without");
  if (positions == nullptr) return;
  for (const Json& each : positions->as_array()) failed.insert(each.as_uint64());
}

}  // namespace

bool did_not_happen(const Entry& entry, const EntryFailures& failures) {
  const bool drops = entry.kind == EntryKind::kDropIndex;
  if (entry.task_type.empty() && (drops || entry.kind == EntryKind::kUpdateSettings)) return false;
  return failures.everywhere() && !(drops && failures.all_are("index_not_found"));
}

// Once, when it is decided: what is replayed later was. So was, perhaps, what the log forgot: nodes
// that tell of such are taken as they are.
Async<Result<void>> TakeBack::of(std::shared_ptr<const Entry> entry) {
  if (!awaiting_recovery(context_.cluster).empty()) co_return Result<void>();
  if (entry->task_type.empty() || entry->position <= context_.settled) co_return Result<void>();
  MIROIR_CO_TRY(const auto told, co_await context_.log.failed_parts(entry->task));
  if (told) co_return Result<void>();
  if (entry->kind == EntryKind::kUpdateSettings) co_return co_await settings(entry->incarnation);
  if (entry->kind == EntryKind::kCreateIndex) co_return co_await creation(std::move(entry));
  if (entry->kind == EntryKind::kDropIndex)
    co_return co_await drop(entry, entry->incarnation, entry->position);
  const std::vector<Named> all = named_by(*entry);
  if (!all.empty() && entry->position <= context_.began_with)
    MIROIR_CO_CHECK(co_await doubt_indexes_of_others(context_, entry->position));
  for (const Named& named : all) {
    for (bool done = false; !done;) {
      if (named.is_swap()) {
        MIROIR_CO_TRY(done, co_await swap(entry, named));
      } else {
        MIROIR_CO_TRY(done, co_await rename(entry, named));
      }
      if (!done) co_await context_.clock.sleep_for(kInsistDelay);
    }
  }
  if (entry->kind == EntryKind::kUpdateIndex) MIROIR_CO_CHECK(co_await key(entry->position));
  co_return co_await drops_decided_by(entry->position);
}

std::vector<TakeBack::Named> TakeBack::named_by(const Entry& entry) {
  std::vector<Named> all;
  if (entry.kind == EntryKind::kUpdateIndex) {
    const std::string* uid = entry.arguments.find_text("newUid");
    if (uid != nullptr && *uid != entry.index_uid)
      all.push_back({entry.incarnation, 0, entry.index_uid, *uid});
  }
  if (entry.kind != EntryKind::kSwapIndexes || !entry.arguments.is_array()) return all;
  for (const Json& swap : entry.arguments.as_array()) {
    const Json::Array& incarnations = swap.find("incarnations")->as_array();
    const Json::Array& uids = swap.find("indexes")->as_array();
    all.push_back({incarnations[0].as_uint64(), incarnations[1].as_uint64(), uids[0].as_string(),
                   uids[1].as_string()});
  }
  return all;
}

// False: not now, until what stands in line is there. `looked`: no index has been given a name
// since.
Async<Result<bool>> TakeBack::append(std::vector<IndexState> seen, Position looked,
                                     Log::Judge judge) {
  bool done = false;
  MIROIR_CO_CHECK(co_await context_.log.take_back(
      [&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
        const auto is_new = [looked](const auto& row) { return row.second.named_at > looked; };
        done = std::ranges::none_of(catalogue.indexes(), is_new) &&
               std::ranges::none_of(catalogue.dropped(), is_new) &&
               std::ranges::all_of(seen, [&](const IndexState& before) {
                 const IndexState* now = catalogue.there_or_dropped(before.incarnation);
                 return now != nullptr && now->settings_version == before.settings_version &&
                        now->named_at == before.named_at && now->dropped_at == before.dropped_at;
               });
        return done ? judge(catalogue, next) : std::vector<Entry>();
      }));
  co_return done;
}

// With what nodes made of it: the settings that come with a creation make the index, too.
Async<Result<void>> TakeBack::creation(std::shared_ptr<const Entry> entry) {
  const IndexState* found = context_.log.catalogue().by_incarnation(entry->incarnation);
  if (found == nullptr) co_return Result<void>();
  const IndexState index = *found;
  MIROIR_CO_TRY(const bool never_was, co_await was_never_made(index));
  if (!never_was) {
    // It is an index for what came after, which told the nodes its key.
    MIROIR_CO_TRY(const bool not_made, co_await was_not_made(entry));
    co_return not_made ? co_await key(entry->position) : Result<void>();
  }
  co_return co_await context_.log.take_back(
      [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        const IndexState* now = catalogue.by_incarnation(index.incarnation);
        const bool same = now != nullptr && now->is_still(index) &&
                          now->settings_version == index.settings_version &&
                          now->updated_at == index.updated_at;
        if (!same) return std::vector<Entry>();
        return std::vector{system_entry(EntryKind::kDropIndex, index, Json())};
      });
}

// Its creation was not made, and no client used it since.
Async<Result<bool>> TakeBack::was_never_made(IndexState index) {
  const Position birth = index.incarnation;
  if (index.named_at != birth || index.settings_version != birth + 1) co_return false;
  MIROIR_CO_TRY(const auto creation, co_await kept_entry(context_.log, birth));
  MIROIR_CO_TRY(const auto settings, co_await kept_entry(context_.log, birth + 1));
  if (creation == nullptr || settings == nullptr || creation->kind != EntryKind::kCreateIndex ||
      creation->task_type.empty() || index.updated_at != settings->stamp)
    co_return false;
  co_return co_await was_not_made(creation);
}

// Failed everywhere, though no such index was there.
Async<Result<bool>> TakeBack::was_not_made(std::shared_ptr<const Entry> creation) {
  MIROIR_CO_TRY(const auto failures,
                co_await EntryFailures::of(context_.log, context_.cluster, creation->position));
  const auto exists = [](const Json& error) { return is_error(error, "index_already_exists"); };
  co_return did_not_happen(*creation, failures) && failures.first(exists) == nullptr;
}

// The index is what it was; what has its name since then goes on from that, for it is it.
Async<Result<void>> TakeBack::drop(std::shared_ptr<const Entry> entry, Position incarnation,
                                   Position decided_by) {
  for (bool done = false; !done;) {
    const IndexState* found = still_to_be(*entry, incarnation);
    if (found == nullptr || found->dropped_at != entry->position || found->decided_by != decided_by)
      break;
    const IndexState index = *found;
    MIROIR_CO_TRY(const Since seen, co_await since(entry->position, incarnation, index.uid));
    MIROIR_CO_TRY(done, co_await restore(entry, index, seen));
    if (!done) co_await context_.clock.sleep_for(kInsistDelay);
  }
  co_return co_await settings(incarnation);
}

Async<Result<bool>> TakeBack::restore(std::shared_ptr<const Entry> failed, IndexState index,
                                      Since since) {
  if (since.next.decided_by != 0) {
    Entry back = back_to(*failed, index, "decidedBy", since.next.decided_by);
    co_return co_await append({index}, since.looked,
                              [&](const Catalogue&, Position) { return std::vector{back}; });
  }
  MIROIR_CO_TRY(const bool never_was, co_await was_never_made(index));
  MIROIR_CO_TRY(const Around around, co_await settings_of_dropped(index));
  if (since.next.incarnation != 0) {
    const IndexState* other = context_.log.catalogue().there_or_dropped(since.next.incarnation);
    if (other == nullptr || never_was) co_return true;
    Pair pair{index, *other, {.before = around.after(), .given = around.given}, {}};
    MIROIR_CO_TRY(pair.others, co_await settings_around(*pair.other, failed->position));
    co_return co_await append({index, *pair.other}, since.looked,
                              [&](const Catalogue& catalogue, Position position) {
                                return exchange(*failed, pair, "", catalogue, position);
                              });
  }
  co_return co_await append({index}, since.looked, [&](const Catalogue&, Position) {
    std::vector<Entry> entries = {back_to(*failed, index, "rename", index.uid)};
    if (never_was) {
      entries.push_back(system_entry(EntryKind::kDropIndex, index, Json()));
    } else if (index.named_at > index.dropped_at) {
      entries.push_back(given(index, {.before = around.before, .given = around.given},
                              {.changes = around.changes}, around.since));
    }
    return entries;
  });
}

Async<Result<TakeBack::Around>> TakeBack::settings_of_dropped(IndexState index) {
  MIROIR_CO_TRY(const Past past, co_await past_of_dropped(index));
  co_return co_await settings_around(index, past.since == 0 ? index.dropped_at : past.since);
}

// Where something before the drop was taken back since, it has another's.
Async<Result<TakeBack::Past>> TakeBack::past_of_dropped(IndexState index) {
  Past its;
  if (index.dropped_at == 0 || index.named_at < index.dropped_at) co_return its;
  MIROIR_CO_TRY(const auto back, co_await kept_entry(context_.log, index.named_at));
  const Json* pasts = back == nullptr ? nullptr : back->arguments.find("pasts");
  for (const Json& past : pasts == nullptr ? Json::Array() : pasts->as_array()) {
    if (*past.find("incarnation") != Json(index.incarnation)) continue;
    const Json* since = past.find("since");
    its = {(since ? *since : *back->arguments.find("entry")).as_uint64(), *past.find("settings"),
           *past.find("given")};
  }
  co_return its;
}

// What waited for what became of the rename.
Async<Result<void>> TakeBack::drops_decided_by(Position rename) {
  std::vector<IndexState> waited;
  for (const auto& [incarnation, index] : context_.log.catalogue().dropped())
    if (index.decided_by == rename && index.dropped_at != rename) waited.push_back(index);
  for (const IndexState& index : waited) {
    MIROIR_CO_TRY(auto entry, co_await kept_entry(context_.log, index.dropped_at));
    if (entry != nullptr) MIROIR_CO_CHECK(co_await drop(entry, index.incarnation, rename));
  }
  co_return Result<void>();
}

// Null where it is taken back. What is later may have been before it, where a node was away.
const IndexState* TakeBack::still_to_be(const Entry& entry, Position incarnation) const {
  const Catalogue& catalogue = context_.log.catalogue();
  if (catalogue.pasts().has_taken_back(entry.position, incarnation)) return nullptr;
  return catalogue.there_or_dropped(catalogue.pasts().owner(incarnation, entry.position));
}

Async<Result<bool>> TakeBack::swap(std::shared_ptr<const Entry> entry, Named named) {
  const IndexState* index = still_to_be(*entry, named.index);
  const IndexState* other = still_to_be(*entry, named.other);
  if (index == nullptr || other == nullptr) co_return true;
  Pair pair{*index, *other, {}, {}};
  const Position looked = context_.log.head();
  MIROIR_CO_TRY(pair.around, co_await settings_around(pair.index, entry->position));
  MIROIR_CO_TRY(pair.others, co_await settings_around(*pair.other, entry->position));
  co_return co_await append({pair.index, *pair.other}, looked,
                            [&](const Catalogue& now, Position position) {
                              return exchange(*entry, pair, "", now, position);
                            });
}

Async<Result<bool>> TakeBack::rename(std::shared_ptr<const Entry> entry, Named named) {
  const IndexState* index = still_to_be(*entry, named.index);
  if (index == nullptr) co_return true;
  Pair pair{*index, std::nullopt, {}, {}};
  if (index->uid != named.after) {
    // Named again since, which failed too; where that gave the name back both are as if they had
    // not been.
    if (index->uid != named.before || index->named_at < entry->position) co_return true;
    co_return co_await append({pair.index}, context_.log.head(), [&](const Catalogue&, Position) {
      return std::vector{back_to(*entry, pair.index, "named", pair.index.named_at)};
    });
  }
  MIROIR_CO_TRY(const Since seen,
                co_await since(entry->position, index->incarnation, named.before));
  if (seen.next.decided_by != 0) co_return true;
  MIROIR_CO_TRY(pair.around, co_await settings_around(pair.index, entry->position));
  std::vector<IndexState> both = {pair.index};
  if (seen.next.incarnation != 0) {
    const IndexState* other = context_.log.catalogue().there_or_dropped(seen.next.incarnation);
    if (other == nullptr) co_return true;
    pair.other = *other;
    both.push_back(*other);
    MIROIR_CO_TRY(pair.others, co_await settings_around(*pair.other, entry->position));
  }
  const auto judge = [&](const Catalogue& now, Position position) {
    const IndexState& its = *now.there_or_dropped(pair.index.incarnation);
    const bool untouched = !seen.made && its.updated_at == entry->stamp && its.dropped_at == 0;
    if (!pair.other && untouched) return std::vector{back_to(*entry, its, "rename", named.before)};
    // What has it on nodes, for its drop failed, goes on from this one.
    const auto waits = [&](const auto& row) { return row.second.decided_by == entry->position; };
    pair.unused = untouched && std::ranges::none_of(now.dropped(), waits);
    return exchange(*entry, pair, named.before, now, position);
  };
  co_return co_await append(std::move(both), seen.looked, judge);
}

// Of the index that has its past by now, if it was changed at all. All are given its settings,
// which make the key filterable. What the reconciler gave a node of that one meanwhile stays.
Async<Result<void>> TakeBack::key(Position change) {
  const IndexState* changed = context_.log.catalogue().key_changed_by(change);
  if (changed == nullptr) co_return Result<void>();
  MIROIR_CO_TRY(const Since seen, co_await since(change, changed->incarnation, changed->uid));
  if (seen.has_key) co_return Result<void>();
  co_return co_await context_.log.take_back([change](const Catalogue& catalogue,
                                                     Position) -> Result<std::vector<Entry>> {
    const IndexState* index = catalogue.key_changed_by(change);
    if (index == nullptr) return std::vector<Entry>();
    std::vector<Entry> entries = {
        system_entry(EntryKind::kTakeBack, *index, Json::object({{"key", change}}))};
    Catalogue after = catalogue;
    after.apply(entries.front());
    const IndexState* now = after.by_incarnation(index->incarnation);
    if (now == nullptr || now->primary_key == index->primary_key) return entries;
    entries.push_back(settings_entry(*now, now->settings, now->settings));
    entries.back().arguments.set("previous", now->settings_version);
    return entries;
  });
}

// What renamed something to it counts once it is known whether that is to be.
Async<Result<TakeBack::Since>> TakeBack::since(Position position, Position incarnation,
                                               std::string name) {
  Since its{.looked = position};
  std::vector<std::pair<Position, Next>> all;  // from when on
  std::map<Position, bool> taken_back;  // of renames: whether something has the name all the same
  std::set<std::string> lacked;         // nodes, the index
  for (;;) {
    MIROIR_CO_TRY(const auto page,
                  co_await context_.log.entries(its.looked + 1, kLookedThroughAtOnce));
    if (page.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : page) {
      if (entry->target &&
          kept_under(context_.log, entry->incarnation, entry->position) == incarnation) {
        const bool creates = entry->kind == EntryKind::kCreateIndex;
        if (creates) lacked.insert(*entry->target);
        MIROIR_CO_TRY(const auto failures, co_await context_.log.failures(entry->position));
        if (failures.contains(*entry->target)) continue;
        // Who did not lack it has somebody else's, of which settings and a key make nothing.
        its.made |= has_records(entry->kind) || lacked.contains(*entry->target);
        its.has_key |= creates || entry->kind == EntryKind::kUpdateIndex;
      }
      if (entry->born_failed || entry->target) continue;
      const Json* failed = entry->arguments.find("entry");
      if (entry->kind == EntryKind::kTakeBack && failed != nullptr)
        taken_back[failed->as_uint64()] = entry->arguments.find("exchange") != nullptr;
      if (entry->kind == EntryKind::kCreateIndex && entry->index_uid == name)
        all.push_back({entry->position, {entry->incarnation, 0}});
      for (const Named& named : named_by(*entry))
        if (!named.is_swap() && named.after == name)
          all.push_back({entry->position, {named.index, entry->position}});
    }
    its.looked = page.back()->position;
  }
  for (const auto& [from, next] : all) {
    const bool as_it_is = next.decided_by == 0 || !taken_back.contains(next.decided_by);
    if (!as_it_is && !taken_back.at(next.decided_by)) continue;
    its.next = as_it_is ? next : Next{next.incarnation, 0};
    its.next.incarnation = context_.log.catalogue().pasts().owner(its.next.incarnation, from);
    break;
  }
  co_return its;
}

Entry TakeBack::back_to(const Entry& failed, const IndexState& index, std::string_view what,
                        Json to) {
  Json arguments = Json::object({{"entry", failed.position}, {"stamp", failed.stamp}});
  arguments.set(what, std::move(to));
  return system_entry(EntryKind::kTakeBack, index, std::move(arguments));
}

std::vector<Entry> TakeBack::exchange(const Entry& failed, const Pair& pair,
                                      const std::string& before, const Catalogue& catalogue,
                                      Position next) {
  Entry back = back_to(failed, pair.index, "exchange", pair.other ? pair.other->uid : before);
  if (pair.other) back.arguments.set("with", pair.other->incarnation);
  back.position = next;
  Catalogue after = catalogue;
  after.apply(back);
  std::vector<Entry> entries = {std::move(back)};
  Json pasts = Json::array();  // of those of which nodes may not be told
  const auto give = [&](Position incarnation, const Around& past, const Around& since) {
    if (const IndexState* index = after.by_incarnation(incarnation))
      return entries.push_back(given(*index, past, since, failed.position));
    pasts.push_back(Json::object({{"incarnation", incarnation},
                                  {"since", std::max(failed.position, since.since)},
                                  {"settings", past.before},
                                  {"given", merge_settings(past.given, past.after())}}));
  };
  if (pair.unused) {
    const IndexState& left = *after.there_or_dropped(pair.index.incarnation);
    entries.push_back(
        system_entry(EntryKind::kDropIndex, left, Json::object({{"sparesForeign", true}})));
  } else {
    give(pair.index.incarnation, pair.others, pair.around);
  }
  give(pair.other ? pair.other->incarnation : next, pair.around, pair.others);
  if (pasts.size() > 0) entries.front().arguments.set("pasts", std::move(pasts));
  return entries;
}

// The settings from before it, and what was made of those of that name since.
Entry TakeBack::given(const IndexState& index, const Around& past, const Around& since,
                      Position failed) {
  Json settings = past.before;
  for (const Json& change : since.changes) make(settings, change);
  Json given = merge_settings(past.given, since.given);
  for (const Json& each : {past.after(), since.after(), settings})
    given = merge_settings(given, each);
  Entry entry = settings_entry(index, settings, given);
  entry.arguments.set("base", past.before);
  entry.arguments.set("since", std::max(failed, since.since));
  entry.arguments.set("previous", index.settings_version);
  return entry;
}

Json TakeBack::Around::after() const {
  Json settings = before;
  for (const Json& change : changes) make(settings, change);
  return settings;
}

// By the kept versions of them, without what failed everywhere.
Async<Result<TakeBack::Around>> TakeBack::settings_around(IndexState index, Position position) {
  MIROIR_CO_TRY(const Past past, co_await past_of_dropped(index));
  std::vector<std::shared_ptr<const Entry>> versions;  // newest first
  Around around{.before = index.settings};
  bool has_base = false;
  Position oldest = 0;
  for (Position next = index.settings_version; next > oldest;) {
    MIROIR_CO_TRY(auto version, co_await kept_entry(context_.log, next));
    if (version == nullptr || version->kind != EntryKind::kUpdateSettings ||
        version->incarnation != index.incarnation)
      break;
    add_taken_back(*version, around.failed);
    // The newest tells of all before it.
    if (const Json* base = version->arguments.find("base"); base != nullptr && !has_base) {
      around.before = *base;
      has_base = true;
      oldest = version->arguments.find("since")->as_uint64();
    }
    next = previous_of(*version);
    if (version->arguments.find("change") != nullptr) versions.push_back(std::move(version));
  }
  if (!versions.empty() && !has_base) around.before = *versions.back()->arguments.find("before");
  if (past.since > 0) around.before = past.settings;
  around.since = std::max(oldest, past.since);
  for (const std::shared_ptr<const Entry>& version : std::views::reverse(versions)) {
    const Json& change = *version->arguments.find("change");
    around.given = merge_settings(around.given, *version->arguments.find("clientSettings"));
    MIROIR_CO_TRY(const auto failures,
                  co_await EntryFailures::of(context_.log, context_.cluster, version->position));
    if (failures.everywhere()) around.failed.insert(version->position);
    if (around.failed.contains(version->position) || version->position <= past.since) continue;
    if (version->position <= position) {
      make(around.before, change);
    } else {
      around.changes.push_back(change);
    }
  }
  around.given = merge_settings(around.given, past.given);
  co_return around;
}

// What no node took is not the index's, but later changes were made on top of it: all are given
// the settings that these make without it.
Async<Result<void>> TakeBack::settings(Position incarnation) {
  for (bool done = false; !done;) {
    const IndexState* index = context_.log.catalogue().by_incarnation(incarnation);
    if (index == nullptr) co_return Result<void>();
    const Position version = index->settings_version;
    MIROIR_CO_TRY(const Around around, co_await settings_around(*index, version));
    if (around.failed.empty()) co_return Result<void>();
    MIROIR_CO_CHECK(co_await context_.log.append(
        [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
          std::vector<Entry> entries;
          const IndexState* now = catalogue.by_incarnation(incarnation);
          done = now == nullptr || now->settings_version == version;
          if (!done || now == nullptr || now->settings == around.before) return entries;
          Entry back = settings_entry(*now, around.before, around.given);
          Json positions = Json::array();
          for (const Position failed : around.failed) positions.push_back(failed);
          back.arguments.set("without", std::move(positions));
          back.arguments.set("previous", version);
          entries.push_back(std::move(back));
          return entries;
        },
        WhenFull::kTake));
    if (!done) co_await context_.clock.sleep_for(kInsistDelay);  // what stands in line comes first
  }
  co_return Result<void>();
}

}  // namespace miroir
