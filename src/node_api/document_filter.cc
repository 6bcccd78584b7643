#include "node_api/document_filter.h"

#include <limits>

namespace miroir {
namespace {

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

std::string between(std::string_view field, const std::string& first, const std::string& last) {
  return std::string(field) + ' ' + filter_quoted(first) + " TO " + filter_quoted(last);
}

// A value that is no text, or lies outside of all that Miroir writes, is as good as none.
std::string unmarked_condition() {
  std::string out =
      "NOT " + between(kSlotField, encode_slot(0), encode_slot(std::numeric_limits<Slot>::max()));
  for (const std::string_view field : kDigestFields) {
    out += " OR NOT " + between(field, encode_symbol(0), encode_symbol(kDigestSymbols - 1));
  }
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
  if (range.last == std::numeric_limits<Slot>::max())
    return between(kSlotField, first, encode_slot(range.last));
  const std::string next = encode_slot(static_cast<Slot>(range.last + 1));
  return '(' + between(kSlotField, first, next) + " AND " + std::string(kSlotField) +
         " != " + filter_quoted(next) + ')';
}

std::string without_stamp_condition(const FieldNames& names) {
  // Two halves: what begins with a decimal digit, as a date does, sorts between them.
  const std::string field = filter_quoted(names.updated_at);
  constexpr Stamp kMiddle = kStampMax / 2;
  return "NOT " + between(field, encode_stamp(0), encode_stamp(kMiddle)) + " AND NOT " +
         between(field, encode_stamp(kMiddle + 1), encode_stamp(kStampMax));
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
    const Slot slot = slot_of(copy.id);
    const std::string version =
        copy.stamp ? stamp + " = " + filter_quoted(encode_stamp(*copy.stamp)) + " AND " +
                         std::string(kSlotField) + (copy.slot == slot ? " = " : " != ") +
                         filter_quoted(encode_slot(slot))
                   : without_stamp_condition(names);
    copies.push_back('(' + version + " AND " + filter_quoted(write.primary_key) + id + ')');
  }
  return Json::array({std::move(copies)});
}

}  // namespace miroir
