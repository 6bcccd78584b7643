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

// What nobody wrote into; but nodes may have been given it, by the reconciler.
Entry drop_of(const IndexState& index) {
  return system_entry(EntryKind::kDropIndex, index, Json());
}

void make(Json& settings, const Json& change) {
  settings = change.is_null() ? Json::object() : merge_settings(settings, change);
}

const std::string* text_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_string() ? &value->as_string() : nullptr;
}

}  // namespace

Async<Result<void>> TakeBack::of(std::shared_ptr<const Entry> entry) {
  if (entry->kind == EntryKind::kUpdateSettings) co_return co_await settings(std::move(entry));
  for (Named& named : named_by(*entry)) MIROIR_CO_CHECK(co_await names(entry, std::move(named)));
  co_return Result<void>();
}

std::vector<TakeBack::Named> TakeBack::named_by(const Entry& entry) {
  const auto number = [](const Json* value) { return value == nullptr ? 0 : value->as_uint64(); };
  Named named{.index = entry.incarnation, .other = 0, .before = ""};
  if (entry.kind == EntryKind::kCreateIndex) return {named};
  if (entry.kind == EntryKind::kUpdateIndex) {
    const std::string* uid = text_of(entry.arguments, "newUid");
    if (uid == nullptr || *uid == entry.index_uid) return {};
    named.before = entry.index_uid;
    named.settings = number(entry.arguments.find("settingsVersion"));
    return {named};
  }
  std::vector<Named> pairs;
  if (entry.kind != EntryKind::kSwapIndexes || !entry.arguments.is_array()) return pairs;
  for (const Json& swap : entry.arguments.as_array()) {
    const Json* uids = swap.find("indexes");
    const Json* incarnations = swap.find("incarnations");
    const Json* versions = swap.find("settingsVersions");
    if (uids == nullptr || incarnations == nullptr || versions == nullptr) continue;
    named.index = number(&incarnations->as_array()[0]);
    named.other = number(&incarnations->as_array()[1]);
    named.before = uids->as_array()[0].as_string();
    named.settings = number(&versions->as_array()[0]);
    named.others_settings = number(&versions->as_array()[1]);
    pairs.push_back(named);
  }
  return pairs;
}

Async<Result<void>> TakeBack::names(std::shared_ptr<const Entry> entry, Named named) {
  const bool swapped = named.other != 0;
  for (bool done = false; !done;) {
    std::map<Position, Around> settings;
    std::vector<IndexState> seen;
    const IndexState* in_its_place = context_.log.catalogue().index(named.before);
    Position other = named.other;
    if (!swapped && in_its_place != nullptr) other = in_its_place->incarnation;
    for (const auto& [incarnation, version] :
         {std::pair(named.index, named.settings), std::pair(other, named.others_settings)}) {
      const IndexState* index = context_.log.catalogue().by_incarnation(incarnation);
      if (index == nullptr) {
        MIROIR_CO_TRY(settings[incarnation].before, co_await settings_of(version));
        continue;
      }
      seen.push_back(*index);
      MIROIR_CO_TRY(settings[incarnation], co_await settings_around(seen.back(), entry->position));
    }
    MIROIR_CO_TRY(const Since since, co_await done_since(named, entry->position));
    const auto appended = co_await context_.log.append(
        [&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
          done = std::ranges::all_of(seen, [&](const IndexState& before) {
            const IndexState* now = catalogue.by_incarnation(before.incarnation);
            return now != nullptr && now->settings_version == before.settings_version &&
                   (since.written || swapped || now->updated_at == before.updated_at);
          });
          const IndexState* now_there = catalogue.index(named.before);
          done = done && (swapped || other == (now_there == nullptr ? 0 : now_there->incarnation));
          if (!done) return std::vector<Entry>();
          return entries_for(*entry, since, named, catalogue, next, settings);
        },
        WhenFull::kTake);
    if (!appended) co_return std::unexpected(appended.error());
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
      if (entry->born_failed || entry->target) continue;
      const bool documents =
          entry->kind == EntryKind::kWriteDocuments || entry->kind == EntryKind::kMergeDocuments;
      const bool settings = entry->kind == EntryKind::kUpdateSettings &&
                            entry->origin == Origin::kClient;  // others come with its birth
      since.written |= entry->incarnation == named.index && (documents || settings);
      since.dropped |= entry->kind == EntryKind::kDropIndex && entry->index_uid == named.before;
    }
    position = page.back()->position;
  }
}

