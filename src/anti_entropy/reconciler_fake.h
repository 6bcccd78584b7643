#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/reconciler.h"
#include "forward/forward_world_fake.h"
#include "node_api/node_settings.h"

namespace miroir {

inline const std::string kIndex = "movies";

inline const Json& member(const Json& object, std::string_view name) {
  const Json* found = object.find(name);
  if (found == nullptr) {
    ADD_FAILURE() << "no " << name << " in " << to_text(object);
    static const Json kNull;
    return kNull;
  }
  return *found;
}

inline std::uint64_t number(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  return value.is_integer() ? value.as_uint64() : 0;
}

// A Miroir with its reconciler before simulated nodes: two groups of two nodes.
class ReconcilerTest : public ::testing::Test {
 protected:
  explicit ReconcilerTest(ForwardWorld::Options world_options = {})
      : world(20261123, std::move(world_options)) {}

  void SetUp() override {
    start();
    world.create_index(kIndex);
    set_settings(Json::object({{"stopWords", Json::array({"a"})}}));
    write(0, 200, "first");
  }
  void TearDown() override { stop_reconciler(); }
  void start() {
    world.start();
    executor = world.process->io->get_executor();
    tasks = std::make_unique<TaskGroup>(executor);
    start_reconciler();
  }
  template <class Change>
  void restart_after(Change change) {
    stop_reconciler();
    tasks.reset();
    world.crash();
    change();
    start();
  }

  void start_reconciler() {
    reconciler = std::make_unique<Reconciler>(world.log(), world.store, world.cluster(),
                                              *world.process->forwarders, world.clock, random,
                                              world.process->metrics, executor, options);
    tasks->spawn("reconciler", reconciler->run());
    world.run_for(Milliseconds(10));
  }
  void stop_reconciler() {
    if (!reconciler) return;
    world.await([](Reconciler& its, TaskGroup& group) -> Async<bool> {
      co_await its.stop();
      co_await group.join();
      co_return true;
    }(*reconciler, *tasks));
    reconciler.reset();
  }

  void set_settings(Json settings, const std::string& index = kIndex) {
    Entry entry;
    entry.kind = EntryKind::kUpdateSettings;
    entry.index_uid = index;
    entry.arguments = Json::object({{"clientSettings", settings}, {"settings", settings}});
    world.append(std::move(entry));
  }

  // As clients make them (settings_writer.cc). Null: all are reset.
  void change_settings(const std::string& index_uid, const Json& what) {
    const IndexState& index = *world.log().catalogue().index(index_uid);
    const Json after = what.is_null() ? Json::object() : merge_settings(index.settings, what);
    Entry entry;
    entry.kind = EntryKind::kUpdateSettings;
    entry.task_type = "settingsUpdate";
    entry.index_uid = index_uid;
    entry.arguments = Json::object({{"clientSettings", after},
                                    {"change", what},
                                    {"before", index.settings},
                                    {"previous", index.settings_version},
                                    {"settings", settings_for_node(after, index.settings, "id")}});
    world.append(std::move(entry));
  }

  void write(int first, int end, const std::string& value) {
    std::vector<std::string> ids;
    for (int i = first; i < end; ++i) ids.push_back("id" + std::to_string(i));
    world.write(kIndex, ids, value);
    settle();
  }
  void settle() {
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }

  Json run_pass(PassKind kind, std::optional<bool> repair = std::nullopt) {
    auto report = world.await(reconciler->pass(kind, repair));
    if (report) return std::move(*report);
    ADD_FAILURE() << report.error().message;
    return Json::object();
  }

  // …while the document is PUT all the time.
  Json pass_under_puts(PassKind kind, const std::string& id, Milliseconds step = Milliseconds(20)) {
    const std::uint64_t order = reconciler->start(kind, std::nullopt).value();
    const char* last = kind == PassKind::kDeep ? "lastDeep" : "lastLight";
    const auto ended = [&] {
      const Json pass = member(reconciler->status(), last);
      return !pass.is_null() && number(pass, "pass") == order;
    };
    while (!ended()) {
      world.write(kIndex, {id}, std::to_string(++puts), EntryKind::kMergeDocuments);
      world.run_for(step);
    }
    return member(reconciler->status(), last);
  }

  Json repairs() {
    auto rows = world.await(reconciler->repairs(std::nullopt, 10'000));
    return rows ? member(*rows, "results") : Json::array();
  }

  // The audit row of a document, from the newest pass that has one.
  Json repair_of(const std::string& id) {
    for (const Json& row : repairs().as_array()) {
      if (member(row, "id") == Json(id)) return row;
    }
    ADD_FAILURE() << "no audit of " << id;
    return Json::object();
  }

  std::vector<std::string> owners(const std::string& id) {
    const Topology& topology = world.topology();
    return topology.owners(topology.shard_of(slot_of(id)));
  }
  SimulatedNode& node(const std::string& name) { return *world.nodes.at(name); }
  SimulatedNode& owner(const std::string& id, std::size_t group = 0) {
    return node(owners(id)[group]);
  }

  Json document(SimulatedNode& where, const std::string& id) {
    const auto& documents = where.disk().indexes.at(kIndex).documents;
    const auto found = documents.find(id);
    return found == documents.end() ? Json() : found->second;
  }

  void expect_groups_equal() {
    std::map<std::string, Json> first;
    std::map<std::string, Json> second;
    for (const auto& [id, text] : world.documents_of_group(world.topology().groups()[0], kIndex)) {
      first[id] = parse_json(text).value();
    }
    for (const auto& [id, text] : world.documents_of_group(world.topology().groups()[1], kIndex)) {
      second[id] = parse_json(text).value();
    }
    EXPECT_EQ(first.size(), second.size());
    for (const auto& [id, json] : first)
      EXPECT_TRUE(second.contains(id) && second.at(id) == json) << id;
  }

  double metric(const std::string& name, const Labels& labels = {}) {
    return world.process->metrics.counter(name, "", labels).value();
  }
  double scanned(const std::string& tier) {
    return metric("miroir_antientropy_scanned_bytes_total", {{"tier", tier}});
  }

  ForwardWorld world;
  Random random{7};
  AntiEntropyOptions options = [] {
    AntiEntropyOptions given;
    given.light_interval = std::chrono::hours(100);  // passes run when a test asks
    given.schedule = std::chrono::hours(1000);
    return given;
  }();
  Executor executor;
  std::unique_ptr<TaskGroup> tasks;
  std::unique_ptr<Reconciler> reconciler;
  int puts = 0;
};

}  // namespace miroir
