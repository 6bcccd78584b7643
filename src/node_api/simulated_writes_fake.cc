#include "node_api/simulated_writes_fake.h"

#include <algorithm>

#include "base/assert.h"
#include "base/document.h"
#include "meili/filter.h"
#include "meili/primary_key.h"
#include "node_api/document_filter.h"
#include "node_api/node_settings.h"

namespace miroir {
namespace {

using Disk = SimulatedNode::Disk;
using Index = SimulatedNode::Index;

SimulatedOutcome failed(std::string_view code, std::string message) {
  return {simulated_task_error(code, std::move(message)), Json::object()};
}

SimulatedOutcome missing_index(const std::string& uid) {
  return failed("index_not_found", "Index `" + uid + "` not found.");
}

bool holds(const meili::Filter& filter, const Json& document);

struct Apply {
  Disk& disk;
  const NodeTask& task;
  const FieldNames& names;
  const std::string& now;

  Index* find(const std::string& uid) const {
    const auto found = disk.indexes.find(uid);
    return found == disk.indexes.end() ? nullptr : &found->second;
  }

  SimulatedOutcome operator()(const WriteDocuments& write) const {
    Index* index = find(write.index_uid);
    if (index == nullptr) {
      index = &disk.indexes[write.index_uid];
      index->created_at = now;
    }
    if (!write.primary_key.empty()) {
      if (!index->primary_key) index->primary_key = write.primary_key;
      if (*index->primary_key != write.primary_key)
        return failed("index_primary_key_already_exists", "Index already has a primary key.");
    }
    SimulatedOutcome outcome;
    std::uint64_t received = 0;
    const auto each = [&](std::string_view text) -> Result<void> {
      MIROIR_TRY(const Json document, parse_json(text, DecimalReading::kNode));
      ++received;
      return store(*index, write, document);
    };
    if (auto stored = for_each_document(write.ndjson, BodyFormat::kNdjson, each); !stored)
      return failed("invalid_document_id", stored.error().message);
    outcome.details =
        Json::object({{"receivedDocuments", received}, {"indexedDocuments", received}});
    return outcome;
  }

  static Result<void> store(Index& index, const WriteDocuments& write, const Json& document) {
    if (!index.primary_key) {
      auto key = meili::infer_primary_key(document);
      if (!key) return fail(ErrorCode::kInvalid, key.error().message);
      index.primary_key = *key;
    }
    const auto id = meili::document_id_of(document, *index.primary_key);
    if (!id) return fail(ErrorCode::kInvalid, id.error().message);
    const auto present = index.documents.find(*id);
    if (write.skip_creation && present == index.documents.end()) return {};
    if (!write.merge || present == index.documents.end()) {
      index.documents.insert_or_assign(*id, document);
    } else {
      for (const auto& [field, value] : document.as_object()) present->second.set(field, value);
    }
    return {};
  }

  SimulatedOutcome operator()(const DeleteDocuments& write) const {
    Index* index = find(write.index_uid);
    if (index == nullptr) return missing_index(write.index_uid);
    std::uint64_t deleted = 0;
    for (const std::string& id : write.ids) deleted += index->documents.erase(id);
    return deleted_documents(deleted);
  }

  SimulatedOutcome operator()(const DeleteExactCopies& write) const {
    Index* index = find(write.index_uid);
    if (index == nullptr) return missing_index(write.index_uid);
    const auto filter =
        meili::parse_filter(exact_copies_filter(write, names), "invalid_document_filter");
    MIROIR_ASSERT(filter);
    return deleted_documents(std::erase_if(
        index->documents, [&](const auto& document) { return holds(*filter, document.second); }));
  }

  SimulatedOutcome operator()(const ClearDocuments& write) const {
    Index* index = find(write.index_uid);
    if (index == nullptr) return missing_index(write.index_uid);
    const std::uint64_t deleted = index->documents.size();
    index->documents.clear();
    return deleted_documents(deleted);
  }

