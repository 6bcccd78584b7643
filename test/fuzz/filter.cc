// Our questions in the filter grammar: what is built parses back to what was meant, whatever names,
// values and clients' filters are put into it, and no client's filter reaches a stored field.
// Input: a byte that chooses, then texts with a byte 0xFF between them.
#include "meili/filter.h"

#include <algorithm>

#include "base/json_scan.h"
#include "fuzz/fuzz.h"
#include "meili/filter_text.h"
#include "node_api/document_filter.h"
#include "search/conceal.h"

namespace miroir {
namespace {

using fuzz::expect;
using meili::Filter;
using meili::FilterOperator;
using Kind = Filter::Kind;

constexpr std::string_view kCode = "invalid_document_filter";

std::expected<Filter, meili::ApiError> parsed(const Json& filter) {
  return meili::parse_filter(filter, kCode);
}

Filter must_parse(const Json& filter) {
  auto result = parsed(filter);
  expect(result.has_value(), "what is built can be read", to_text(filter),
         result ? "" : result.error().message);
  return std::move(*result);
}

// The tree, with nothing of how it was written.
std::string shape(const Filter& filter) {
  if (filter.kind == Kind::kCondition) {
    std::string out = std::to_string(static_cast<int>(filter.operation));
    const auto word = [&](const std::string& text) {
      out += "<" + std::to_string(text.size()) + ":" + text + ">";
    };
    word(filter.field.text);
    for (const meili::FilterWord& value : filter.values) word(value.text);
    return out;
  }
  std::string out = std::to_string(static_cast<int>(filter.kind)) + "{";
  for (const Filter& child : filter.children) out += shape(child) + " ";
  return out + "}";
}

// The same filter, written anew with every word quoted.
std::string written(const Filter& filter) {
  const auto list = [&](std::string_view between) {
    std::string out = "(";
    for (const Filter& child : filter.children)
      out += (out.size() > 1 ? std::string(between) : "") + written(child);
    return out + ")";
  };
  const auto values = [&](std::string_view between) {
    std::string out;
    for (const meili::FilterWord& value : filter.values)
      out += (out.empty() ? "" : std::string(between)) + filter_quoted(value.text);
    return out;
  };
  const std::string field = filter_quoted(filter.field.text);
  switch (filter.kind) {
    case Kind::kAll:
      return "";
    case Kind::kAnd:
      return list(" AND ");
    case Kind::kOr:
      return list(" OR ");
    case Kind::kNot:
      return "NOT (" + written(filter.children[0]) + ")";
    case Kind::kCondition:
      break;
  }
  switch (filter.operation) {
    case FilterOperator::kBetween:
      return field + " " + values(" TO ");
    case FilterOperator::kIn:
      return field + " IN [" + values(", ") + "]";
    case FilterOperator::kExists:
      return field + " EXISTS";
    case FilterOperator::kIsNull:
      return field + " IS NULL";
    case FilterOperator::kIsEmpty:
      return field + " IS EMPTY";
    case FilterOperator::kGeoRadius:
    case FilterOperator::kGeoBoundingBox: {
      std::vector<std::string> numbers;
      for (const meili::FilterWord& value : filter.values) numbers.push_back(value.text);
      if (filter.operation == FilterOperator::kGeoRadius)
        return "_geoRadius(" + numbers[0] + "," + numbers[1] + "," + numbers[2] + ")";
      return "_geoBoundingBox([" + numbers[0] + "," + numbers[1] + "],[" + numbers[2] + "," +
             numbers[3] + "])";
    }
    default:
      break;
  }
  constexpr std::string_view kSigns[] = {"=", "!=", ">", ">=", "<", "<="};
  const auto sign = static_cast<std::size_t>(filter.operation);
  const std::string operation = filter.operation == FilterOperator::kContains ? "CONTAINS"
                                : filter.operation == FilterOperator::kStartsWith
                                    ? "STARTS WITH"
                                    : std::string(kSigns[sign]);
  return field + " " + operation + " " + values("");
}

int depth_of(const Filter& filter) {
  int depth = 0;
  for (const Filter& child : filter.children) depth = std::max(depth, depth_of(child));
  return depth + 1;
}

void check_round_trip(const std::string& text) {
  const auto filter = parsed(Json(text));
  // Written anew it may have more parentheses, and the grammar allows a few dozen in one another.
  if (!filter || depth_of(*filter) > 15) return;
  const std::string again = written(*filter);
  expect(shape(must_parse(Json(again))) == shape(*filter), "written anew it is the same filter",
         text, again);
}

void check_quotes(const std::string& field, const std::string& value) {
  const Filter filter = must_parse(Json(filter_quoted(field) + " = " + filter_quoted(value)));
  expect(filter.kind == Kind::kCondition && filter.operation == FilterOperator::kEqual &&
             filter.field.text == field && filter.values[0].text == value,
         "quoted text stays in its quotes", field, value);
}

// A delete that must hit exactly these copies.
void check_exact_copies(const std::string& primary_key, const std::string& id) {
  DeleteExactCopies write;
  write.primary_key = primary_key;
  write.copies = {{id, slot_of(id), 1'700'000'000'000'000}, {"other", 7, 8}};
  const Filter filter = must_parse(exact_copies_filter(write, FieldNames()));
  expect(filter.kind == Kind::kOr && filter.children.size() == 2, "one alternative a copy",
         primary_key, id);
  const Filter& copy = filter.children[0];
  expect(copy.kind == Kind::kAnd && copy.children.size() == 3, "three conditions", primary_key, id);
  const auto is = [&](const Filter& condition, std::string_view field, FilterOperator operation,
                      std::string_view value) {
    return condition.kind == Kind::kCondition && condition.field.text == field &&
           condition.operation == operation && condition.values[0].text == value;
  };
  const bool cut = id.size() > 460;
  expect(is(copy.children[1], kSlotField, FilterOperator::kEqual, encode_slot(slot_of(id))),
         "the slot", id);
  expect(is(copy.children[2], primary_key,
            cut ? FilterOperator::kStartsWith : FilterOperator::kEqual, id.substr(0, 460)),
         "the id", primary_key, id);
  expect(is(copy.children[0], FieldNames().updated_at, FilterOperator::kEqual,
            encode_stamp(1'700'000'000'000'000)),
         "the stamp", id);
}

// A client's filter beside our conditions: all of it, and nothing more than it.
void check_together(const Json& client, std::uint8_t choice) {
  DocumentQuery query;
  query.filter = client;
  if ((choice & 1) != 0) query.slots = {{0, 511}, {1000, 2000}};
  if ((choice & 2) != 0) query.symbols[1] = {3, 99};
  if ((choice & 4) != 0) query.unmarked = true;
  const auto alone = parsed(client);
  const auto together = document_filter(query);
  query.filter.reset();
  const auto ours = document_filter(query);
  if (!together)
    return expect(!ours && meili::is_empty_filter(client), "only what says nothing is left out",
                  to_text(client));
  const auto both = parsed(*together);
  expect(both.has_value() == alone.has_value(),
         "a client's bad filter stays bad, and a good one good", to_text(client),
         to_text(*together));
  if (!both) return;
  std::vector<std::string> expected;
  const auto add = [&](const Filter& filter) {
    if (filter.kind == Kind::kAll) return;
    if (filter.kind != Kind::kAnd) return expected.push_back(shape(filter));
    for (const Filter& child : filter.children) expected.push_back(shape(child));
  };
  if (ours) add(must_parse(*ours));
  // Of an array the elements stand beside ours; an expression is one of them, whatever it is.
  if (client.is_array()) {
    for (const Json& element : client.as_array()) {
      if (const Filter filter = must_parse(Json::array({element})); filter.kind != Kind::kAll)
        expected.push_back(shape(filter));
    }
  } else if (alone->kind != Kind::kAll) {
    expected.push_back(shape(*alone));
  }
  std::vector<std::string> seen;
  if (both->kind == Kind::kAnd && expected.size() > 1) {
    for (const Filter& child : both->children) seen.push_back(shape(child));
  } else if (both->kind != Kind::kAll) {
    seen.push_back(shape(*both));
  }
  expect(seen == expected, "our conditions and the client's, side by side", to_text(client),
         to_text(*together));
}

// A node may read what we cannot: the escapes of its grammar undone, no such name is left.
void expect_unnamed(const Json& filter) {
  if (filter.is_array()) std::ranges::for_each(filter.as_array(), expect_unnamed);
  if (!filter.is_string()) return;
  const std::string& text = filter.as_string();
  expect(text.find(kReservedPrefix) == text.npos, "no stored field where we cannot read", text);
  const auto plain = meili::unescape(text, '"');
  expect(!plain || plain->find(kReservedPrefix) == plain->npos, "no escaped one either", text);
}

void check_concealed(const Json& client) {
  Json body = Json::object({{"filter", client}});
  conceal_reserved(body);
  const Json& left = *body.find("filter");
  const auto filter = parsed(left);
  if (!filter) return expect_unnamed(left);
  for (const std::string& field : meili::attributes_of(*filter))
    expect(!field.starts_with(kReservedPrefix), "no stored field is asked for", to_text(client),
           to_text(left));
}

}  // namespace
}  // namespace miroir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace miroir;
  if (size == 0) return 0;
  const std::string text(fuzz::text_of(data + 1, size - 1));
  const std::size_t cut = std::min(text.find('\xFF'), text.size());
  const std::string first = text.substr(0, cut);
  const std::string second = cut < text.size() ? text.substr(cut + 1) : "id";
  check_quotes(first, second);
  check_exact_copies(first, second);
  if (!is_utf8(text)) return 0;  // what follows comes out of JSON
  check_round_trip(text);
  const auto json = parse_json(text);
  for (const Json& client : {Json(text), Json::array({"a = 1", text}),
                             Json::array({Json::array({text, "b = 2"})}), json ? *json : Json()}) {
    check_together(client, data[0]);
    check_concealed(client);
  }
  return 0;
}
