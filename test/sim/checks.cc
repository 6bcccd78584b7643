#include "sim/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/json_at.h"

namespace miroir::sim {
namespace {

// As nodes hold times: octal digits, in separator characters.
std::int64_t milliseconds_of(const std::string& stored) {
  constexpr std::string_view kDigits = "!()*;?[]";
  std::int64_t number = 0;
  for (const char digit : stored)
    number = number * 8 + static_cast<std::int64_t>(kDigits.find(digit));
  return number;
}

class ModelCheck {
 public:
  ModelCheck(const Model& model, const Topology& topology) : model_(model), topology_(topology) {}

  void check(const std::string& node, const SimulatedNode::Disk& disk) {
    for (const auto& [uid, index] : disk.indexes) {
      if (!model_.indexes().contains(uid)) say("{} holds index {}, which is not", node, uid);
    }
    for (const auto& [uid, index] : model_.indexes()) {
      const auto found = disk.indexes.find(uid);
      if (found == disk.indexes.end()) {
        say("{} lacks index {}", node, uid);
        continue;
      }
      if (!index.documents.empty() && found->second.primary_key != "id")
        say("{} has the primary key {} in {}", node, found->second.primary_key.value_or("-"), uid);
      check_settings(node, uid, index, found->second);
      check_documents(node, uid, index, found->second);
    }
    check_keys(node, disk);
  }

  std::vector<std::string> take() { return std::move(wrong_); }

 private:
  template <class... Parts>
  void say(fmt::format_string<Parts...> format, Parts&&... parts) {
    wrong_.push_back(fmt::format(format, std::forward<Parts>(parts)...));
  }

  void check_keys(const std::string& node, const SimulatedNode::Disk& disk) {
    std::map<std::string, std::string> held;
    for (const auto& [uid, key] : disk.keys) {
      if (model_.keys().contains(uid) || !model_.strange_keys().contains(uid))
        held[uid] = key.find("name")->as_string();
    }
    if (held == model_.keys()) return;
    for (const auto& [uid, name] : held) {
      if (!model_.keys().contains(uid)) say("{} holds the key {}, which is deleted", node, uid);
    }
    for (const auto& [uid, name] : model_.keys()) {
      const auto found = held.find(uid);
      if (found == held.end()) {
        say("{} lacks the key {}", node, uid);
      } else if (found->second != name) {
        say("{} calls the key {} {} instead of {}", node, uid, found->second, name);
      }
    }
  }

  void check_settings(const std::string& node, const std::string& uid, const Model::Index& index,
                      const SimulatedNode::Index& held) {
    const Json* words = held.settings.find("stopWords");
    const Json found = words == nullptr ? Json() : *words;
    if (found != index.stop_words) {
      say("{} has the stop words {} in {} instead of {}", node, to_text(found), uid,
          to_text(index.stop_words));
    } else if (found.is_array() && found != Json::array({"foreign"})) {
      check_other_settings(node, uid, found, held.settings);
    } else if (const Json* filters = held.settings.find("filterableAttributes");
               found.is_null() &&
               (filters == nullptr || !to_text(*filters).contains("_miroir_*"))) {
      say("{} has not Miroir's settings in {}: {}", node, uid, to_text(held.settings));
    }
  }

  // Clients make them with the stop words; Miroir's filters come before theirs.
  void check_other_settings(const std::string& node, const std::string& uid, const Json& words,
                            const Json& settings) {
    const auto text = [&settings](std::string_view name) {
      const Json* value = settings.find(name);
      return value == nullptr ? std::string() : to_text(*value);
    };
    const std::string word = to_text(words.as_array().front());
    const std::string filters = text("filterableAttributes");
    if (text("sortableAttributes") != "[" + word + "]" ||
        text("synonyms") != "{" + word + ":[\"x\"]}" || !filters.ends_with("}," + word + "]") ||
        !filters.contains("_miroir_*"))
      say("{} has the stop words {} in {}, and not the settings that came with them: {}", node,
          to_text(words), uid, to_text(settings));
  }

  void check_documents(const std::string& node, const std::string& uid, const Model::Index& index,
                       const SimulatedNode::Index& held) {
    for (const auto& [id, document] : held.documents) {
      const auto expected = index.documents.find(id);
      if (expected == index.documents.end()) {
        say("{} holds {}/{}, which is deleted: {}", node, uid, id, to_text(document));
      } else if (!topology_.owns(node, slot_of(id))) {
        say("{} holds {}/{}, which it does not own", node, uid, id);
      } else if (client_view(document) != expected->second) {
        say("{} has {}/{} as {} instead of {}", node, uid, id, to_text(document),
            to_text(expected->second));
      }
    }
    for (const auto& [id, document] : index.documents) {
      if (topology_.owns(node, slot_of(id)) && !held.documents.contains(id))
        say("{} lacks {}/{}: {}", node, uid, id, to_text(document));
    }
  }

