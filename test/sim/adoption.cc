#include "sim/adoption.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "sim/checks.h"

namespace miroir::sim {
namespace {

std::string text_of(const Json& document, std::string_view field) {
  const Json* value = document.find(field);
  return value == nullptr ? "" : value->as_string();
}

// The greatest remains: the stamp, then whether it did not miss a delete that the log knows, then
// the whole write under it (texts of stamps are ordered as time is), then whether a source holds
// it.
using Rank = std::tuple<std::string, bool, std::string, bool>;

struct Newest {
  Rank rank;
  std::vector<const Json*> copies;
};

class Remains {
 public:
  Remains(const Model& before, const Adoption& adoption, const Topology& topology)
      : before_(before), model_(before), adoption_(adoption), topology_(topology) {}

  Model take() {
    for (auto& [uid, index] : model_.indexes()) {
      index.documents.clear();
      index.uncertain.clear();
    }
    take_settings(false);
    take_settings(true);
    for (const auto& [node, disk] : adoption_.disks) {
      for (const auto& [uid, held] : disk.indexes) {
        for (const auto& [id, document] : held.documents) {
          if (topology_.owns(node, slot_of(id)) && !is_dead(uid, id, document))
            note(uid, id, document, adoption_.sources.contains(node));
        }
      }
    }
    for (const auto& [place, newest] : newest_) {
      Model::Index& index = model_.indexes()[place.first];
      const Json& document = index.documents[place.second] = what_most_say(place, newest.copies);
      const bool of_source = std::get<3>(newest.rank);
      if (!of_source || std::get<0>(newest.rank) > encode_stamp(adoption_.known))
        index.uncertain[place.second] = document;
    }
    take_keys();
    return std::move(model_);
  }

 private:
  // Later calls take precedence.
  void take_settings(bool of_sources) {
    std::map<std::string, std::vector<Json>> told;
    for (const auto& [node, disk] : adoption_.disks) {
      if (adoption_.sources.contains(node) != of_sources) continue;
      for (const auto& [uid, held] : disk.indexes) {
        const Json* words = held.settings.find("stopWords");
        told[uid].push_back(words == nullptr ? Json() : *words);
      }
    }
    for (const auto& [uid, words] : told) {
      const auto taken = adoption_.stop_words.find(uid);
      const bool stays = !of_sources || is_unset(uid);
      const bool is_one = taken != adoption_.stop_words.end() &&
                          (std::ranges::count(words, taken->second) != 0 ||
                           (stays && taken->second == stop_words_before(uid)));
      model_.indexes()[uid].stop_words = is_one ? taken->second : words.front();
    }
  }

  // Whether no source was given Miroir's rules for it: it was dropped by what the log forgot, and
  // documents that were taken since made it again, maybe only after Miroir had read that no source
  // holds it. Then it stays what the store knew (docs/design.md, invariant 11).
  bool is_unset(const std::string& uid) const {
    return std::ranges::none_of(adoption_.disks, [&](const auto& disk) {
      const auto held = disk.second.indexes.find(uid);
      return adoption_.sources.contains(disk.first) && held != disk.second.indexes.end() &&
             held->second.settings.find("filterableAttributes") != nullptr;
    });
  }

  Json stop_words_before(const std::string& uid) const {
    const auto index = before_.indexes().find(uid);
    return index == before_.indexes().end() ? Json() : index->second.stop_words;
  }

  // Sources had done all that the store knew, but where their index is in doubt: what is as old as
  // that, and no source has any more, was deleted. Who holds it is behind. Where nobody is a
  // source, nobody says so.
  bool is_dead(const std::string& uid, const std::string& id, const Json& document) const {
    if (text_of(document, "_miroir_updated_at") > encode_stamp(adoption_.known)) return false;
    bool any_source = false;
    for (const std::string& owner : topology_.owners(topology_.shard_of(slot_of(id)))) {
      if (!adoption_.sources.contains(owner) || adoption_.in_doubt.contains({owner, uid})) continue;
      const auto& indexes = adoption_.disks.at(owner).indexes;
      const auto index = indexes.find(uid);
      if (index != indexes.end() && index->second.documents.contains(id)) return false;
      any_source = true;
    }
    return any_source;
  }

  void note(const std::string& uid, const std::string& id, const Json& document, bool of_source) {
    Newest& newest = newest_[{uid, id}];
    const Rank rank(text_of(document, "_miroir_updated_at"), is_as_before(uid, id, document),
                    text_of(document, "_miroir_base"), of_source);
    if (newest.copies.empty() || rank > newest.rank) newest = {rank, {}};
    if (rank == newest.rank) newest.copies.push_back(&document);
  }

  bool is_as_before(const std::string& uid, const std::string& id, const Json& document) const {
    const auto index = before_.indexes().find(uid);
    if (index == before_.indexes().end() || !index->second.deleted.contains(id)) return false;
    const auto its = index->second.documents.find(id);
    return its != index->second.documents.end() && its->second == client_view(document);
  }

  // Where as many say one as the other: who is as the requests that the log knows made it, or has
  // more of what they wrote. The other skipped some of them.
  Json what_most_say(const std::pair<std::string, std::string>& place,
                     const std::vector<const Json*>& copies) const {
    const auto index = before_.indexes().find(place.first);
    Json asked = Json::object();
    if (index != before_.indexes().end() && index->second.documents.contains(place.second))
      asked = index->second.documents.at(place.second);
    const auto votes = [&](const Json* copy) {
      const auto has = [&](const Json::Member& field) {
        const Json* its = copy->find(field.first);
        return its != nullptr && *its == field.second;
      };
      return std::tuple(
          std::ranges::count_if(copies, [&](const Json* other) { return *other == *copy; }),
          asked == client_view(*copy), std::ranges::count_if(asked.as_object(), has));
    };
    return client_view(**std::ranges::max_element(copies, {}, votes));
  }

  // A key is a client's where every source holds it or the store knew it; it is gone where no node
  // does. What only some nodes hold may be one of their own. Of several names it has the first
  // node's, if the store knew none.
  void take_keys() {
    std::map<std::string, std::vector<std::string>> names;
    std::set<std::string> held;
    std::size_t sources = 0;
    for (const auto& [node, disk] : adoption_.disks) {
      const bool source = adoption_.sources.empty() || adoption_.sources.contains(node);
      sources += source ? 1 : 0;
      for (const auto& [uid, key] : disk.keys) {
        held.insert(uid);
        if (source) names[uid].push_back(text_of(key, "name"));
      }
    }
    std::erase_if(model_.keys(), [&](const auto& key) { return !held.contains(key.first); });
    for (const auto& [uid, its] : names) {
      const bool everywhere = its.size() == sources;
      const bool alike = std::ranges::all_of(its, [&](const auto& name) { return name == its[0]; });
      const bool known = model_.keys().contains(uid);
      if (everywhere && (alike || !known)) model_.keys()[uid] = its[0];
    }
  }

  const Model& before_;
  Model model_;
  const Adoption& adoption_;
  const Topology& topology_;
  std::map<std::pair<std::string, std::string>, Newest> newest_;
};

}  // namespace

Model what_remains(const Model& before, const Adoption& adoption, const Topology& topology) {
  return Remains(before, adoption, topology).take();
}

}  // namespace miroir::sim
