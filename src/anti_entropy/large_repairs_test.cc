// Repairs that are larger than what a node takes in one request, or we hold at once.
#include "anti_entropy/reconciler_fake.h"
#include "anti_entropy/tools.h"

namespace miroir {
namespace {

constexpr int kDocuments = 64;
constexpr std::size_t kBytes = 1 << 20;

class LargeRepairsTest : public ReconcilerTest {
 protected:
  static std::string id_of(int i) { return "large" + std::to_string(i); }
  // More than one request carries, written as clients would.
  void write_large() {
    for (int i = 0; i < kDocuments; ++i) world.write(kIndex, {id_of(i)}, std::string(kBytes, 'x'));
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
};

TEST_F(LargeRepairsTest, AreReadAndSentInParts) {
  write_large();
  for (int i = 0; i < kDocuments; ++i) owner(id_of(i)).delete_directly(kIndex, id_of(i));

  // Copies are read before a repair, and after the one before it.
  std::map<std::string, std::uint64_t> read;  // by node, since the last repair
  std::uint64_t most = 0;
  world.before_documents = [&](const std::string& name, const DocumentQuery& query) {
    for (const std::string& id : query.ids)
      if (!document(node(name), id).is_null()) read[name] += kBytes;
    most = std::max(most, read[name]);
  };
  world.refuse = [&](const std::string&, const NodeWrite& write) -> std::optional<Error> {
    read.clear();
    const auto* documents = std::get_if<WriteDocuments>(&write);
    if (documents == nullptr || documents->ndjson.size() < (32U << 20)) return std::nullopt;
    return Error{ErrorCode::kInvalid, "payload_too_large"};
  };
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), std::uint64_t{kDocuments});
  EXPECT_EQ(member(light, "clean"), Json(true));
  EXPECT_LE(most, anti_entropy::kCopiesBytesMax);
}

}  // namespace
}  // namespace miroir