  const Model& model_;
  const Topology& topology_;
  std::vector<std::string> wrong_;
};

// Of an index, by shard: those that some owner holds and that not all hold alike.
std::map<ShardId, std::uint64_t> unlike_documents(const std::string& uid, const Topology& topology,
                                                  const Nodes& nodes) {
  std::map<std::string, std::vector<const Json*>> copies;
  for (const auto& [node, simulated] : nodes) {
    const auto index = simulated->disk().indexes.find(uid);
    if (index == simulated->disk().indexes.end()) continue;
    for (const auto& [id, document] : index->second.documents)
      if (topology.owns(node, slot_of(id))) copies[id].push_back(&document);
  }
  std::map<ShardId, std::uint64_t> unlike;
  for (const auto& [id, its] : copies) {
    const ShardId shard = topology.shard_of(slot_of(id));
    const bool alike = its.size() == topology.owners(shard).size() &&
                       std::ranges::all_of(its, [&](const Json* copy) { return *copy == *its[0]; });
    if (!alike) ++unlike[shard];
  }
  return unlike;
}

}  // namespace

Json client_view(const Json& document) {
  Json content = Json::object();
  for (const auto& [field, value] : document.as_object()) {
    if (field == kExpiresAt && value.is_string()) {
      content.set(kExpiresAt, milliseconds_of(value.as_string()));
    } else if (field == kExpiresAt || !field.starts_with("_miroir_")) {
      content.set(field, value);
    }
  }
  return content;
}

std::vector<std::string> check_against_model(const Model& model, const Topology& topology,
                                             const Nodes& nodes) {
  ModelCheck check(model, topology);
  for (const auto& [id, node] : nodes) check.check(id, node->disk());
  return check.take();
}

std::optional<std::string> check_repair(const Model& model, const Topology& topology,
                                        const Repaired& repair) {
  const Json* expected = nullptr;
  const auto index = model.indexes().find(repair.index);
  if (index != model.indexes().end() && topology.owns(repair.node, slot_of(repair.id))) {
    const auto found = index->second.documents.find(repair.id);
    if (found != index->second.documents.end()) expected = &found->second;
  }
  const auto is_expected = [&](const std::optional<Json>& document) {
    return document && expected != nullptr && client_view(*document) == *expected;
  };
  if (repair.after ? is_expected(repair.after) : !is_expected(repair.before)) return std::nullopt;
  return fmt::format("the repair at {} makes {}/{} on {} {} instead of {}", repair.position,
                     repair.index, repair.id, repair.node,
                     repair.after ? to_text(*repair.after) : "absent",
                     expected == nullptr ? "absent" : to_text(*expected));
}

std::vector<std::string> check_replicas_equal(const Nodes& nodes) {
  std::vector<std::string> wrong;
  std::map<std::string, std::pair<std::string, const Json*>> first;
  std::map<std::string, std::pair<std::string, const SimulatedNode::Index*>> first_index;
  for (const auto& [node, simulated] : nodes) {
    for (const auto& [uid, index] : simulated->disk().indexes) {
      const auto& [peer, same] = first_index.try_emplace(uid, node, &index).first->second;
      if (same->primary_key != index.primary_key)
        wrong.push_back(fmt::format("{} has the primary key {} on {} and {} on {}", uid,
                                    same->primary_key.value_or("-"), peer,
                                    index.primary_key.value_or("-"), node));
      if (same->settings != index.settings)
        wrong.push_back(fmt::format("{} has the settings {} on {} and {} on {}", uid,
                                    to_text(same->settings), peer, to_text(index.settings), node));
      for (const auto& [id, document] : index.documents) {
        const auto [place, fresh] = first.try_emplace(uid + "/" + id, node, &document);
        if (fresh || *place->second.second == document) continue;
        wrong.push_back(fmt::format("{} is {} on {} and {} on {}", place->first,
                                    to_text(*place->second.second), place->second.first,
                                    to_text(document), node));
      }
    }
  }
  return wrong;
}

std::vector<std::string> check_states(const Json& pass, const Topology& topology,
                                      const Nodes& nodes) {
  std::vector<std::string> wrong;
  for (const Json& report : at(pass, "indexes").as_array()) {
    const std::string& uid = at(report, "index").as_string();
    std::map<ShardId, std::uint64_t> unlike = unlike_documents(uid, topology, nodes);
    for (const Json& state : at(report, "divergence").as_array()) {
      const std::string& why = at(state, "why").as_string();
      if (why.empty()) wrong.push_back("a state without a reason: " + to_text(report));
      if (at(state, "state") != Json("in_sync"))
        unlike.erase(static_cast<ShardId>(number(state, "shard")));
    }
    for (const auto& [shard, documents] : unlike)
      wrong.push_back(fmt::format("{} documents differ in shard {} of {}, which is in sync: {}",
                                  documents, shard, uid, to_text(report)));
  }
  return wrong;
}

std::uint64_t count_repairs(const std::vector<Json>& audit) {
  std::uint64_t done = 0;
  std::set<std::pair<std::string, std::string>> held_back;  // index and id
  for (const Json& row : audit) {
    const std::string action = text_at(row, "action");
    const std::string outcome = text_at(row, "outcome");
    if ((action != "restore" && action != "delete") || outcome.starts_with("reported only"))
      continue;
    if (outcome.starts_with("held back")) {
      held_back.emplace(text_at(row, "index"), text_at(row, "id"));
    } else {
      ++done;
    }
  }
  return done + held_back.size();
}

std::vector<std::string> check_left_alone(const Nodes& nodes) {
  std::vector<std::string> wrong;
  for (const auto& [id, node] : nodes) {
    for (const auto& [uid, queued] : node->disk().tasks) {
      if (queued.task.index_uid == kTheirs && !queued.metadata.empty())
        wrong.push_back(fmt::format("{} was sent task {} ({}) of an index that a stranger made", id,
                                    uid, queued.task.type));
    }
  }
  return wrong;
}

std::vector<std::string> check_expired(const Model& model, std::int64_t now_milliseconds) {
  std::vector<std::string> wrong;
  for (const auto& [uid, index] : model.indexes()) {
    for (const auto& [id, document] : index.documents) {
      const Json* expires = document.find(kExpiresAt);
      if (expires != nullptr && expires->as_int64() <= now_milliseconds)
        wrong.push_back(fmt::format("{}/{} has expired, and is still there", uid, id));
    }
  }
  return wrong;
}

}  // namespace miroir::sim
