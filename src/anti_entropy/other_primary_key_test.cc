// An index that somebody made anew on one node, with another primary key.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class OtherPrimaryKeyTest : public ReconcilerTest {
 protected:
  // By tasks of his own.
  void make_anew(const std::vector<Json>& documents) {
    enqueue(DropIndex{kIndex});
    enqueue(CreateIndex{kIndex, "isbn"});
    for (const Json& document : documents) put(document);
    b0().settle();
    ASSERT_EQ(index().primary_key, "isbn");
  }
  void put(const Json& document) {
    enqueue(WriteDocuments{
        .index_uid = kIndex, .primary_key = "isbn", .ndjson = to_text(document) + "\n"});
  }
  void enqueue(NodeWrite write) { ASSERT_TRUE(b0().enqueue(std::move(write), std::nullopt, "")); }
  SimulatedNode& b0() { return node("b0"); }
  const SimulatedNode::Index& index() { return b0().disk().indexes.at(kIndex); }
  Json row() {
    for (const Json& one : repairs().as_array())
      if (member(one, "id").is_null() && member(one, "reason") != Json("settings")) return one;
    ADD_FAILURE() << to_text(repairs());
    return Json::object();
  }
  void expect_whole() {
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
    EXPECT_EQ(index().primary_key, "id");
    EXPECT_EQ(index().settings, node("a0").disk().indexes.at(kIndex).settings);
    expect_groups_equal();
    EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kInSync);
    EXPECT_TRUE(world.log().index_taints().empty());
  }
  const Json book_ = Json::object({{"isbn", "b"}, {"title", "a stranger's"}});
};

TEST_F(OtherPrimaryKeyTest, IsSetRightWhereTheIndexIsEmptyAndTheDocumentsAreBack) {
  run_pass(PassKind::kLight);  // learns how settings are read back
  make_anew({});
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(row(), "reason"), Json("primary_key_other"));
  EXPECT_EQ(member(row(), "outcome"), Json("primary key set, verified"));
  EXPECT_EQ(member(row(), "repaired"), Json(true));
  expect_whole();
}

TEST_F(OtherPrimaryKeyTest, IsReportedWithDocumentsUnderItUntilSomebodyDropsThem) {
  make_anew({book_});
  write(0, 20, "fails there");
  for (const ForeignDocuments policy :
       {ForeignDocuments::kReport, ForeignDocuments::kAdopt, ForeignDocuments::kRemove}) {
    stop_reconciler();
    options.foreign_documents = policy;
    start_reconciler();
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(member(light, "clean"), Json(false));
    EXPECT_NE(to_text(light).find("has the primary key `isbn` instead of `id`, and documents"),
              std::string::npos)
        << to_text(light);
    EXPECT_EQ(b0().documents(kIndex).size(), 1U);
    EXPECT_EQ(member(row(), "reason"), Json("documents_unknown"));
  }
  enqueue(DropIndex{kIndex});
  b0().settle();
  run_pass(PassKind::kLight);
  expect_whole();
}

// The node refuses the key that it is given.
TEST_F(OtherPrimaryKeyTest, DocumentsThatComeInBetweenStayAndNothingElseStands) {
  make_anew({});
  b0().fail_tasks([this](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "indexUpdate") b0().write_directly(kIndex, "b", book_);
    return std::nullopt;
  });
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(row(), "reason"), Json("primary_key_other"));
  EXPECT_EQ(member(row(), "repaired"), Json(false));
  const std::string outcome = member(row(), "outcome").as_string();
  EXPECT_TRUE(outcome.contains("still differs") && outcome.contains("already has a primary key"))
      << outcome;
  EXPECT_EQ(b0().documents(kIndex).size(), 1U);
  EXPECT_TRUE(world.log().index_taints().empty());
  b0().fail_tasks({});
  write(0, 20, "others take it");
  run_pass(PassKind::kLight);
  EXPECT_EQ(b0().documents(kIndex).size(), 1U) << "no taint makes it another's";
  enqueue(ClearDocuments{kIndex});
  b0().settle();
  run_pass(PassKind::kLight);
  expect_whole();
}

// What clients do to the index meanwhile fails there, which puts all of it in doubt.
TEST_F(OtherPrimaryKeyTest, DocumentsOfStrangersStayThoughTheIndexIsInDoubt) {
  make_anew({book_});
  b0().fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    return task.type == "settingsUpdate" ? std::optional<std::string>("internal") : std::nullopt;
  });
  set_settings(Json::object({{"stopWords", Json::array({"b"})}}));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  b0().fail_tasks({});
  ASSERT_EQ(world.log().index_taints().size(), 1U);
  run_pass(PassKind::kLight);
  EXPECT_EQ(b0().documents(kIndex).size(), 1U);
  enqueue(DropIndex{kIndex});
  b0().settle();
  run_pass(PassKind::kLight);
  expect_whole();
}

// A swap failed here, and may yet have failed everywhere: then each is what it was.
TEST_F(OtherPrimaryKeyTest, OfAnIndexThatMayBeAnotherIsNotChanged) {
  Entry birth;
  birth.kind = EntryKind::kCreateIndex;
  birth.index_uid = "notes";
  birth.arguments = Json::object({{"primaryKey", "isbn"}});
  world.append(std::move(birth));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (auto& [name, each] : world.nodes) {
    each->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      return task.type == "indexSwap" ? std::optional<std::string>("internal") : std::nullopt;
    });
    if (name != "b0") each->options().down = true;
  }
  world.swap_indexes(kIndex, "notes");
  ASSERT_TRUE(world.run_until([&] { return !world.log().index_taints().empty(); }));
  run_pass(PassKind::kLight);
  EXPECT_EQ(b0().disk().indexes.at("notes").primary_key, "isbn") << to_text(repairs());
  for (const Json& one : repairs().as_array())
    EXPECT_EQ(member(one, "reason"), Json("index_kept")) << "nobody is told to drop it";

  for (auto& [name, each] : world.nodes) each->options().down = false;
  ASSERT_TRUE(world.run_until([&] {
    return world.all_done() && world.log().catalogue().index("notes")->primary_key == "isbn";
  }));
  run_pass(PassKind::kLight);
  EXPECT_EQ(b0().disk().indexes.at("notes").primary_key, "isbn");
  expect_whole();
}

}  // namespace
}  // namespace miroir
