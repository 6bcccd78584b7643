// Whether a pass sees every document, wherever its stored fields say that it lies.
#include "anti_entropy/reconciler_fake.h"
#include "node_api/simulated_reads_fake.h"

namespace miroir {
namespace {

class CompleteScanTest : public ReconcilerTest {
 protected:
  void break_slot(SimulatedNode& where, const std::string& id, Json slot) {
    ASSERT_TRUE(where.corrupt(kIndex, id, std::string(kSlotField), std::move(slot)));
  }
  // Before and behind all slots, between two neighbours, too short, and no text at all.
  static std::vector<Json> malformed() {
    return {"zz",      "12345",  "", "!!!!!", "!!)!!!x", "!!5",
            "(]]]]]!", "ABCDEF", 7,  true,    Json(),    Json::array({"!!!!!!", "((((((", "zz"})};
  }
};

TEST_F(CompleteScanTest, CopyInNoSlotIsFoundAndReplaced) {
  int i = 0;
  for (const Json& slot : malformed()) {
    const std::string id = "id" + std::to_string(i++);
    const Json before = document(owner(id), id);
    break_slot(owner(id), id, slot);
    const Json deep = run_pass(PassKind::kDeep);
    EXPECT_EQ(number(deep, "repaired"), 1U) << to_text(slot) << to_text(deep);
    EXPECT_EQ(member(deep, "clean"), Json(true)) << to_text(slot) << to_text(deep);
    EXPECT_EQ(document(owner(id), id), before) << to_text(slot);
  }
}

TEST_F(CompleteScanTest, DocumentThatIsInNoSlotAnywhereIsReported) {
  int i = 0;
  for (const Json& slot : malformed()) {
    const std::string id = "id" + std::to_string(i++);
    for (const std::string& name : owners(id)) break_slot(node(name), id, slot);
    const Json deep = run_pass(PassKind::kDeep);
    EXPECT_EQ(number(deep, "unresolved"), 1U) << to_text(slot) << to_text(deep);
    EXPECT_EQ(member(deep, "clean"), Json(false));
    EXPECT_EQ(member(repair_of(id), "reason"), Json("no_good_copy"));
    write(i - 1, i, "written again");
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true)) << to_text(slot);
  }
}

TEST_F(CompleteScanTest, LightPassFindsWhatLiesOutsideOfAllSlots) {
  for (const std::string& name : owners("id3")) break_slot(node(name), "id3", "zz");
  EXPECT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 1U);
}

TEST_F(CompleteScanTest, LightPassTakesSoManyDocumentsThatLieInNoSlotAtATime) {
  std::size_t limit_max = 0;
  world.answer_documents = [&](const std::string& name, DocumentQuery query) {
    if (!query.unmarked || name != "a0") return simulated_documents(node(name), query);
    limit_max = std::max(limit_max, query.limit);
    DocumentPage page;
    page.total = 1'000'000;
    for (std::size_t i = 0; i < std::min<std::size_t>(query.limit, page.total); ++i)
      page.documents.push_back(R"({"id":"alien)" + std::to_string(i) + R"("})");
    return Result<DocumentPage>(std::move(page));
  };
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(limit_max, 10'001U);
  EXPECT_EQ(member(light, "clean"), Json(false));
  EXPECT_EQ(
      to_text(member(member(light, "indexes").as_array().at(0), "problems")),
      R"(["node a0: more than 10000 documents lie in no slot, or in another node's, or are older )"
      R"(than the index: some wait"])");
}

