// A deep pass leaves a node alone while somebody else makes it slow.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

constexpr Microseconds kFast = Milliseconds(20);
constexpr Microseconds kSlow = Milliseconds(400);

// Answers travel for so long and no time passes otherwise: what lies between two pages of a node,
// beyond what the first of them took, is its rest.
class ThrottledPassTest : public ReconcilerTest {
 protected:
  ThrottledPassTest() : ReconcilerTest(two_nodes()) {}

  static ForwardWorld::Options two_nodes() {
    ForwardWorld::Options options;
    options.nodes_per_group = 1;
    options.shards = 1;
    return options;
  }

  void SetUp() override {
    options.fingerprint_batch_size = 4;  // many pages
    ReconcilerTest::SetUp();
  }

  void set_answer_time(const std::string& name, Microseconds time) {
    world.networks.at(name).latency_min = world.networks.at(name).latency_max = time / 2;
  }

  // Runs a deep pass; how long each node rested after each page. `before_page` is told of each page
  // of a0 that is asked for, by its number.
  std::map<std::string, std::vector<Microseconds>> rests(
      const std::function<void(std::size_t page)>& before_page) {
    struct Page {
      Instant asked;
      Microseconds takes;
    };
    std::map<std::string, std::vector<Page>> pages;
    world.before_documents = [&](const std::string& name, const DocumentQuery& query) {
      if (query.slots.empty() || !query.fields.empty()) return;
      if (name == "a0") before_page(pages[name].size());
      pages[name].push_back({world.clock.now(), 2 * world.networks.at(name).latency_min});
    };
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
    world.before_documents = nullptr;
    std::map<std::string, std::vector<Microseconds>> rests;
    for (const auto& [name, its] : pages) {
      for (std::size_t i = 0; i + 1 < its.size(); ++i)
        rests[name].push_back(its[i + 1].asked - its[i].asked - its[i].takes);
    }
    return rests;
  }
};

TEST_F(ThrottledPassTest, RestsWhileTheNodeIsSlowAndGoesOnWhenItIsNot) {
  constexpr std::size_t kSlowFrom = 20;
  constexpr std::size_t kSlowTo = 26;
  for (const auto& [name, node] : world.nodes) set_answer_time(name, kFast);
  const auto rested = rests([&](std::size_t page) {
    if (page == kSlowFrom) set_answer_time("a0", kSlow);
    if (page == kSlowTo) set_answer_time("a0", kFast);
  });
  const std::vector<Microseconds>& its = rested.at("a0");
  ASSERT_GT(its.size(), kSlowTo + 10);
  for (std::size_t page = 0; page < kSlowFrom; ++page)
    EXPECT_EQ(its[page], Microseconds(0)) << page;
  EXPECT_EQ(its[kSlowFrom], kSlow) << "as long as it took";
  EXPECT_EQ(its[kSlowFrom + 1], 2 * kSlow);
  for (std::size_t page = kSlowFrom + 2; page < kSlowTo; ++page)
    EXPECT_EQ(its[page], Microseconds(Seconds(1))) << page;
  EXPECT_EQ(its[kSlowTo], Microseconds(Milliseconds(500)));
  for (std::size_t page = kSlowTo + 6; page < its.size(); ++page)
    EXPECT_EQ(its[page], Microseconds(0)) << page;
  for (const Microseconds rest : rested.at("b0")) EXPECT_EQ(rest, Microseconds(0));
}

// What a node can is known from the pass before.
TEST_F(ThrottledPassTest, RestsWhereTheNodeIsSlowFromTheFirstPage) {
  for (const auto& [name, node] : world.nodes) set_answer_time(name, kFast);
  rests([](std::size_t) {});
  const auto rested = rests([&](std::size_t page) {
    if (page == 0) set_answer_time("a0", kSlow);
    if (page == 10) set_answer_time("a0", kFast);
  });
  for (std::size_t page = 0; page < 10; ++page) EXPECT_GE(rested.at("a0")[page], kSlow) << page;
}

}  // namespace
}  // namespace miroir
