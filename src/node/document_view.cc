#include "node/document_view.h"

#include <algorithm>

namespace miroir::node {
namespace {

enum class Reach { kNone, kInside, kWhole };

// How far the names reach into the field.
Reach reach(const std::vector<std::string>& names, std::string_view field) {
  Reach result = Reach::kNone;
  for (const std::string_view name : names) {
    if (name == field) return Reach::kWhole;
    if (name.size() > field.size() && name.starts_with(field) && name[field.size()] == '.')
      result = Reach::kInside;
  }
  return result;
}

std::optional<Json> select_inside(const std::vector<std::string>& names, const Json& value,
                                  const std::string& base);

Json select_members(const std::vector<std::string>& names, const Json& object,
                    const std::string& base) {
  Json::Object selected;
  for (const auto& [key, value] : object.as_object()) {
    const std::string field = base.empty() ? key : base + "." + key;
    const Reach how = reach(names, field);
    if (how == Reach::kWhole) {
      selected.emplace_back(key, value);
    } else if (how == Reach::kInside) {
      if (auto inner = select_inside(names, value, field))
        selected.emplace_back(key, std::move(*inner));
    }
  }
  return selected;
}

std::optional<Json> select_inside(const std::vector<std::string>& names, const Json& value,
                                  const std::string& base) {
  if (value.is_object()) {
    Json inner = select_members(names, value, base);
    return inner.size() == 0 ? std::nullopt : std::optional(std::move(inner));
  }
  if (!value.is_array()) return std::nullopt;
  Json::Array elements;
  for (const Json& element : value.as_array()) {
    if (auto inner = select_inside(names, element, base)) elements.push_back(std::move(*inner));
  }
  return elements.empty() ? std::nullopt : std::optional(Json(std::move(elements)));
}

// Embeddings as a list of vectors, whether they were written as one vector, several, or an object.
Json shown_embedding(const Json& value) {
  const Json* embeddings = value.is_object() ? value.find("embeddings") : &value;
  const Json* regenerate = value.find("regenerate");
  Json list = embeddings == nullptr || embeddings->is_null() ? Json::array() : *embeddings;
  if (list.is_array() && list.size() > 0 && !list.as_array().front().is_array())
    list = Json::array({list});
  return Json::object({{"embeddings", std::move(list)},
                       {"regenerate", regenerate == nullptr ? Json(false) : *regenerate}});
}

Json shown_vectors(const Json* stored, const Index& index) {
  Json vectors = Json::object();
  const Json* embedders = index.settings.find("embedders");
  if (stored == nullptr || !stored->is_object()) return vectors;
  for (const auto& [name, value] : stored->as_object()) {
    const bool known = embedders != nullptr && embedders->find(name) != nullptr;
    vectors.set(name, known && !value.is_null() ? shown_embedding(value) : value);
  }
  return vectors;
}

}  // namespace

FieldSelection::FieldSelection(std::vector<std::string> names) {
  if (std::ranges::find(names, "*") == names.end()) names_ = std::move(names);
}

Json FieldSelection::select(const Json& document) const {
  return names_ ? select_members(*names_, document, "") : document;
}

std::string shown_document(const std::string& text, const Index& index,
                           const FieldSelection& fields, bool vectors) {
  if (fields.all() && !vectors && !index.field_order.contains("_vectors")) return text;
  const auto document = parse_json(text);
  if (!document) return text;
  Json shown = fields.select(*document);
  shown.erase("_vectors");
  if (vectors) shown.set("_vectors", shown_vectors(document->find("_vectors"), index));
  return to_text(shown);
}

}  // namespace miroir::node