TEST_F(CompleteScanTest, ADryRunRemembersSoManyDocumentsAndSaysThatThereAreMore) {
  stop_reconciler();
  options.unresolved_max = 1'000;
  start_reconciler();
  write(200, 1'500, "many");
  for (const std::string name : {"b0", "b1"}) {
    for (const auto& [id, text] : node(name).documents(kIndex))
      node(name).delete_directly(kIndex, id);
  }
  std::set<std::string> read;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    read.insert(query.ids.begin(), query.ids.end());
  };
  const Json dry = run_pass(PassKind::kDeep, false);
  world.before_documents = nullptr;
  EXPECT_LT(read.size(), 1'100U) << "the others to no avail";
  EXPECT_GE(number(dry, "unresolved"), 1'000U);
  EXPECT_LT(number(dry, "unresolved"), 1'500U);
  EXPECT_EQ(to_text(member(member(dry, "indexes").as_array().at(0), "problems")),
            R"(["more documents differ and were not repaired than are known by id: )"
            R"(a deep pass finds the others"])");
  EXPECT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 1'500U);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(CompleteScanTest, CopyInNoSlotIsFoundByASweepOfSomeShardsAtATime) {
  stop_reconciler();
  options.shards_per_pass = 1;
  options.schedule = std::chrono::hours(1);
  start_reconciler();
  for (const std::string& name : owners("id3")) break_slot(node(name), "id3", "!!)!!!x");
  std::uint64_t unresolved = 0;
  for (std::uint32_t pass = 0; pass < world.topology().shard_count(); ++pass) {
    world.run_for(std::chrono::hours(1) + Seconds(60));
    unresolved =
        std::max(unresolved, number(member(reconciler->status(), "lastDeep"), "unresolved"));
  }
  EXPECT_EQ(unresolved, 1U);
}

TEST_F(CompleteScanTest, CopyInNoSlotIsDeletedWithTheDocument) {
  for (const Json& slot : malformed()) {
    write(0, 1, "again");
    const Json old = document(owner("id0"), "id0");
    world.remove(kIndex, {"id0"});
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    owner("id0").write_directly(kIndex, "id0", old);
    break_slot(owner("id0"), "id0", slot);
    const Json deep = run_pass(PassKind::kDeep);
    EXPECT_EQ(number(deep, "repaired"), 1U) << to_text(slot) << to_text(deep);
    EXPECT_TRUE(document(owner("id0"), "id0").is_null()) << to_text(slot);
  }
}

// What the node's index of slots lost is not found by any of our questions.
TEST_F(CompleteScanTest, DocumentThatANodeHoldsAndDoesNotShowIsReported) {
  SimulatedNode& where = owner("id5");
  world.answer_documents = [&](const std::string& name, DocumentQuery query) {
    auto page = simulated_documents(node(name), query);
    if (&node(name) != &where || query.slots.empty() || !page) return page;
    page->total -= std::erase_if(page->documents, [](const std::string& text) {
      return text.find("\"id5\"") != std::string::npos;
    });
    return page;
  };
  const Json deep = run_pass(PassKind::kDeep);
  EXPECT_EQ(member(deep, "clean"), Json(false));
  EXPECT_EQ(member(deep, "whole"), Json(true));
  EXPECT_EQ(deep.find("cleanSweep"), nullptr);
  EXPECT_NE(to_text(deep).find("when it is asked for them by slot"), std::string::npos)
      << to_text(deep);
  world.answer_documents = nullptr;
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(CompleteScanTest, WritesWhileItReadsAreNoDifference) {
  int written = 0;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (query.slots.empty() || written == 3) return;
    const std::string id = "new" + std::to_string(written++);
    world.write(kIndex, {id}, "meanwhile");
    world.remove(kIndex, {"id" + std::to_string(written)});
  };
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "problems"), Json::array());
  EXPECT_EQ(written, 3);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

class ExchangedWhileReadTest : public CompleteScanTest {
 protected:
  // Does this to the node when some of its documents were read.
  void read_while(const std::string& name, const std::function<void()>& act) {
    int pages = 0;
    world.before_documents = [&](const std::string& asked, const DocumentQuery& query) {
      const bool of_the_scan = !query.slots.empty() && query.fields.empty();
      if (asked == name && of_the_scan && ++pages == 3) act();
    };
    const Json deep = run_pass(PassKind::kDeep);
    world.before_documents = nullptr;
    EXPECT_GT(pages, 3);
    EXPECT_EQ(member(deep, "clean"), Json(false)) << to_text(deep);
    EXPECT_EQ(deep.find("cleanSweep"), nullptr);
  }
};

TEST_F(ExchangedWhileReadTest, DiskThatWasPutBackMeanwhileWasNotRead) {
  SimulatedNode& where = owner("id3");
  const auto older = where.snapshot();
  write(0, 200, "second");
  read_while(owners("id3")[0], [&] { where.restore(older); });
}

TEST_F(ExchangedWhileReadTest, IndexThatBecameAnotherMeanwhileWasNotRead) {
  SimulatedNode& where = owner("id3");
  auto other = where.snapshot();
  other.indexes.at(kIndex).created_at = "2020-01-01T00:00:00Z";
  read_while(owners("id3")[0], [&] { where.restore(other); });
}

}  // namespace
}  // namespace miroir
