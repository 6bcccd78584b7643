#include "meili/primary_key.h"

#include <algorithm>
#include <vector>

#include "base/document.h"

namespace miroir::meili {
namespace {

bool ends_with_id(std::string_view key) {
  if (key.size() < 2) return false;
  const std::string_view end = key.substr(key.size() - 2);
  return (end[0] == 'i' || end[0] == 'I') && (end[1] == 'd' || end[1] == 'D');
}

std::expected<std::string, ApiError> only_candidate(std::vector<std::string> candidates) {
  constexpr std::string_view kAdvice =
      " Please specify the primary key manually using the `primaryKey` query parameter.";
  if (candidates.empty()) {
    return std::unexpected(api_error("index_primary_key_no_candidate_found",
                                     "The primary key inference failed as the engine did not find "
                                     "any field ending with `id` in its name." +
                                         std::string(kAdvice)));
  }
  if (candidates.size() > 1) {
    std::ranges::sort(candidates);
    return std::unexpected(api_error(
        "index_primary_key_multiple_candidates_found",
        "The primary key inference failed as the engine found " +
            std::to_string(candidates.size()) + " fields ending with `id` in their names: '" +
            candidates[0] + "' and '" + candidates[1] + "'." + std::string(kAdvice)));
  }
  return std::move(candidates.front());
}

ApiError missing_id(std::string_view document, std::string_view primary_key) {
  const auto parsed = parse_json(document, DecimalReading::kNode);
  const std::string shown = parsed ? to_text(*parsed) : std::string(document);
  return api_error("missing_document_id", "Document doesn't have a `" + std::string(primary_key) +
                                              "` attribute: `" + shown + "`.");
}

ApiError invalid_id(std::string_view value) {
  return api_error(
      "invalid_document_id",
      "Document identifier `" + std::string(value) +
          "` is invalid. A document identifier can be of type integer or string, only composed of "
          "alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be "
          "more "
          "than 511 bytes.");
}

// The member that a dotted name reaches: a member of that very name, or one of an object inside.
const Json* reach(const Json& object, std::string_view path) {
  if (const Json* direct = object.find(path)) return direct;
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos;
       dot = path.find('.', dot + 1)) {
    const Json* inner = object.find(path.substr(0, dot));
    if (inner == nullptr || !inner->is_object()) continue;
    if (const Json* found = reach(*inner, path.substr(dot + 1))) return found;
  }
  return nullptr;
}

std::expected<std::string, ApiError> id_of_value(std::string_view text) {
  auto id = document_id(text);
  if (id) return std::move(*id);
  const auto value = parse_json(text, DecimalReading::kNode);
  return std::unexpected(invalid_id(value ? to_text(*value) : text));
}

}  // namespace

std::expected<std::string, ApiError> infer_primary_key(std::string_view first_document) {
  std::vector<std::string> candidates;
  if (const auto fields = top_level_fields(first_document)) {
    for (const FieldView& field : *fields) {
      if (ends_with_id(field.key) && std::ranges::find(candidates, field.key) == candidates.end()) {
        candidates.push_back(field.key);
      }
    }
  }
  return only_candidate(std::move(candidates));
}

std::expected<std::string, ApiError> infer_primary_key(const Json& first_document) {
  std::vector<std::string> candidates;
  if (first_document.is_object()) {
    for (const auto& [key, value] : first_document.as_object()) {
      if (ends_with_id(key)) candidates.push_back(key);
    }
  }
  return only_candidate(std::move(candidates));
}

std::expected<std::string, ApiError> document_id_of(std::string_view document,
                                                    std::string_view primary_key) {
  if (primary_key.find('.') != std::string_view::npos) {
    const auto parsed = parse_json(document, DecimalReading::kNode);
    if (!parsed) return std::unexpected(missing_id(document, primary_key));
    return document_id_of(*parsed, primary_key);
  }
  const auto fields = top_level_fields(document);
  const FieldView* found = nullptr;
  if (fields) {
    for (const FieldView& field : *fields) {
      if (field.key == primary_key) found = &field;
    }
  }
  if (found == nullptr) return std::unexpected(missing_id(document, primary_key));
  return id_of_value(found->value);
}

std::expected<std::string, ApiError> document_id_of(const Json& document,
                                                    std::string_view primary_key) {
  const Json* value = reach(document, primary_key);
  if (value == nullptr) return std::unexpected(missing_id(to_text(document), primary_key));
  if (value->is_integer()) return to_text(*value);
  return id_of_value(to_text(*value));
}

}  // namespace miroir::meili
