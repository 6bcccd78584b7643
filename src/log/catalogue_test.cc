#include "log/catalogue.h"

#include <gtest/gtest.h>

#include "log/log_process_fake.h"

namespace miroir {
namespace {

class CatalogueTest : public testing::Test {
 protected:
  void apply(Entry entry) {
    entry.position = ++position_;
    entry.stamp = 1'000 + position_;
    catalogue_.apply(entry);
  }
  void create(const std::string& uid) { apply(plain_entry(EntryKind::kCreateIndex, uid)); }
  Position change_key(const std::string& uid, const std::string& key) {
    apply(plain_entry(EntryKind::kUpdateIndex, uid,
                      Json::object({{"primaryKey", key}, {"newUid", nullptr}})));
    return position_;
  }
  void take_key_back(const std::string& uid, Position change) {
    Entry back = plain_entry(EntryKind::kTakeBack, uid, Json::object({{"key", change}}));
    back.incarnation = incarnation(uid);
    apply(back);
  }
  static Json pair(const char* first, const char* second, bool rename = false) {
    return Json::object({{"indexes", Json::array({first, second})}, {"rename", rename}});
  }
  Position incarnation(const std::string& uid) const {
    const IndexState* index = catalogue_.index(uid);
    return index == nullptr ? 0 : index->incarnation;
  }

  Catalogue catalogue_;
  Position position_ = 0;
};

TEST_F(CatalogueTest, BirthIsTheIndexsIdentity) {
  create("a");
  ASSERT_NE(catalogue_.index("a"), nullptr);
  EXPECT_EQ(catalogue_.index("a")->incarnation, 1);
  EXPECT_EQ(catalogue_.index("a")->born, 1'001);
  EXPECT_EQ(catalogue_.by_incarnation(1), catalogue_.index("a"));
  apply(plain_entry(EntryKind::kDropIndex, "a"));
  EXPECT_EQ(catalogue_.index("a"), nullptr);
  create("a");
  EXPECT_EQ(catalogue_.index("a")->incarnation, 3);
  EXPECT_EQ(catalogue_.by_incarnation(1), nullptr);
}

TEST_F(CatalogueTest, BornFailedChangesNothing) {
  create("a");
  const std::string before = describe(catalogue_);
  Entry drop = plain_entry(EntryKind::kDropIndex, "a");
  drop.born_failed = meili::api_error("index_not_found", "no");
  apply(drop);
  EXPECT_EQ(describe(catalogue_), before);
}

TEST_F(CatalogueTest, SwapsOfSeveralPairsAndRenames) {
  for (const char* uid : {"a", "b", "c", "d", "e"}) create(uid);
  apply(plain_entry(EntryKind::kSwapIndexes, "",
                    Json::array({pair("a", "b"), pair("c", "d"), pair("e", "f", true)})));
  EXPECT_EQ(incarnation("a"), 2);
  EXPECT_EQ(incarnation("b"), 1);
  EXPECT_EQ(incarnation("c"), 4);
  EXPECT_EQ(incarnation("d"), 3);
  EXPECT_EQ(incarnation("e"), 0);
  EXPECT_EQ(incarnation("f"), 5);
  EXPECT_EQ(catalogue_.index("a")->uid, "a");
  EXPECT_EQ(catalogue_.index("f")->uid, "f");
}

TEST_F(CatalogueTest, IndexThatHadAnotherNameInBetweenIsNotStillWhatItWas) {
  for (const char* uid : {"a", "b", "c"}) create(uid);
  const IndexState a = *catalogue_.index("a");
  const IndexState c = *catalogue_.index("c");
  const auto swap = plain_entry(EntryKind::kSwapIndexes, "", Json::array({pair("a", "b")}));
  apply(swap);
  apply(swap);
  EXPECT_EQ(incarnation("a"), 1);
  EXPECT_FALSE(catalogue_.index("a")->is_still(a));
  EXPECT_TRUE(catalogue_.index("c")->is_still(c));
  for (const auto& [from, to] : {std::pair("c", "d"), std::pair("d", "c")})
    apply(plain_entry(EntryKind::kUpdateIndex, from,
                      Json::object({{"primaryKey", nullptr}, {"newUid", to}})));
  EXPECT_EQ(incarnation("c"), 3);
  EXPECT_FALSE(catalogue_.index("c")->is_still(c));
}

TEST_F(CatalogueTest, UpdateSetsThePrimaryKeyAndRenames) {
  create("a");
  apply(plain_entry(EntryKind::kUpdateIndex, "a",
                    Json::object({{"primaryKey", "isbn"}, {"newUid", "z"}})));
  EXPECT_EQ(catalogue_.index("a"), nullptr);
  ASSERT_NE(catalogue_.index("z"), nullptr);
  EXPECT_EQ(catalogue_.index("z")->primary_key, "isbn");
  EXPECT_EQ(catalogue_.index("z")->incarnation, 1);
  apply(plain_entry(EntryKind::kUpdateIndex, "z",
                    Json::object({{"primaryKey", nullptr}, {"newUid", nullptr}})));
  EXPECT_EQ(catalogue_.index("z")->primary_key, "isbn");
}

// Each is taken back on its own, in whatever order it is known of them that they failed, and twice.
TEST_F(CatalogueTest, OfAPrimaryKeyThatFailedEverywhereTheOneBeforeCounts) {
  Entry create = plain_entry(EntryKind::kCreateIndex, "a", Json::object({{"primaryKey", "id"}}));
  apply(create);
  const Position sku = change_key("a", "sku");
  const Position isbn = change_key("a", "isbn");
  const Position same = change_key("a", "isbn");
  take_key_back("a", sku);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "isbn");
  take_key_back("a", isbn);
  take_key_back("a", isbn);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "isbn");
  take_key_back("a", same);
  take_key_back("a", sku);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "id");
}

