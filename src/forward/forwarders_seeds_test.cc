#include <gtest/gtest.h>

#include <algorithm>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

using Options = ForwardWorld::Options;
using Texts = std::map<std::string, std::string>;

std::string member(const std::string& text, std::string_view name) {
  auto json = parse_json(text);
  const Json* value = json ? json->find(name) : nullptr;
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

// Faults of every kind, crashes of the Miroir side at any moment; in the end nothing is lost,
// doubled or out of order.
class ForwardersExactness : public testing::TestWithParam<int> {};

TEST_P(ForwardersExactness, NothingTwiceNothingSkippedNothingOutOfOrder) {
  for (int i = 0; i < 10; ++i) {
    const auto seed = static_cast<std::uint64_t>(GetParam() * 1'000 + i);
    SCOPED_TRACE("seed " + std::to_string(seed));
    Options options;
    options.nodes_per_group = 1 + static_cast<int>(seed % 2);
    options.network.lose_request = 0.02;
    options.network.lose_answer = 0.03;
    options.network.delay_request = 0.03;
    options.network.duplicate = 0.05;
    options.network.refuse = 0.05;
    options.forward.request_timeout = Milliseconds(2'000);
    options.forward.tasks_in_flight_max = 4;
    ForwardWorld world(seed, options);
    world.start();
    world.create_index("books");

    Texts model;  // id → "v/m"
    for (int act = 0; act < 25; ++act) {
      std::vector<std::string> ids;
      const std::uint64_t documents = 1 + world.random.below(4);
      for (std::uint64_t n = 0; n < documents; ++n)
        ids.push_back(std::to_string(world.random.below(12)));
      std::ranges::sort(ids);
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
      const std::string value = "x" + std::to_string(act);
      switch (world.random.below(6)) {
        case 0:
          world.remove("books", ids);
          for (const std::string& id : ids) model.erase(id);
          break;
        case 1:
          world.write("books", ids, value, EntryKind::kMergeDocuments);
          for (const std::string& id : ids) {
            const std::string old = model[id];
            model[id] = old.substr(0, old.find('/')) + "/" + value;
          }
          break;
        case 2: {
          const std::string which =
              "x" + std::to_string(world.random.below(static_cast<std::uint64_t>(act) + 1));
          world.remove_by_filter("books", Json("v = " + which));
          std::erase_if(model,
                        [&](const auto& row) { return row.second.starts_with(which + "/"); });
          break;
        }
        default:
          world.write("books", ids, value);
          for (const std::string& id : ids) model[id] = value + "/";
      }
      if (world.random.chance(0.5)) {
        world.run_for(Microseconds(static_cast<std::int64_t>(world.random.below(300'000))));
      }
      if (world.random.chance(0.15)) {
        world.crash();
        world.start();
      }
      auto& node = *std::next(world.nodes.begin(),
                              static_cast<std::ptrdiff_t>(world.random.below(world.nodes.size())));
      if (world.random.chance(0.1)) node.second->options().down = !node.second->options().down;
    }
    for (auto& [id, node] : world.nodes) node->options().down = false;
    for (auto& [id, network] : world.networks) network = SimulatedNetwork{};
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    for (auto& [id, node] : world.nodes) node->catch_up();

    for (int group : world.topology().groups()) {
      Texts found;
      for (const auto& [id, text] : world.documents_of_group(group, "books")) {
        found[id] = member(text, "v") + "/" + member(text, "m");
      }
      ASSERT_EQ(found, model) << "group " << group;
    }
    ASSERT_EQ(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
    EXPECT_EQ(world.unlike_the_log(), "");
    world.run_for(Seconds(1));
    for (const NodeConfig& node : world.topology().nodes()) {
      EXPECT_EQ(world.cluster().status(node.id).state, ReplicaState::kInSync)
          << node.id << ": " << world.cluster().status(node.id).state_why;
    }
    for (Position task = 1; task <= world.log().head(); ++task) {
      ASSERT_EQ(world.await_task(task).status, "succeeded") << "task " << task;
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ForwardersExactness, testing::Range(0, 20));

// The same with tasks that fail on nodes: copies that differ are tainted on the node that missed
// something.
TEST(ForwardersTest, CopiesThatDifferAreTaintedWhereTheEntryFailed) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Options options;
    options.nodes_per_group = 1;
    options.network.lose_answer = 0.03;
    options.network.refuse = 0.05;
    options.forward.request_timeout = Milliseconds(2'000);
    ForwardWorld world(seed, options);
    world.start();
    const Position born = world.create_index("books");
    world.await_task(born);
    for (auto& [id, node] : world.nodes) node->options().task_failure = 0.2;
    for (int act = 0; act < 20; ++act) {
      const std::string id = std::to_string(world.random.below(6));
      const EntryKind kind =
          world.random.chance(0.3) ? EntryKind::kMergeDocuments : EntryKind::kWriteDocuments;
      if (world.random.chance(0.2)) {
        world.remove("books", {id});
      } else {
        world.write("books", {id}, "x" + std::to_string(act), kind);
      }
      if (world.random.chance(0.3)) world.run_for(Milliseconds(100));
      if (world.random.chance(0.1)) {
        world.crash();
        world.start();
      }
    }
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    const Texts a = world.documents_of_group(0, "books");
    const Texts b = world.documents_of_group(1, "books");
    for (int n = 0; n < 6; ++n) {
      const std::string id = std::to_string(n);
      const bool equal = (a.contains(id) ? a.at(id) : "") == (b.contains(id) ? b.at(id) : "");
      const bool tainted =
          world.log().tainted(born, id, "a0") || world.log().tainted(born, id, "b0");
      EXPECT_TRUE(equal || tainted) << "document " << id;
    }
    for (Position task = 1; task <= world.log().head(); ++task) {
      auto failures = world.await(world.log().failures(task));
      ASSERT_TRUE(failures);
      EXPECT_EQ(world.await_task(task).status, failures->size() == 2 ? "failed" : "succeeded")
          << task;
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace miroir
