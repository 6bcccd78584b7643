// An index that somebody made anew on one node, with another primary key.
#include "anti_entropy/reconciler_fake.h"
#include "node_api/document_filter.h"
#include "node_api/simulated_reads_fake.h"

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
  void make_notes() {
    Entry birth;
    birth.kind = EntryKind::kCreateIndex;
    birth.index_uid = "notes";
    birth.arguments = Json::object({{"primaryKey", "isbn"}});
    world.append(std::move(birth));
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
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
  make_notes();
  world.fail_tasks({"indexSwap"});
  for (auto& [name, each] : world.nodes) {
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

// A swap failed on b0 alone: what has the name there is the other, with its documents and another
// primary key.
class SwappedPrimaryKeyTest : public OtherPrimaryKeyTest {
 protected:
  void fail_swap() {
    make_notes();
    world.fail_tasks({"indexSwap"}, "b0");
    world.swap_indexes(kIndex, "notes");
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    b0().fail_tasks({});
    ASSERT_EQ(index().primary_key, "id");
    ASSERT_EQ(world.log().catalogue().index(kIndex)->primary_key, "isbn");
  }
  Json row_of_index() {
    for (const Json& one : repairs().as_array()) {
      const bool is_its = member(one, "id").is_null() && one.find("index") != nullptr &&
                          member(one, "index") == Json(kIndex) && member(one, "node") == Json("b0");
      if (is_its && member(one, "reason") != Json("settings")) return one;
    }
    ADD_FAILURE() << to_text(repairs());
    return Json::object();
  }
  void expect_theirs_stay(const std::string& id) {
    EXPECT_TRUE(b0().documents(kIndex).contains(id)) << to_text(row_of_index());
    const Json pass = run_pass(PassKind::kLight);
    EXPECT_NE(to_text(pass).find("has the primary key `id` instead of `isbn`, and documents"),
              std::string::npos)
        << to_text(pass);
    EXPECT_TRUE(b0().documents(kIndex).contains(id));
    EXPECT_EQ(member(row_of_index(), "reason"), Json("documents_unknown"));
  }
  // A light pass; `then` as soon as it has appended what it is to send.
  void pass_and_once_appended(const std::function<void()>& then) {
    const Position before = world.log().head();
    const std::uint64_t order = reconciler->start(PassKind::kLight, std::nullopt).value();
    ASSERT_TRUE(world.run_until([&] { return world.log().head() > before; }));
    ASSERT_EQ(index().primary_key, "id");
    then();
    ASSERT_TRUE(world.run_until([&] {
      const Json pass = member(reconciler->status(), "lastLight");
      return !pass.is_null() && number(pass, "pass") == order;
    }));
  }
  const Json theirs_ = Json::object({{"id", "theirs"}});
};

TEST_F(SwappedPrimaryKeyTest, IsDroppedAndMadeAnewAndNotReadForThat) {
  fail_swap();
  std::size_t most = 0;
  world.before_documents = [&](const std::string& node, const DocumentQuery& query) {
    const bool of_this = node == "b0" && query.index_uid == kIndex && index().primary_key == "id";
    if (of_this) most = std::max(most, query.limit);
  };
  run_pass(PassKind::kLight);
  EXPECT_LE(most, 1U);
  EXPECT_EQ(member(row_of_index(), "reason"), Json("index_other"));
  EXPECT_EQ(member(row_of_index(), "outcome"), Json("dropped and made anew, verified"));
  EXPECT_EQ(index().primary_key, "isbn");
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(SwappedPrimaryKeyTest, ADocumentOfAStrangerIsSeenWhateverIsDeletedMeanwhile) {
  write(0, 2'500, "more than a page of them on each node");
  fail_swap();
  std::vector<std::string> ids;
  for (const auto& [id, text] : b0().documents(kIndex)) ids.push_back(id);
  ASSERT_GT(ids.size(), 1'050U);
  const std::string theirs = ids[999] + "a";  // the first of the second page
  b0().write_directly(kIndex, theirs, Json::object({{"id", theirs}}));
  std::size_t asked = 0;
  world.before_documents = [&](const std::string& node, const DocumentQuery& query) {
    if (node == "b0" && query.index_uid == kIndex && ++asked == 2)
      b0().delete_directly(kIndex, ids.front());
  };
  run_pass(PassKind::kLight);
  EXPECT_GE(asked, 2U);
  expect_theirs_stay(theirs);
}

TEST_F(SwappedPrimaryKeyTest, WhatAStrangerWritesBeforeItIsDroppedStays) {
  fail_swap();
  pass_and_once_appended([&] { b0().write_directly(kIndex, "theirs", theirs_); });
  const std::string outcome = member(row_of_index(), "outcome").as_string();
  EXPECT_TRUE(outcome.contains("still differs") && outcome.contains("without a stamp")) << outcome;
  expect_theirs_stay("theirs");
}

TEST_F(SwappedPrimaryKeyTest, WhatWaitsOnTheNodeWhenItIsToBeDroppedStays) {
  fail_swap();
  pass_and_once_appended([&] {
    enqueue(WriteDocuments{
        .index_uid = kIndex, .primary_key = "id", .ndjson = to_text(theirs_) + "\n"});
  });
  b0().settle();
  expect_theirs_stay("theirs");
}

// Snapshots, dumps and deletions of tasks do not wait for their turn.
TEST_F(SwappedPrimaryKeyTest, WhatWaitsOnTheNodeBeforeATaskThatHasEndedStays) {
  fail_swap();
  pass_and_once_appended([&] {
    b0().options().automatic = false;
    enqueue(WriteDocuments{
        .index_uid = kIndex, .primary_key = "id", .ndjson = to_text(theirs_) + "\n"});
    b0().make_task("snapshotCreation");
    world.run_for(Seconds(10));
    b0().options().automatic = true;
  });
  expect_theirs_stay("theirs");
}

TEST_F(SwappedPrimaryKeyTest, TheLaneDoesNotWaitUntilTheNodeTellsWhatWouldBeDropped) {
  fail_swap();
  bool refuse = false;
  world.answer_documents = [&](const std::string& name,
                               const DocumentQuery& query) -> Result<DocumentPage> {
    if (refuse && name == "b0" && query.index_uid == kIndex)
      return fail(ErrorCode::kUnavailable, "internal");
    return simulated_documents(node(name), query);
  };
  pass_and_once_appended([&] { refuse = true; });
  world.create_index("others");
  EXPECT_TRUE(world.run_until([&] { return world.all_done(); }));
  refuse = false;
  run_pass(PassKind::kLight);
  EXPECT_EQ(index().primary_key, "isbn");
}

TEST_F(SwappedPrimaryKeyTest, OfWhichTheNodeCannotTellWhoseDocumentsItHoldsIsNotDropped) {
  fail_swap();
  bool refuse = true;
  world.answer_documents = [&](const std::string& name,
                               const DocumentQuery& query) -> Result<DocumentPage> {
    if (refuse && name == "b0" && query.index_uid == kIndex && document_filter(query))
      return fail(ErrorCode::kInvalid, "invalid_document_filter: `_miroir_…` is not filterable");
    return simulated_documents(node(name), query);
  };
  const std::size_t held = index().documents.size();
  const Json pass = run_pass(PassKind::kLight);
  EXPECT_EQ(member(row_of_index(), "reason"), Json("documents_unknown"));
  EXPECT_EQ(index().documents.size(), held);
  refuse = false;  // it was given its settings again
  run_pass(PassKind::kLight);
  EXPECT_EQ(index().primary_key, "isbn");
}

}  // namespace
}  // namespace miroir