TEST_F(CatalogueTest, DocumentsSinceAPrimaryKeyThatFailedToldItWhereThereWasNone) {
  for (const char* uid : {"a", "b"}) create(uid);
  for (const char* uid : {"a", "b"}) {
    const Position change = change_key(uid, "sku");
    Entry settings = plain_entry(EntryKind::kUpdateSettings, uid, Json::object());
    Entry filter = plain_entry(EntryKind::kDeleteByFilter, uid);
    Entry write = plain_entry(EntryKind::kWriteDocuments, uid);
    settings.primary_key = filter.primary_key = write.primary_key = "sku";
    apply(settings);
    apply(filter);
    if (uid == std::string("b")) apply(write);
    take_key_back(uid, change);
  }
  EXPECT_EQ(catalogue_.index("a")->primary_key, std::nullopt);
  EXPECT_EQ(catalogue_.index("b")->primary_key, "sku");
}

TEST_F(CatalogueTest, PrimaryKeysOfASwapThatFailedAreChangedAndTakenBackByName) {
  for (const char* uid : {"a", "b"})
    apply(plain_entry(EntryKind::kCreateIndex, uid,
                      Json::object({{"primaryKey", "id of " + std::string(uid)}})));
  const Position before = change_key("a", "sku");
  apply(plain_entry(EntryKind::kSwapIndexes, "", Json::array({pair("a", "b")})));
  const Position failed = position_;
  const Position since = change_key("a", "isbn");
  Entry back = plain_entry(EntryKind::kTakeBack, "a",
                           Json::object({{"entry", failed}, {"exchange", "b"}, {"with", 1}}));
  back.incarnation = 2;
  apply(back);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "isbn");
  EXPECT_EQ(catalogue_.index("b")->primary_key, "id of b");
  take_key_back("a", since);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "sku");
  take_key_back("a", before);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "id of a");
  EXPECT_EQ(catalogue_.index("b")->primary_key, "id of b");
}