  static SimulatedOutcome deleted_documents(std::uint64_t count) {
    return {std::nullopt, Json::object({{"deletedDocuments", count}})};
  }

  SimulatedOutcome operator()(const CreateIndex& write) const {
    if (find(write.index_uid) != nullptr)
      return failed("index_already_exists", "Index `" + write.index_uid + "` already exists.");
    Index& index = disk.indexes[write.index_uid];
    index.primary_key = write.primary_key;
    index.created_at = now;
    return {};
  }

  SimulatedOutcome operator()(const UpdateIndex& write) const {
    Index* index = find(write.index_uid);
    if (index == nullptr) return missing_index(write.index_uid);
    if (write.new_uid && *write.new_uid != write.index_uid) {
      if (find(*write.new_uid) != nullptr)
        return failed("index_already_exists", "Index `" + *write.new_uid + "` already exists.");
      rename(write.index_uid, *write.new_uid);
      index = find(*write.new_uid);
    }
    if (write.primary_key) {
      if (index->primary_key && *index->primary_key != *write.primary_key &&
          !index->documents.empty()) {
        SimulatedOutcome outcome =
            failed("index_primary_key_already_exists", "Index already has a primary key.");
        outcome.stays = true;  // its name
        return outcome;
      }
      index->primary_key = write.primary_key;
    }
    return {};
  }

  void rename(const std::string& from, const std::string& to) const {
    auto node = disk.indexes.extract(from);
    node.key() = to;
    disk.indexes.insert(std::move(node));
  }

  SimulatedOutcome operator()(const DropIndex& write) const {
    Index* index = find(write.index_uid);
    if (index == nullptr) return missing_index(write.index_uid);
    const std::uint64_t deleted = index->documents.size();
    disk.indexes.erase(write.index_uid);
    return deleted_documents(deleted);
  }

  SimulatedOutcome operator()(const SwapIndexes& write) const {
    for (const SwapIndexes::Pair& pair : write.pairs) {
      Index* first = find(pair.first);
      Index* second = find(pair.second);
      if (first == nullptr) return missing_index(pair.first);
      if (pair.rename) {
        if (second != nullptr)
          return failed("index_already_exists", "Index `" + pair.second + "` already exists.");
        rename(pair.first, pair.second);
      } else {
        if (second == nullptr) return missing_index(pair.second);
        std::swap(*first, *second);
      }
    }
    return {};
  }

  SimulatedOutcome operator()(const UpdateSettings& write) const {
    Index* index = find(write.index_uid);
    if (index == nullptr) {
      index = &disk.indexes[write.index_uid];
      index->created_at = now;
    }
    if (!write.settings.is_object()) return failed("invalid_settings", "Not an object.");
    index->settings = merge_settings(index->settings, write.settings);
    return {std::nullopt, write.settings};
  }

