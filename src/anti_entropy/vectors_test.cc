// Repairs of documents whose vectors a client provided.
#include "anti_entropy/copies.h"
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class VectorsTest : public ReconcilerTest {
 protected:
  void write_text(const std::string& id, const std::string& text) {
    Entry entry;
    entry.kind = EntryKind::kWriteDocuments;
    entry.index_uid = kIndex;
    const auto content = anti_entropy::content_of(text, options.names);
    ASSERT_TRUE(content);
    world.append_records(std::move(entry), {{slot_of(id), checksum_of(*content), id, text}});
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
};

// Vectors may be there before the embedder that they are for, which then needs them.
TEST_F(VectorsTest, AreCarriedOverThoughTheIndexHasNoEmbedder) {
  write_text("v1", R"({"id":"v1","v":"first","_vectors":{"m":[0.5,0.25]}})");
  const Json whole = document(owner("v1"), "v1");
  ASSERT_NE(whole.find("_vectors"), nullptr);
  owner("v1").delete_directly(kIndex, "v1");
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 1U);
  EXPECT_EQ(to_text(document(owner("v1"), "v1")), to_text(whole));
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

}  // namespace
}  // namespace miroir
