#include "forward/take_back.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "cluster/entry_failures.h"
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

// The index as the nodes hold it, of whose past nothing more is known: it was dropped. With its
// settings for all.
std::vector<Entry> adoption_of(IndexState index, Json settings, const Json& given) {
  const Position replaced = std::exchange(index.incarnation, 0);
  Entry told = settings_entry(index, settings, given);
  Entry adopted = told;
  adopted.kind = EntryKind::kAdoptIndex;
  adopted.arguments.set("primaryKey", index.primary_key ? Json(*index.primary_key) : Json());
  if (replaced != 0) adopted.arguments.set("replaces", replaced);
  return {std::move(adopted), std::move(told)};
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

const std::string* text_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_string() ? &value->as_string() : nullptr;
}

}  // namespace

// Once, when it is decided: what is replayed later was.
Async<Result<void>> TakeBack::of(std::shared_ptr<const Entry> entry) {
  if (entry->task_type.empty() || entry->position <= context_.log.forgotten())
    co_return Result<void>();
  MIROIR_CO_TRY(const auto told, co_await context_.log.failed_parts(entry->task));
  if (told) co_return Result<void>();
  if (entry->kind == EntryKind::kUpdateSettings) co_return co_await settings(std::move(entry));
  for (Named& named : named_by(*entry)) MIROIR_CO_CHECK(co_await names(entry, std::move(named)));
  co_return Result<void>();
}

std::vector<TakeBack::Named> TakeBack::named_by(const Entry& entry) {
  std::vector<Named> all;
  if (entry.kind == EntryKind::kUpdateIndex) {
    const std::string* uid = text_of(entry.arguments, "newUid");
    const Json* version = entry.arguments.find("settingsVersion");
    if (uid == nullptr || *uid == entry.index_uid || version == nullptr) return all;
    all.push_back(
        {{entry.incarnation, version->as_uint64(), entry.primary_key}, {}, entry.index_uid});
  }
  if (entry.kind != EntryKind::kSwapIndexes || !entry.arguments.is_array()) return all;
  for (const Json& swap : entry.arguments.as_array()) {
    const auto was = [&swap](std::size_t place) {
      const Json& key = swap.find("primaryKeys")->as_array()[place];
      return Was{swap.find("incarnations")->as_array()[place].as_uint64(),
                 swap.find("settingsVersions")->as_array()[place].as_uint64(),
                 key.is_string() ? key.as_string() : ""};
    };
    all.push_back({was(0), was(1), swap.find("indexes")->as_array()[0].as_string()});
  }
  return all;
}

Async<Result<void>> TakeBack::names(std::shared_ptr<const Entry> entry, Named named) {
  for (bool done = false; !done;) {
    std::map<Position, Around> settings;
    std::vector<IndexState> seen;
    std::vector<Was> concerned = {named.index, named.other};
    if (!named.is_swap()) {
      if (const IndexState* there = context_.log.catalogue().index(named.before))
        concerned.push_back({.incarnation = there->incarnation});
    }
    for (const Was& was : concerned) {
      const IndexState* index = context_.log.catalogue().by_incarnation(was.incarnation);
      if (index == nullptr) {
        MIROIR_CO_TRY(settings[was.incarnation].before, co_await settings_of(was.settings));
        continue;
      }
      seen.push_back(*index);
      MIROIR_CO_TRY(settings[was.incarnation],
                    co_await settings_around(seen.back(), entry->position));
    }
    MIROIR_CO_TRY(const Since since, co_await done_since(named, entry->position));
    MIROIR_CO_CHECK(co_await context_.log.take_back(
        [&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
          done = std::ranges::all_of(seen, [&](const IndexState& before) {
            const IndexState* now = catalogue.by_incarnation(before.incarnation);
            return now != nullptr && now->settings_version == before.settings_version &&
                   now->named_at == before.named_at;
          });
          const IndexState* there = catalogue.index(named.before);
          done = done &&
                 (named.is_swap() || there == nullptr || settings.contains(there->incarnation));
          if (!done) return std::vector<Entry>();
          return entries_for({*entry, named, since, catalogue, next, settings});
        }));
    if (!done)
      co_await context_.clock.sleep_for(kInsistDelay);  // until what stands in line is there
  }
  co_return Result<void>();
}

