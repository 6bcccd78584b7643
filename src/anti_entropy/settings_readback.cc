#include "anti_entropy/settings_readback.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

// One row of kMeta for each version of an index's settings: what nodes read back of it.
std::string readback_key(const IndexState& index) {
  return key_join("settings read back", key_of(index.incarnation) + key_of(index.settings_version));
}

}  // namespace

Async<Result<std::map<std::string, Json>>> remembered_settings(const Tools& tools,
                                                               const Catalogue& catalogue) {
  std::map<std::string, Json> expected;
  for (const auto& [uid, index] : catalogue.indexes()) {
    MIROIR_CO_TRY(const auto row, co_await tools.store.get(Table::kMeta, readback_key(index)));
    if (!row) continue;
    MIROIR_CO_TRY(Json settings, parse_json(*row));
    expected.emplace(uid, std::move(settings));
  }
  co_return expected;
}

Async<Result<void>> remember_settings(const Tools& tools, const Catalogue& catalogue,
                                      const Roster& roster,
                                      const std::map<std::string, NodeState>& nodes,
                                      const Expectations& expected) {
  Batch batch;
  for (const auto& [uid, index] : catalogue.indexes()) {
    if (expected.settings.contains(uid) || expected.refused.contains(uid)) continue;
    if (!roster.all_in_sync() && !expected.given_again.contains(uid)) continue;
    const IndexState* now = tools.log.catalogue().index(uid);
    if (now == nullptr || !now->is_still(index)) continue;  // another's may have been read
    const Json* first = nullptr;
    bool all = true;
    bool alike = true;
    for (const auto& [node, state] : nodes) {
      if (expected.given_again.contains(uid) && expected.failed.contains({node, uid})) continue;
      const auto settings = state.settings.find(uid);
      if (settings == state.settings.end()) {
        all = false;
        continue;
      }
      if (first == nullptr) first = &settings->second;
      alike = alike && *first == settings->second;
    }
    if (first == nullptr) continue;
    if (!all || !alike) {
      // What was remembered is not what is read back by who has just been given them: somebody
      // wrote between a heal and its reading, while the others were away. Then all are given them
      // again.
      if (expected.given_again.contains(uid)) batch.erase(Table::kMeta, readback_key(index));
      continue;
    }
    const std::string prefix = key_join("settings read back", key_of(index.incarnation));
    batch.erase_range(Table::kMeta, prefix, prefix_end(prefix));  // of older versions
    batch.put(Table::kMeta, readback_key(index), to_text(*first));
  }
  if (batch.empty()) co_return Result<void>{};
  co_return co_await tools.store.commit(std::move(batch));
}

NamesOnNodes failed_settings(const Tools& tools, const Catalogue& catalogue) {
  NamesOnNodes failed;
  for (const Taint& taint : tools.log.index_taints()) {
    const IndexState* index = catalogue.by_incarnation(taint.incarnation);
    if (index != nullptr && std::ranges::count(taint.failed, index->settings_version) > 0)
      failed.emplace(taint.node, index->uid);
  }
  return failed;
}

}  // namespace miroir::anti_entropy
