#include "node_api/simulated_reads_fake.h"

#include <algorithm>

#include "node_api/simulated_writes_fake.h"

namespace miroir {
namespace {

std::string string_at(const Json& document, std::string_view field) {
  const Json* value = document.find(field);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

// The texts of a field that filters compare: its own, or those of its array.
std::vector<std::string> texts_at(const Json& document, std::string_view field) {
  std::vector<std::string> texts;
  const Json* value = document.find(field);
  if (value != nullptr && value->is_string()) texts.push_back(value->as_string());
  if (value != nullptr && value->is_array()) {
    for (const Json& element : value->as_array())
      if (element.is_string()) texts.push_back(element.as_string());
  }
  return texts;
}

bool lies_in(const std::string& text, const SlotRange& range) {
  if (const auto slot = decode_slot(text)) return range.contains(*slot);
  if (text < encode_slot(range.first)) return false;
  if (range.last == 0xFFFF) return text <= encode_slot(range.last);
  return text < encode_slot(static_cast<Slot>(range.last + 1));
}

bool in_ranges(const Json& document, const std::vector<SlotRange>& ranges) {
  return std::ranges::any_of(texts_at(document, kSlotField), [&](const std::string& text) {
    return std::ranges::any_of(ranges,
                               [&](const SlotRange& range) { return lies_in(text, range); });
  });
}

bool has_symbols(const Json& document, const DocumentQuery& query) {
  for (std::size_t i = 0; i < query.symbols.size(); ++i) {
    if (query.symbols[i].empty()) continue;
    const auto symbol = decode_symbol(string_at(document, kDigestFields[i]));
    if (!symbol || std::ranges::find(query.symbols[i], *symbol) == query.symbols[i].end())
      return false;
  }
  return true;
}

bool is_unmarked(const Json& document) {
  const auto without_symbol = [&](std::string_view field) {
    return std::ranges::none_of(texts_at(document, field), [](const std::string& text) {
      return text >= encode_symbol(0) && text <= encode_symbol(kDigestSymbols - 1);
    });
  };
  return !in_ranges(document, {SlotRange()}) || std::ranges::any_of(kDigestFields, without_symbol);
}

Result<bool> matches(const std::string& id, const Json& document, const DocumentQuery& query) {
  if (!query.ids.empty() && std::ranges::find(query.ids, id) == query.ids.end()) return false;
  if (!query.slots.empty() && !in_ranges(document, query.slots)) return false;
  if (!has_symbols(document, query)) return false;
  if (query.unmarked && !is_unmarked(document)) return false;
  if (!query.filter) return true;
  return simulated_filter_matches(*query.filter, document);
}

Json with_fields(const Json& document, const std::vector<std::string>& fields, bool vectors) {
  Json out = Json::object();
  for (const auto& [field, value] : document.as_object()) {
    if (field == "_vectors" && !vectors) continue;
    if (fields.empty() || std::ranges::find(fields, field) != fields.end()) out.set(field, value);
  }
  if (vectors && out.find("_vectors") == nullptr && fields.empty())
    out.set("_vectors", Json::object());
  return out;
}

http::Response refusal(int status, std::string_view code) {
  return http::json_response(status, to_text(simulated_task_error(code, "Not found.")));
}

}  // namespace

Result<const SimulatedNode::Index*> simulated_index(const SimulatedNode& node,
                                                    const std::string& index_uid) {
  const auto found = node.disk().indexes.find(index_uid);
  if (found == node.disk().indexes.end())
    return fail(ErrorCode::kNotFound, "index_not_found: Index `" + index_uid + "` not found.");
  return &found->second;
}

Result<DocumentPage> simulated_documents(const SimulatedNode& node, const DocumentQuery& query) {
  MIROIR_TRY(const SimulatedNode::Index* index, simulated_index(node, query.index_uid));
  DocumentPage page;
  for (const auto& [id, document] : index->documents) {
    MIROIR_TRY(const bool wanted, matches(id, document, query));
    if (!wanted) continue;
    const bool skipped = page.total++ < query.offset;
    if (skipped || page.documents.size() >= query.limit) continue;
    page.documents.push_back(to_text(with_fields(document, query.fields, query.vectors)));
    page.bytes += page.documents.back().size();
  }
  return page;
}

std::map<std::string, std::optional<Json>> simulated_answers(const SimulatedNode& node,
                                                             const DocumentQuery& query) {
  std::map<std::string, std::optional<Json>> answers;
  const auto index = node.disk().indexes.find(query.index_uid);
  if (index == node.disk().indexes.end()) return answers;
  for (const std::string& id : query.ids) {
    const auto found = index->second.documents.find(id);
    answers[id] =
        found == index->second.documents.end() ? std::nullopt : std::optional(found->second);
  }
  return answers;
}

Result<std::vector<DigestCounts>> simulated_digests(const SimulatedNode& node,
                                                    const std::string& index_uid,
                                                    const std::vector<SlotRange>& ranges) {
  MIROIR_TRY(const SimulatedNode::Index* index, simulated_index(node, index_uid));
  std::vector<DigestCounts> digests(ranges.size());
  for (const auto& [id, document] : index->documents) {
    for (std::size_t range = 0; range < ranges.size(); ++range) {
      if (!ranges[range].is_all() && !in_ranges(document, {ranges[range]})) continue;
      for (std::size_t i = 0; i < kDigestFields.size(); ++i) {
        const auto symbol = decode_symbol(string_at(document, kDigestFields[i]));
        if (symbol) ++digests[range].counts[i][*symbol];
      }
    }
  }
  return digests;
}

http::Response simulated_read(const SimulatedNode& node, const http::ClientRequest& request) {
  static constexpr std::string_view kIndexes = "/indexes/";
  static constexpr std::string_view kDocuments = "/documents/";
  const std::string path = request.target.substr(0, request.target.find('?'));
  const std::size_t documents = path.find(kDocuments);
  if (request.method != "GET" || !path.starts_with(kIndexes) || documents == std::string::npos)
    return refusal(404, "not_found");
  const auto index =
      simulated_index(node, path.substr(kIndexes.size(), documents - kIndexes.size()));
  if (!index) return refusal(404, "index_not_found");
  const auto id = http::percent_decode(path.substr(documents + kDocuments.size()));
  const auto found = (*index)->documents.find(id.value_or(""));
  if (found == (*index)->documents.end()) return refusal(404, "document_not_found");
  return http::json_response(200, to_text(found->second));
}

}  // namespace miroir
