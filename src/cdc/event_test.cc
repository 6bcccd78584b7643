#include "cdc/event.h"

#include <gtest/gtest.h>

namespace miroir::cdc {
namespace {

Entry entry_of(EntryKind kind, Origin origin = Origin::kClient) {
  Entry entry;
  entry.position = 12;
  entry.stamp = 1'767'225'600'000'000;
  entry.kind = kind;
  entry.origin = origin;
  entry.index_uid = "books";
  return entry;
}

Json event(const Entry& entry, std::uint64_t number, const BodyRecord* record, bool body) {
  std::string text;
  append_event(text, entry, number, record, body);
  return parse_json(text).value();
}

TEST(EventTest, OnlyWhatClientsChangedIsAnEventUnlessASettingSaysSo) {
  const Verdict event = Verdict::kEvents;
  const Verdict suppressed = Verdict::kSuppressed;
  CdcOptions ttl;
  ttl.emit_ttl_deletes = true;
  CdcOptions internal;
  internal.emit_internal_writes = true;
  const auto verdicts = [&](Origin origin) {
    const Entry entry = entry_of(EntryKind::kDeleteDocuments, origin);
    return std::vector{judge(entry, {}), judge(entry, ttl), judge(entry, internal)};
  };
  EXPECT_EQ(verdicts(Origin::kClient), (std::vector{event, event, event}));
  EXPECT_EQ(verdicts(Origin::kAntiEntropy), (std::vector{suppressed, suppressed, suppressed}));
  EXPECT_EQ(verdicts(Origin::kTtlExpire), (std::vector{suppressed, event, suppressed}));
  EXPECT_EQ(verdicts(Origin::kMove), (std::vector{suppressed, suppressed, event}));
  EXPECT_EQ(verdicts(Origin::kSystem), (std::vector{suppressed, suppressed, event}));
}

TEST(EventTest, WhatChangesNoIndexOrNeverHappenedIsNothing) {
  CdcOptions all;
  all.emit_internal_writes = true;
  for (const EntryKind kind :
       {EntryKind::kPutKey, EntryKind::kDeleteKey, EntryKind::kForgetNodeTasks,
        EntryKind::kTaskOperation, EntryKind::kDeleteByFilter}) {
    EXPECT_EQ(judge(entry_of(kind), all), Verdict::kNothing) << name(kind);
    EXPECT_EQ(judge(entry_of(kind, Origin::kSystem), all), Verdict::kNothing) << name(kind);
  }
  Entry failed = entry_of(EntryKind::kWriteDocuments);
  failed.born_failed = meili::api_error("invalid_document_id", "no");
  EXPECT_EQ(judge(failed, all), Verdict::kNothing);
}

TEST(EventTest, DocumentsAreToldWithTheirIdAndOnlyWritesWithTheirBody) {
  const BodyRecord record{7, 0, "a\"1", R"({"id":"a\"1","n":1.0})"};
  const Entry write = entry_of(EntryKind::kWriteDocuments);
  EXPECT_EQ(event(write, 3, &record, true),
            parse_json(R"({"cursor":"12-3","position":12,"stamp":1767225600000000,)"
                       R"("origin":"client","index":"books","kind":"write","id":"a\"1",)"
                       R"("body":{"id":"a\"1","n":1.0}})")
                .value());
  EXPECT_EQ(event(write, 3, &record, false).find("body"), nullptr);
  EXPECT_EQ(*event(entry_of(EntryKind::kMergeDocuments), 0, &record, true).find("kind"),
            Json("merge"));
  const BodyRecord removed{7, 0, "1", ""};
  const Json its =
      event(entry_of(EntryKind::kDeleteDocuments, Origin::kTtlExpire), 0, &removed, true);
  EXPECT_EQ(*its.find("kind"), Json("delete"));
  EXPECT_EQ(*its.find("origin"), Json("ttl_expire"));
  EXPECT_EQ(its.find("body"), nullptr);
  // A copy as a node holds it, stored fields included.
  EXPECT_EQ(
      event(entry_of(EntryKind::kRepairDocuments, Origin::kMove), 0, &record, true).find("body"),
      nullptr);
}

TEST(EventTest, IndexesAreToldOnceAndSettingsWithoutWhatTheyAre) {
  Entry renamed = entry_of(EntryKind::kUpdateIndex);
  renamed.arguments = parse_json(R"({"primaryKey":null,"newUid":"novels"})").value();
  const Json its = event(renamed, 0, nullptr, true);
  EXPECT_EQ(*its.find("cursor"), Json("12"));
  EXPECT_EQ(*its.find("details"), renamed.arguments);
  renamed.arguments.set("settingsVersion", 3);
  EXPECT_EQ(*event(renamed, 0, nullptr, true).find("details"), *its.find("details"));
  EXPECT_EQ(its.find("id"), nullptr);

  Entry settings = entry_of(EntryKind::kUpdateSettings);
  settings.arguments = parse_json(R"({"settings":{"embedders":{"e":{"apiKey":"k"}}}})").value();
  const Json told = event(settings, 0, nullptr, true);
  EXPECT_EQ(*told.find("kind"), Json("updateSettings"));
  EXPECT_EQ(to_text(told).find("apiKey"), std::string::npos);
}

TEST(EventTest, RenamesAndSwapsTouchEveryIndexThatTheyName) {
  Entry renamed = entry_of(EntryKind::kUpdateIndex);
  renamed.arguments = parse_json(R"({"primaryKey":null,"newUid":"novels"})").value();
  Entry swap = entry_of(EntryKind::kSwapIndexes);
  swap.index_uid.clear();
  swap.arguments = parse_json(R"([{"indexes":["a","b"]},{"indexes":["c","d"]}])").value();
  const Json asked_for = swap.arguments;
  for (Json& pair : swap.arguments.as_array()) {
    pair.set("incarnations", Json::array({1, 2}));
    pair.set("settingsVersions", Json::array({3, 4}));
    pair.set("primaryKeys", Json::array({"id", nullptr}));
  }
  for (const char* index : {"", "books", "novels"}) EXPECT_TRUE(touches(renamed, index)) << index;
  for (const char* index : {"", "a", "b", "c", "d"}) EXPECT_TRUE(touches(swap, index)) << index;
  EXPECT_FALSE(touches(renamed, "a"));
  EXPECT_FALSE(touches(swap, "books"));
  EXPECT_EQ(*event(swap, 0, nullptr, true).find("index"), Json());
  EXPECT_EQ(*event(swap, 0, nullptr, true).find("details"), asked_for);
}

}  // namespace
}  // namespace miroir::cdc