Async<Result<TakeBack::Since>> TakeBack::done_since(Named named, Position position) {
  Since since;
  for (;;) {
    MIROIR_CO_TRY(const auto page,
                  co_await context_.log.entries(position + 1, kLookedThroughAtOnce));
    if (page.empty()) co_return since;
    for (const std::shared_ptr<const Entry>& entry : page) {
      if (entry->born_failed) continue;
      since.dropped |= entry->kind == EntryKind::kDropIndex && entry->index_uid == named.before;
      since.made |= entry->kind == EntryKind::kCreateIndex && entry->target &&
                    entry->incarnation == named.index.incarnation;
    }
    position = page.back()->position;
  }
}

std::vector<Entry> TakeBack::entries_for(Case of) {
  const Catalogue& catalogue = of.catalogue;
  const IndexState* index = catalogue.by_incarnation(of.named.index.incarnation);
  const IndexState* other = catalogue.by_incarnation(of.named.other.incarnation);
  if (of.named.is_swap() && (index == nullptr || other == nullptr)) {
    if (index == nullptr && other == nullptr) return {};
    return index != nullptr ? entries_for_one(of, *index, of.named.other)
                            : entries_for_one(of, *other, of.named.index);
  }
  if (index == nullptr) return entries_for_dropped(of);
  if (index->taken_back >= of.failed.position) return {};
  Entry back =
      system_entry(EntryKind::kTakeBack, *index,
                   Json::object({{"entry", of.failed.position}, {"stamp", of.failed.stamp}}));
  if (!of.named.is_swap()) {
    other = catalogue.index(of.named.before);
    // Named again since, which failed too; or it went with the name that it had.
    const bool born_since = other == nullptr || (other->incarnation > of.failed.position &&
                                                 other->named_at == other->incarnation);
    if (index->named_at != of.failed.position || of.since.dropped || !born_since) return {};
    if (other == nullptr && index->updated_at == of.failed.stamp && !of.since.made) {
      back.arguments.set("rename", of.named.before);
      return {std::move(back)};
    }
  }
  back.arguments.set("exchange", other == nullptr ? of.named.before : other->uid);
  back.position = of.next;
  Catalogue after = catalogue;
  after.apply(back);
  const Around& its = of.around(index);
  const Around& others = of.around(other);
  Entry first = given(*after.index(index->uid), others, its);
  Entry second = given(*after.index(back.arguments.find("exchange")->as_string()), its, others);
  return {std::move(back), std::move(first), std::move(second)};
}

// The settings from before it, and what was made of those of that name since.
Entry TakeBack::given(const IndexState& index, const Around& past, const Around& since) {
  Json settings = past.before;
  for (const Json& change : since.changes) make(settings, change);
  const Json given = merge_settings(merge_settings(past.after(), since.after()), settings);
  return settings_entry(index, settings, given);
}

// The other was dropped, and what went with it was this one's: its documents are the other's.
std::vector<Entry> TakeBack::entries_for_one(Case of, IndexState index, const Was& gone) {
  if (index.taken_back >= of.failed.position) return {};
  Json settings = of.settings.at(gone.incarnation).before;
  for (const Json& change : of.around(&index).changes) make(settings, change);
  const Json given = merge_settings(index.settings, settings);
  index.primary_key.reset();
  if (!gone.primary_key.empty()) index.primary_key = gone.primary_key;
  return adoption_of(std::move(index), settings, given);
}

// What got the new name was dropped since: what should have got it is still there.
std::vector<Entry> TakeBack::entries_for_dropped(Case of) {
  if (of.since.dropped || of.catalogue.index(of.named.before) != nullptr) return {};
  IndexState index;
  index.uid = of.named.before;
  if (!of.named.index.primary_key.empty()) index.primary_key = of.named.index.primary_key;
  const Json& settings = of.settings.at(of.named.index.incarnation).before;
  return adoption_of(std::move(index), settings, settings);
}