// On nodes it found the index that had the name before, and failed.
TEST_F(CatalogueTest, OfACreationBehindADropThatFailedThePrimaryKeyIsTheOneBefore) {
  const std::map<std::string, std::optional<std::string>> keys = {
      {"a", "id"}, {"b", "id"}, {"none", std::nullopt}, {"written", std::nullopt}};
  for (const auto& [uid, key] : keys) {
    apply(plain_entry(EntryKind::kCreateIndex, uid,
                      Json::object({{"primaryKey", key ? Json(*key) : Json()}})));
    const Position before = incarnation(uid);
    apply(plain_entry(EntryKind::kDropIndex, uid));
    const Position failed = position_;
    apply(plain_entry(EntryKind::kCreateIndex, uid, Json::object({{"primaryKey", "sku"}})));
    const Position birth = position_;
    const Position since = uid == "b" ? change_key(uid, "isbn") : 0;
    Entry write = plain_entry(EntryKind::kWriteDocuments, uid);
    write.primary_key = "sku";
    if (uid == "written") apply(write);
    Entry back = plain_entry(EntryKind::kTakeBack, uid,
                             Json::object({{"entry", failed}, {"exchange", uid}, {"with", birth}}));
    back.incarnation = before;
    apply(back);
    if (since != 0) {
      EXPECT_EQ(catalogue_.index(uid)->primary_key, "isbn");
      take_key_back(uid, since);
    }
    EXPECT_EQ(catalogue_.index(uid)->primary_key,
              uid == "written" ? std::optional<std::string>("sku") : key)
        << uid;
  }
}

TEST_F(CatalogueTest, FirstDocumentsGiveThePrimaryKey) {
  create("a");
  Entry write = plain_entry(EntryKind::kWriteDocuments, "a");
  write.primary_key = "id";
  apply(write);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "id");
  write.primary_key = "other";
  apply(write);
  EXPECT_EQ(catalogue_.index("a")->primary_key, "id");
}

TEST_F(CatalogueTest, SettingsAreTheClientsAfterTheChange) {
  create("a");
  apply(plain_entry(
      EntryKind::kUpdateSettings, "a",
      Json::object({{"clientSettings", Json::object({{"synonyms", Json::object()}})},
                    {"settings", Json::object({{"filterableAttributes", Json::array()}})}})));
  EXPECT_EQ(to_text(catalogue_.index("a")->settings), R"({"synonyms":{}})");
  EXPECT_EQ(catalogue_.index("a")->settings_version, 2);
}

TEST_F(CatalogueTest, ClearIsRememberedAndLaterIncarnationsKnowNothingOfIt) {
  create("a");
  Entry clear = plain_entry(EntryKind::kClearDocuments, "a");
  clear.incarnation = 1;
  apply(clear);
  ASSERT_EQ(catalogue_.index("a")->clears.size(), 1);
  EXPECT_EQ(catalogue_.index("a")->clears[0].position, 2);
  EXPECT_EQ(catalogue_.index("a")->clears[0].stamp, 1'002);
  apply(plain_entry(EntryKind::kDropIndex, "a"));
  create("a");
  apply(clear);  // judged against the index that is gone
  EXPECT_TRUE(catalogue_.index("a")->clears.empty());
}

TEST_F(CatalogueTest, RepairsLeaveNoTrace) {
  create("a");
  const std::string before = describe(catalogue_);
  for (const EntryKind kind : {EntryKind::kRepairDocuments, EntryKind::kDropIndex,
                               EntryKind::kClearDocuments, EntryKind::kUpdateSettings}) {
    Entry repair = plain_entry(kind, "a", Json::object());
    repair.target = "b1";
    apply(repair);
    EXPECT_EQ(describe(catalogue_), before) << name(kind);
  }
}

TEST_F(CatalogueTest, KeysComeAndGo) {
  apply(plain_entry(EntryKind::kPutKey, "", Json::object({{"uid", "k"}, {"name", "n"}})));
  ASSERT_NE(catalogue_.key("k"), nullptr);
  EXPECT_EQ(to_text(catalogue_.key("k")->key), R"({"uid":"k","name":"n"})");
  apply(plain_entry(EntryKind::kDeleteKey, "", Json::object({{"uid", "k"}})));
  EXPECT_EQ(catalogue_.key("k"), nullptr);
  EXPECT_TRUE(catalogue_.deleted_key("k"));
  apply(plain_entry(EntryKind::kPutKey, "", Json::object({{"uid", "k"}, {"name", "again"}})));
  EXPECT_FALSE(catalogue_.deleted_key("k"));
}

}  // namespace
}  // namespace miroir
