// Repairs that are larger than what a node takes in one request.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

constexpr int kDocuments = 100;
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

TEST_F(LargeRepairsTest, AreSentInSeveralRequests) {
  write_large();
  std::uint64_t missing = 0;
  SimulatedNode& damaged = owner(id_of(0));
  for (int i = 0; i < kDocuments; ++i) {
    if (document(damaged, id_of(i)).is_null()) continue;
    damaged.delete_directly(kIndex, id_of(i));
    ++missing;
  }
  world.refuse = [](const std::string&, const NodeWrite& write) -> std::optional<Error> {
    const auto* documents = std::get_if<WriteDocuments>(&write);
    if (documents == nullptr || documents->ndjson.size() < (32U << 20)) return std::nullopt;
    return Error{ErrorCode::kInvalid, "payload_too_large"};
  };
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), missing);
  EXPECT_EQ(member(light, "clean"), Json(true));
  ASSERT_GT(missing, 33U) << "one request would have done";
}

}  // namespace
}  // namespace miroir
