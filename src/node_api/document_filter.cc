#include "node_api/document_filter.h"

namespace miroir {
namespace {

constexpr std::size_t kSlotDigits = 6;

std::string any_of(const std::vector<std::string>& conditions) {
  std::string out;
  for (const std::string& condition : conditions) {
    if (!out.empty()) out += " OR ";
    out += condition;
  }
  return out;
}

std::string symbol_condition(std::string_view field, const std::vector<std::uint8_t>& symbols) {
  std::string out = std::string(field) + " IN [";
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    if (i > 0) out += ", ";
    out += filter_quoted(encode_symbol(symbols[i]));
  }
  return out + ']';
}

std::string unmarked_condition() {
  std::string out = std::string(kSlotField) + " NOT EXISTS";
  for (const std::string_view field : kDigestFields)
    out.append(" OR ").append(field).append(" NOT EXISTS");
  return out;
}

}  // namespace

std::string filter_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string slot_condition(const SlotRange& range) {
  const std::string first = encode_slot(range.first);
  const std::string last = encode_slot(range.last);
  std::size_t same = 0;
  while (same < kSlotDigits && first[same] == last[same]) ++same;
  const bool whole_prefix = first.find_first_not_of('!', same) == std::string::npos &&
                            last.find_first_not_of(']', same) == std::string::npos;
  const std::string field(kSlotField);
  if (same > 0 && whole_prefix)
    return field + " STARTS WITH " + filter_quoted(first.substr(0, same));
  return '(' + field + " >= " + filter_quoted(first) + " AND " + field +
         " <= " + filter_quoted(last) + ')';
}

std::optional<Json> document_filter(const DocumentQuery& query) {
  Json filter = Json::array();
  if (!query.slots.empty()) {
    std::vector<std::string> ranges;
    for (const SlotRange& range : query.slots) ranges.push_back(slot_condition(range));
    filter.push_back(any_of(ranges));
  }
  for (std::size_t i = 0; i < query.symbols.size(); ++i) {
    if (!query.symbols[i].empty())
      filter.push_back(symbol_condition(kDigestFields[i], query.symbols[i]));
  }
  if (query.unmarked) filter.push_back(unmarked_condition());
  if (query.filter && query.filter->is_array()) {
    for (const Json& part : query.filter->as_array()) filter.push_back(part);
  } else if (query.filter && !query.filter->is_null()) {
    filter.push_back(*query.filter);
  }
  if (filter.size() == 0) return std::nullopt;
  return filter;
}

Json exact_copies_filter(const DeleteExactCopies& write, const FieldNames& names) {
  Json copies = Json::array();
  for (const DeleteExactCopies::Copy& copy : write.copies) {
    const std::string id =
        copy.id.size() > kExactIdBytesMax
            ? " STARTS WITH " + filter_quoted(copy.id.substr(0, kExactIdBytesMax))
            : " = " + filter_quoted(copy.id);
    const std::string stamp = filter_quoted(names.updated_at);
    const std::string version =
        copy.stamp ? stamp + " = " + filter_quoted(encode_stamp(*copy.stamp)) + " AND " +
                         std::string(kSlotField) + " = " + filter_quoted(encode_slot(copy.slot))
                   : stamp + " NOT EXISTS";
    copies.push_back('(' + version + " AND " + filter_quoted(write.primary_key) + id + ')');
  }
  return Json::array({std::move(copies)});
}

}  // namespace miroir