Result<std::vector<Entry>> TakeBack::entries_for(const Entry& failed, Since since,
                                                 const Named& named, const Catalogue& catalogue,
                                                 Position next,
                                                 const std::map<Position, Around>& settings) const {
  const IndexState* index = catalogue.by_incarnation(named.index);
  const IndexState* other = catalogue.by_incarnation(named.other);
  const bool swapped = named.other != 0;
  if (index == nullptr && !swapped) {
    if (since.dropped) return std::vector<Entry>();
    return entries_for_dropped(failed, named, catalogue, settings);
  }
  const bool one_dropped = swapped && (index == nullptr) != (other == nullptr);
  Position gone = named.other;
  if (index == nullptr) {
    gone = named.index;
    std::swap(index, other);
  }
  if (index == nullptr || index->taken_back >= failed.position) return std::vector<Entry>();
  if (one_dropped) {
    Json made = settings.at(gone).before;
    for (const Json& change : settings.at(index->incarnation).changes) make(made, change);
    return adoption_of(*index, made, merge_settings(index->settings, made));
  }

  const bool untouched = !since.written && index->named_at == failed.position;
  if (named.before.empty()) {
    // What clients wrote into it, or made of its settings, made it.
    if (!untouched) return std::vector<Entry>();
    return std::vector{drop_of(*index)};
  }
  Entry back = system_entry(EntryKind::kTakeBack, *index,
                            Json::object({{"entry", failed.position}, {"stamp", failed.stamp}}));
  back.position = next;
  if (!swapped && since.dropped) {
    // With all that was to be renamed: there is only what was written under the new name.
    if (untouched) return std::vector{drop_of(*index)};
    Json made = Json::object();
    for (const Json& change : settings.at(index->incarnation).changes) make(made, change);
    return adoption_of(*index, made, merge_settings(index->settings, made));
  }
  if (!swapped) other = catalogue.index(named.before);
  if (!swapped && untouched && other == nullptr) {
    back.arguments.set("rename", named.before);
    IndexState stray = *index;
    stray.incarnation = 0;
    return std::vector{std::move(back), drop_of(stray)};
  }
  back.arguments.set("exchange", other == nullptr ? named.before : other->uid);

  Catalogue after = catalogue;
  after.apply(back);
  std::vector<Entry> entries;
  const Around none;
  const auto around = [&](const IndexState* which) -> const Around& {
    const auto found = which == nullptr ? settings.end() : settings.find(which->incarnation);
    return found == settings.end() ? none : found->second;
  };
  const auto give = [&](const std::string& uid, const Around& past, const Around& since) {
    Json made = past.before;
    for (const Json& change : since.changes) make(made, change);
    const Json given = merge_settings(merge_settings(past.after(), since.after()), made);
    entries.push_back(settings_entry(*after.index(uid), made, given));
  };
  give(back.arguments.find("exchange")->as_string(), around(index), around(other));
  if (!swapped && untouched) {
    entries.push_back(drop_of(*index));
  } else {
    give(index->uid, around(other), around(index));
  }
  entries.insert(entries.begin(), std::move(back));
  return entries;
}

// What got the new name was dropped since: what should have got it is still there.
std::vector<Entry> TakeBack::entries_for_dropped(const Entry& failed, const Named& named,
                                                 const Catalogue& catalogue,
                                                 const std::map<Position, Around>& settings) {
  if (named.before.empty() || catalogue.index(named.before) != nullptr) return {};
  IndexState index;
  index.uid = named.before;
  if (!failed.primary_key.empty()) index.primary_key = failed.primary_key;
  const Json& made = settings.at(named.index).before;
  return adoption_of(std::move(index), made, made);
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
  Around around{.before = index.settings, .changes = {}};
  std::set<Position> failed;
  for (Position next = index.settings_version; next > position;) {
    MIROIR_CO_TRY(const auto version, co_await kept_entry(context_.log, next));
    if (version == nullptr || version->kind != EntryKind::kUpdateSettings) break;
    if (const Json* taken_back = version->arguments.find("without"))
      for (const Json& each : taken_back->as_array()) failed.insert(each.as_uint64());
    if (const Json* before = version->arguments.find("before")) around.before = *before;
    const Json* change = version->arguments.find("change");
    if (change != nullptr && !failed.contains(next)) around.changes.push_back(*change);
    const Json* previous = version->arguments.find("previous");
    next = previous == nullptr ? 0 : previous->as_uint64();
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
    if (const Json* taken_back = version->arguments.find("without"))
      for (const Json& each : taken_back->as_array()) without.failed.insert(each.as_uint64());
    const Json* previous = version->arguments.find("previous");
    next = previous == nullptr ? 0 : previous->as_uint64();
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
    if (counts)
      without.settings =
          change->is_null() ? Json::object() : merge_settings(*without.settings, *change);
  }
  co_return without;
}

}  // namespace miroir
