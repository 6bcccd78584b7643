// Repairs that are larger than what a node takes in one request, or we hold at once.
#include "anti_entropy/reconciler_fake.h"
#include "anti_entropy/tools.h"

namespace miroir {
namespace {

class LargeRepairsTest : public ReconcilerTest {
 protected:
  static std::string id_of(int i) { return "large" + std::to_string(i); }
  // Written as clients would.
  void write_large(int documents, std::size_t bytes) {
    for (int i = 0; i < documents; ++i) world.write(kIndex, {id_of(i)}, std::string(bytes, 'x'));
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
};

TEST_F(LargeRepairsTest, AreSentInSeveralRequests) {
  constexpr std::uint64_t kRequestMax = 32U << 20;
  constexpr std::size_t kBytes = 5U << 20;
  write_large(24, kBytes);
  std::uint64_t missing = 0;
  SimulatedNode& damaged = owner(id_of(0));
  for (int i = 0; i < 24; ++i) {
    if (document(damaged, id_of(i)).is_null()) continue;
    damaged.delete_directly(kIndex, id_of(i));
    ++missing;
  }
  world.refuse = [](const std::string&, const NodeWrite& write) -> std::optional<Error> {
    const auto* documents = std::get_if<WriteDocuments>(&write);
    if (documents == nullptr || documents->ndjson.size() < kRequestMax) return std::nullopt;
    return Error{ErrorCode::kInvalid, "payload_too_large"};
  };
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), missing);
  EXPECT_EQ(member(light, "clean"), Json(true));
  ASSERT_GT(std::min(missing, anti_entropy::kIdsOfFirstRequest) * kBytes, kRequestMax)
      << "one request would have done";
}

TEST_F(LargeRepairsTest, AreReadInParts) {
  constexpr int kDocuments = 64;
  constexpr std::size_t kBytes = 1U << 20;
  write_large(kDocuments, kBytes);
  for (int i = 0; i < kDocuments; ++i) owner(id_of(i)).delete_directly(kIndex, id_of(i));

  // Copies are read before a repair, and after the one before it.
  std::map<std::string, std::uint64_t> read;  // by node, since the last repair
  std::uint64_t most = 0;
  world.before_documents = [&](const std::string& name, const DocumentQuery& query) {
    for (const std::string& id : query.ids)
      if (!document(node(name), id).is_null()) read[name] += kBytes;
    most = std::max(most, read[name]);
  };
  world.refuse = [&](const std::string&, const NodeWrite&) -> std::optional<Error> {
    read.clear();
    return std::nullopt;
  };
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), std::uint64_t{kDocuments});
  EXPECT_EQ(member(light, "clean"), Json(true));
  EXPECT_LE(most, anti_entropy::kCopiesBytesMax);
}

}  // namespace
}  // namespace miroir
