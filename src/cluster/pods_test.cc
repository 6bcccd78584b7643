#include "cluster/pods.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace miroir {
namespace {

constexpr ShardId kShards = 512;

// Who owns what, under names that sort unlike each other: "s7" is a shard, "n7" a node.
std::map<std::string, std::string> owners(const std::vector<std::string>& names) {
  const Pods pods(names);
  std::map<std::string, std::string> owners;
  for (ShardId i = 0; i < kShards; ++i) {
    owners["s" + std::to_string(i)] = pods.of_shard(i);
    owners["n" + std::to_string(i)] = pods.of_node(std::to_string(i));
  }
  return owners;
}

std::vector<std::string> some_pods(int least) {
  const auto numbers = *rc::gen::suchThat(
      rc::gen::container<std::set<int>>(rc::gen::inRange(0, 100)),
      [&](const auto& drawn) { return static_cast<int>(drawn.size()) >= least; });
  std::vector<std::string> names;
  for (const int number : numbers) names.push_back("miroir-" + std::to_string(number));
  return names;
}

RC_GTEST_PROP(AntiEntropyAcceptance, test_acceptance_4_mode_a_shard_partitioning, ()) {
  std::vector<std::string> names = some_pods(2);
  const auto before = owners(names);
  for (const auto& [what, pod] : before)
    RC_ASSERT(std::ranges::find(names, pod) != names.end());  // one, and one that lives

  std::vector<std::string> turned(names.rbegin(), names.rend());
  RC_ASSERT(owners(turned) == before);

  const auto gone =
      static_cast<std::size_t>(*rc::gen::inRange<int>(0, static_cast<int>(names.size())));
  const std::string name = names[gone];
  names.erase(names.begin() + static_cast<std::ptrdiff_t>(gone));
  // Read the other way round it is a pod that arrives, and takes only what becomes its own.
  for (const auto& [what, pod] : owners(names)) {
    RC_ASSERT(pod != name);
    RC_ASSERT(pod == before.at(what) || before.at(what) == name);
  }
}

TEST(PodsTest, EveryPodHasAboutItsShare) {
  std::map<char, std::map<std::string, int>> counts;
  for (const auto& [what, pod] : owners({"miroir-0", "miroir-1", "miroir-2"}))
    ++counts[what[0]][pod];
  for (const auto& [kind, its] : counts) {
    ASSERT_EQ(its.size(), 3U);
    for (const auto& [pod, count] : its) {
      EXPECT_GT(count, static_cast<int>(kShards) / 3 * 3 / 4) << kind << " " << pod;
      EXPECT_LT(count, static_cast<int>(kShards) / 3 * 5 / 4) << kind << " " << pod;
    }
  }
}

}  // namespace
}  // namespace miroir
