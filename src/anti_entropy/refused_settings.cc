#include "anti_entropy/refused_settings.h"

#include <algorithm>

#include "node_api/node_settings.h"

namespace miroir::anti_entropy {
namespace {

// Of many failures the older ones have lost their names.
bool may_be_among(Position version, const Taint& taint) {
  if (std::ranges::count(taint.failed, version) > 0) return true;
  const auto named = std::ranges::upper_bound(taint.failed, Taint::kUnnamed);
  const bool any_unnamed = named != taint.failed.begin();
  return any_unnamed && (named == taint.failed.end() || version < *named);
}

const Json* first_rule(const Json* settings) {
  const Json* rules = settings == nullptr ? nullptr : settings->find("filterableAttributes");
  return rules == nullptr || !rules->is_array() || rules->size() == 0 ? nullptr
                                                                      : &rules->as_array().front();
}

// Miroir's own stands before the client's.
bool shows_its_rule(const Json& read, const Entry& version) {
  const Json* sent = first_rule(version.arguments.find("settings"));
  const Json* its = first_rule(&read);
  return sent == nullptr || (its != nullptr && may_show(*its, *sent));
}

}  // namespace

Async<Result<bool>> shows_rule(const Tools& tools, const IndexState& index, Json read) {
  MIROIR_CO_TRY(const auto version, co_await kept_entry(tools.log, index.settings_version));
  co_return version == nullptr || shows_its_rule(read, *version);
}

Async<Result<std::set<std::string>>> refused_settings(
    const Tools& tools, const Catalogue& catalogue, const std::map<std::string, NodeState>& nodes,
    const std::map<std::string, Json>& remembered) {
  std::set<std::string> refused;
  for (const auto& [uid, index] : catalogue.indexes()) {
    if (remembered.contains(uid)) continue;
    MIROIR_CO_TRY(const auto version, co_await kept_entry(tools.log, index.settings_version));
    std::size_t holders = 0;
    std::size_t lacking = 0;
    for (const auto& [node, state] : nodes) {
      const auto read = state.settings.find(uid);
      if (read == state.settings.end()) continue;
      ++holders;
      const auto taint = tools.log.taint(index.incarnation, "", node);
      const bool failed = taint && may_be_among(index.settings_version, *taint);
      if (failed || (version != nullptr && !shows_its_rule(read->second, *version))) ++lacking;
    }
    if (holders > 0 && lacking == holders) refused.insert(uid);
  }
  co_return refused;
}

}  // namespace miroir::anti_entropy