  SimulatedOutcome operator()(const ForgetTasks& write) const {
    const std::uint64_t before = disk.tasks.size();
    std::erase_if(disk.tasks, [&](const auto& entry) {
      return entry.first >= write.first && entry.first < write.before && entry.second.task.ended();
    });
    return {std::nullopt,
            Json::object({{"deletedTasks", std::uint64_t{before - disk.tasks.size()}}})};
  }
};

struct TypeOf {
  std::string operator()(const WriteDocuments&) const { return "documentAdditionOrUpdate"; }
  std::string operator()(const DeleteDocuments&) const { return "documentDeletion"; }
  std::string operator()(const DeleteExactCopies&) const { return "documentDeletion"; }
  std::string operator()(const ClearDocuments&) const { return "documentDeletion"; }
  std::string operator()(const CreateIndex&) const { return "indexCreation"; }
  std::string operator()(const UpdateIndex&) const { return "indexUpdate"; }
  std::string operator()(const DropIndex&) const { return "indexDeletion"; }
  std::string operator()(const SwapIndexes&) const { return "indexSwap"; }
  std::string operator()(const UpdateSettings&) const { return "settingsUpdate"; }
  std::string operator()(const ForgetTasks&) const { return "taskDeletion"; }
};

// -1, 0, 1 as the field compares with the word; nullopt where they are of different kinds.
std::optional<int> compare(const Json& value, const meili::FilterWord& word) {
  if (value.is_number()) {
    const auto number = word.number();
    if (!number) return std::nullopt;
    return value.as_double() < *number ? -1 : value.as_double() > *number ? 1 : 0;
  }
  if (value.is_bool()) return (value.as_bool() ? "true" : "false") == word.text ? 0 : 1;
  if (!value.is_string()) return std::nullopt;
  const int order = value.as_string().compare(word.text);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

// As Meilisearch compares strings for equality, so far as ASCII goes: without regard to case, and
// what is too long for its index is equal to nothing.
std::string normalised(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

bool equal(const Json& value, const meili::FilterWord& word) {
  constexpr std::size_t kFacetBytesMax = 468;
  if (!value.is_string()) return compare(value, word) == 0;
  return value.as_string().size() <= kFacetBytesMax &&
         normalised(value.as_string()) == normalised(word.text);
}

bool condition_holds(const meili::Filter& filter, const Json& document) {
  using enum meili::FilterOperator;
  const Json* value = document.find(filter.field.text);
  if (filter.operation == kExists) return value != nullptr;
  if (filter.operation == kIsNull) return value != nullptr && value->is_null();
  if (filter.operation == kNotEqual) return value == nullptr || !equal(*value, filter.values[0]);
  if (value == nullptr) return false;
  const auto order = [&](std::size_t i) { return compare(*value, filter.values[i]); };
  switch (filter.operation) {
    case kEqual:
      return equal(*value, filter.values[0]);
    case kGreater:
      return order(0) > 0;
    case kGreaterOrEqual:
      return order(0) >= 0;
    case kLower:
      return order(0) && *order(0) < 0;
    case kLowerOrEqual:
      return order(0) && *order(0) <= 0;
    case kBetween:
      return order(0) >= 0 && order(1) && *order(1) <= 0;
    case kIn:
      return std::ranges::any_of(filter.values,
                                 [&](const auto& word) { return equal(*value, word); });
    case kStartsWith:
      return value->is_string() &&
             normalised(value->as_string()).starts_with(normalised(filter.values[0].text));
    default:
      return false;
  }
}

bool holds(const meili::Filter& filter, const Json& document) {
  const auto child = [&](const meili::Filter& part) { return holds(part, document); };
  switch (filter.kind) {
    case meili::Filter::Kind::kAll:
      return true;
    case meili::Filter::Kind::kAnd:
      return std::ranges::all_of(filter.children, child);
    case meili::Filter::Kind::kOr:
      return std::ranges::any_of(filter.children, child);
    case meili::Filter::Kind::kNot:
      return !child(filter.children[0]);
    case meili::Filter::Kind::kCondition:
      return condition_holds(filter, document);
  }
  return false;
}

}  // namespace

Json simulated_task_error(std::string_view code, std::string message) {
  return Json::object({{"message", std::move(message)},
                       {"code", code},
                       {"type", "invalid_request"},
                       {"link", "https://docs.meilisearch.com/errors#" + std::string(code)}});
}

std::string simulated_task_type(const NodeWrite& write) { return std::visit(TypeOf{}, write); }

std::string simulated_task_index(const NodeWrite& write) {
  return std::visit(
      [](const auto& one) -> std::string {
        if constexpr (requires { one.index_uid; }) return one.index_uid;
        return "";
      },
      write);
}

SimulatedOutcome apply_simulated_write(Disk& disk, const NodeTask& task, const NodeWrite& write,
                                       const FieldNames& names, const std::string& now) {
  return std::visit(Apply{disk, task, names, now}, write);
}

Result<bool> simulated_filter_matches(const Json& filter, const Json& document) {
  const auto parsed = meili::parse_filter(filter, "invalid_document_filter");
  if (!parsed) return fail(ErrorCode::kInvalid, parsed.error().message);
  return holds(*parsed, document);
}

}  // namespace miroir
