// Clients write a document while it is repaired.
#include <algorithm>
#include <utility>

#include "sim/world.h"

namespace miroir::sim {
namespace {

// From when the copies of a document are read to when its repair is appended, about.
constexpr Microseconds kRepairTime = Milliseconds(25);
constexpr Microseconds kMergeInterval = Milliseconds(3);

}  // namespace

// A copy of a document vanishes, or one comes back that was deleted: the next pass repairs it, and
// meanwhile clients write it.
void World::gather_storm(Fault fault) {
  SimulatedNode& node = *nodes_[fault.node];
  const auto index = node.disk().indexes.find(fault.index);
  if (index == node.disk().indexes.end()) return;
  const auto is_whole = [](const auto& document, std::string_view kinds) {
    return kinds.contains(document.first[0]) && document.second.find(kBaseField) != nullptr;
  };
  const auto& documents = index->second.documents;
  const auto find = [&](std::string_view kinds) {
    return std::ranges::find_if(documents,
                                [&](const auto& document) { return is_whole(document, kinds); });
  };
  auto found = find(random_.chance(0.5) ? "m" : "w");
  if (found == documents.end()) found = find("mw");
  if (found == documents.end()) return;
  fault.id = found->first;
  const auto announce = [this, fault] {
    ++damaged_;
    storm_ = {fault.index, fault.id, fault.handlers, clock_.now()};
  };
  if (fault.id[0] == 'm' || random_.chance(0.4)) {
    node.delete_directly(fault.index, fault.id);
    return announce();
  }
  remembered_[fault.node + "/" + fault.index + "/" + fault.id] = {found->second, clock_.now()};
  begin(Request{Act::kDelete, fault.index, {fault.id}, ""});
  later(Seconds(3), [this, fault, announce] {
    nodes_[fault.node]->catch_up();
    put_back(fault, false);
    announce();
  });
}

// Whether every owner has told what it holds of the document.
bool World::is_judged(const std::string& index, const std::string& id, Instant since) const {
  return std::ranges::all_of(topology_.owners(topology_.shard_of(slot_of(id))),
                             [&](const std::string& owner) {
                               const auto& documents = journals_.at(owner).documents;
                               const auto told = documents.find({index, id});
                               return told != documents.end() && told->second.at >= since;
                             });
}

// From when its copies are known until its repair is on its way.
void World::blow() {
  if (!is_judged(storm_->index, storm_->id, storm_->announced)) return;
  const Storm storm = *std::exchange(storm_, std::nullopt);
  // What is written whole needs no repair; what is merged into, all the time, still does.
  const bool merges = storm.id.starts_with('m');
  const int writes = merges ? 10 * storm.writes : storm.writes;
  const Microseconds length = merges ? writes * kMergeInterval : kRepairTime;
  for (int i = 0; i < writes; ++i) {
    Request request{Act::kReplace, storm.index, {storm.id}, ""};
    if (merges && random_.chance(0.9)) {
      request.act = Act::kMerge;
      if (random_.chance(0.3))
        request.ids.front() = "m" + std::to_string(random_.below(kIdsOfAClass));
    } else if (random_.chance(0.3)) {
      request.act = Act::kDelete;
    }
    const auto when = static_cast<std::uint64_t>(length.count());
    later(Microseconds(random_.below(when)), [this, request] {
      Request its = request;
      if (its.act != Act::kDelete) its.value = "s" + std::to_string(operations_.size());
      begin(std::move(its));
    });
  }
}

}  // namespace miroir::sim