const TakeBack::Around& TakeBack::Case::around(const IndexState* index) const {
  static const Around kNone;
  const auto found = index == nullptr ? settings.end() : settings.find(index->incarnation);
  return found == settings.end() ? kNone : found->second;
}

Json TakeBack::Around::after() const {
  Json settings = before;
  for (const Json& change : changes) make(settings, change);
  return settings;
}

// …as clients see that version of them; nothing where it is not kept.
Async<Result<Json>> TakeBack::settings_of(Position version) {
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(context_.log, version));
  const Json* settings = entry == nullptr ? nullptr : entry->arguments.find("clientSettings");
  co_return settings == nullptr ? Json::object() : *settings;
}

// From the kept versions of them.
Async<Result<TakeBack::Around>> TakeBack::settings_around(IndexState index, Position position) {
  Around around{.before = index.settings};
  std::set<Position> failed;
  for (Position next = index.settings_version; next > position;) {
    MIROIR_CO_TRY(const auto version, co_await kept_entry(context_.log, next));
    if (version == nullptr || version->kind != EntryKind::kUpdateSettings) break;
    add_taken_back(*version, failed);
    if (const Json* before = version->arguments.find("before")) around.before = *before;
    const Json* change = version->arguments.find("change");
    if (change != nullptr && !failed.contains(next)) around.changes.push_back(*change);
    next = previous_of(*version);
  }
  std::ranges::reverse(around.changes);
  co_return around;
}

// What no node took is not the index's, but later changes were made on top of it: all are given
// the settings that these make without it.
Async<Result<void>> TakeBack::settings(std::shared_ptr<const Entry> entry) {
  for (bool done = false; !done;) {
    const IndexState* index = context_.log.catalogue().by_incarnation(entry->incarnation);
    if (index == nullptr) co_return Result<void>();
    const Position version = index->settings_version;
    MIROIR_CO_TRY(const Without without, co_await settings_without_failed(*index));
    if (!without.settings) co_return Result<void>();
    const auto appended = co_await context_.log.append(
        [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
          std::vector<Entry> entries;
          const IndexState* now = catalogue.by_incarnation(entry->incarnation);
          done = now == nullptr || now->settings_version == version;
          if (!done || now == nullptr || now->settings == *without.settings) return entries;
          Entry back = settings_entry(*now, *without.settings, without.given);
          Json positions = Json::array();
          for (const Position failed : without.failed) positions.push_back(failed);
          back.arguments.set("without", std::move(positions));
          back.arguments.set("previous", version);
          entries.push_back(std::move(back));
          return entries;
        },
        WhenFull::kTake);
    if (!appended) co_return std::unexpected(appended.error());
    if (!done)
      co_await context_.clock.sleep_for(kInsistDelay);  // until what stands in line is there
  }
  co_return Result<void>();
}

// From the oldest of the kept changes that failed.
Async<Result<TakeBack::Without>> TakeBack::settings_without_failed(IndexState index) {
  std::vector<std::shared_ptr<const Entry>> versions;  // newest first
  Without without;
  for (Position next = index.settings_version; next != 0;) {
    MIROIR_CO_TRY(auto version, co_await kept_entry(context_.log, next));
    if (version == nullptr || version->kind != EntryKind::kUpdateSettings ||
        version->incarnation != index.incarnation)
      break;
    add_taken_back(*version, without.failed);
    next = previous_of(*version);
    versions.push_back(std::move(version));
  }
  for (const std::shared_ptr<const Entry>& version : std::views::reverse(versions)) {
    const Json* change = version->arguments.find("change");
    if (change == nullptr) continue;
    MIROIR_CO_TRY(const auto failures,
                  co_await EntryFailures::of(context_.log, context_.cluster, version->position));
    if (failures.everywhere()) without.failed.insert(version->position);
    const bool counts = !without.failed.contains(version->position);
    if (!counts && !without.settings) without.settings = *version->arguments.find("before");
    if (!without.settings) continue;
    without.given = merge_settings(without.given, *version->arguments.find("clientSettings"));
    if (counts) make(*without.settings, *change);
  }
  co_return without;
}

}  // namespace miroir
