// The tasks that concern an index as a whole: creation, update, swap, settings.
#include <algorithm>
#include <set>

#include "meili/index_uid.h"
#include "node/settings.h"
#include "node/text_index.h"
#include "node/worker.h"

namespace miroir::node {
namespace {

std::optional<std::string> text_member(const Json& content, std::string_view name) {
  const Json* value = content.find(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->as_string();
}

}  // namespace

Result<Worker::Attempt> Worker::index_creation(const Task& task) {
  if (find(task) != nullptr) {
    return Attempt(std::unexpected(meili::api_error(
        "index_already_exists", "Index `" + *task.index_uid + "` already exists.")));
  }
  MIROIR_CHECK(create_index(*task.index_uid, text_member(task.content, "primaryKey")));
  return Attempt(Apply());
}

// As Meilisearch: what refuses the primary key has given the name all the same.
Result<Worker::Attempt> Worker::index_update(const Task& task, Done& done) {
  Index* index = find(task);
  if (index == nullptr) return Attempt(std::unexpected(meili::index_not_found(*task.index_uid)));
  const auto primary_key = text_member(task.content, "primaryKey");
  const std::string uid = text_member(task.content, "uid").value_or(index->uid);
  if (uid != index->uid) {
    if (find(uid) != nullptr) {
      return Attempt(std::unexpected(
          meili::api_error("index_already_exists", "Index `" + uid + "` already exists.")));
    }
    MIROIR_TRY(sqlite::Statement* const row,
               database_.cached("UPDATE indexes SET uid=? WHERE number=?"));
    row->bind(1, uid).bind(2, index->number);
    MIROIR_CHECK(row->run());
    done.result.renames.emplace_back(index->uid, uid);
    done.result.renamed_before = task.uid;
    done.apply = [this, index, uid] {
      auto node = catalogue_.extract(index->uid);
      index->uid = uid;
      node.key() = uid;
      catalogue_.insert(std::move(node));
    };
  }
  if (primary_key && index->primary_key != primary_key && !index->documents.empty()) {
    return Attempt(
        std::unexpected(meili::api_error("index_primary_key_already_exists",
                                         "Index `" + uid + "`: Index already has a primary key: `" +
                                             index->primary_key.value_or("") + "`.")));
  }
  const WallTime now = clock_.wall_now();
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("UPDATE indexes SET primary_key=?, updated_at=? WHERE number=?"));
  row->bind(2, now.time_since_epoch().count()).bind(3, index->number);
  if (const auto& key = primary_key ? primary_key : index->primary_key) row->bind(1, *key);
  MIROIR_CHECK(row->run());
  return Attempt([index, primary_key, now, rename = done.apply] {
    if (rename) rename();
    if (primary_key) index->primary_key = primary_key;
    index->updated_at = now;
  });
}

Result<Worker::Attempt> Worker::index_swap(const Task& task, Done& done) {
  struct Swap {
    std::string first;
    std::string second;
    bool rename;
  };
  std::vector<Swap> swaps;
  std::set<std::string> missing;
  for (const Json& json : task.content.find("swaps")->as_array()) {
    const Json::Array& pair = json.find("indexes")->as_array();
    swaps.push_back({pair[0].as_string(), pair[1].as_string(), json.find("rename")->as_bool()});
  }
  for (const Swap& swap : swaps) {
    if (find(swap.first) == nullptr) missing.insert(swap.first);
    if (!swap.rename && find(swap.second) == nullptr) missing.insert(swap.second);
  }
  if (missing.size() == 1)
    return Attempt(std::unexpected(meili::index_not_found(*missing.begin())));
  if (!missing.empty()) {
    std::string names;
    for (const std::string& name : missing) names += (names.empty() ? "`" : ", `") + name + "`";
    return Attempt(
        std::unexpected(meili::api_error("index_not_found", "Indexes " + names + " not found.")));
  }
  std::vector<std::pair<Index*, std::string>> names;  // what each will be called
  for (const Swap& swap : swaps) {
    if (swap.rename && find(swap.second) != nullptr) {
      return Attempt(std::unexpected(meili::api_error(
          "index_already_exists", "Cannot rename `" + swap.first + "` to `" + swap.second +
                                      "` as the index already exists. Hint: You can remove `" +
                                      swap.second + "` first and then do your remove.")));
    }
    names.emplace_back(find(swap.first), swap.second);
    if (!swap.rename) names.emplace_back(find(swap.second), swap.first);
  }
  done.result.renamed_before = task.uid;
  for (const auto& [index, uid] : names) {
    done.result.renames.emplace_back(index->uid, uid);
    MIROIR_TRY(sqlite::Statement* const row,
               database_.cached("UPDATE indexes SET uid=? WHERE number=?"));
    row->bind(1, uid).bind(2, index->number);
    MIROIR_CHECK(row->run());
  }
  return Attempt([this, names] {
    std::vector<std::unique_ptr<Index>> moved;
    for (const auto& [index, uid] : names)
      moved.push_back(std::move(catalogue_.extract(index->uid).mapped()));
    for (std::size_t i = 0; i < names.size(); ++i) {
      moved[i]->uid = names[i].second;
      catalogue_.emplace(names[i].second, std::move(moved[i]));
    }
  });
}

Result<Worker::Attempt> Worker::settings_update(const Task& task) {
  Index* index = find(task);
  const bool deletion =
      task.content.find("deletion") != nullptr && task.content.find("deletion")->as_bool();
  if (index == nullptr && deletion)
    return Attempt(std::unexpected(meili::index_not_found(*task.index_uid)));
  if (index == nullptr) {
    MIROIR_TRY(index, create_index(*task.index_uid, std::nullopt));
  }
  auto settings = apply_settings(index->settings, *task.content.find("settings"));
  if (!settings) return Attempt(std::unexpected(std::move(settings.error())));

  struct Update {
    Json settings;
    FieldRules rules;
    std::map<std::string, Column, std::less<>> columns;
  };
  auto update = std::make_shared<Update>();
  update->settings = std::move(*settings);
  update->rules = FieldRules(update->settings);
  MIROIR_TRY(update->columns, build_columns(database_, *index, update->rules));
  const WallTime now = clock_.wall_now();
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("UPDATE indexes SET settings=?, updated_at=? WHERE number=?"));
  row->bind(1, to_text(update->settings))
      .bind(2, now.time_since_epoch().count())
      .bind(3, index->number);
  MIROIR_CHECK(row->run());
  if (!same_words(index->settings, update->settings)) {
    MIROIR_CHECK(drop_text_index(database_, index->number));
    MIROIR_CHECK(create_text_index(database_, index->number));
    Index renewed;  // what update_text_index may ask for: the number and the settings
    renewed.number = index->number;
    renewed.uid = index->uid;
    renewed.primary_key = index->primary_key;
    renewed.settings = update->settings;
    renewed.rules = update->rules;
    renewed.fields = index->fields;
    renewed.field_order = index->field_order;
    MIROIR_CHECK(for_each_document(
        database_, *index, [&](DocumentNumber number, std::string_view text) -> Result<void> {
          MIROIR_TRY(const Json document, parse_json(text));
          return update_text_index(database_, renewed, number, nullptr, &document);
        }));
  }
  return Attempt([index, update, now] {
    index->settings = std::move(update->settings);
    index->rules = std::move(update->rules);
    index->columns = std::move(update->columns);
    index->updated_at = now;
  });
}

}  // namespace miroir::node
