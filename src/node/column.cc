#include "node/column.h"

#include <algorithm>

#include "meili/facet_value.h"

namespace miroir::node {
namespace {

constexpr std::size_t kFacetBytesMax = 468;

// Collects the values of the fields of one document. The rules are Meilisearch's: what an array
// holds belongs to its field, objects in arrays to their fields by name; null and emptiness count
// only directly in a field.
class Flattener {
 public:
  explicit Flattener(const std::function<bool(std::string_view)>& wanted) : wanted_(wanted) {}

  void object(const Json& value, const std::string& base) {
    for (const auto& [key, member] : value.as_object()) {
      const std::string name = base.empty() ? key : base + "." + key;
      see(name, member, true);
      if (member.is_object()) object(member, name);
      if (member.is_array()) array(member, name);
    }
  }

  std::vector<std::pair<std::string, FieldValues>> take() && { return std::move(fields_); }

 private:
  void array(const Json& value, const std::string& name) {
    for (const Json& element : value.as_array()) {
      if (element.is_object()) {
        object(element, name);
      } else if (element.is_array()) {
        array(element, name);
      } else {
        see(name, element, false);
      }
    }
  }

  void see(const std::string& name, const Json& value, bool directly) {
    if (!wanted_(name)) return;
    FieldValues& field = field_of(name);
    field.exists = true;
    if (value.is_null()) {
      field.null |= directly;
    } else if (value.is_bool()) {
      field.strings.emplace_back(value.as_bool() ? "true" : "false");
    } else if (value.is_number()) {
      field.numbers.push_back(value.as_double() + 0.0);  // -0 becomes 0
    } else if (value.is_string() && !value.as_string().empty()) {
      field.strings.push_back(value.as_string());
    } else if (value.size() == 0) {
      field.empty |= directly;
    }
  }

  FieldValues& field_of(const std::string& name) {
    const auto found =
        std::ranges::find(fields_, name, &std::pair<std::string, FieldValues>::first);
    return found == fields_.end() ? fields_.emplace_back(name, FieldValues{}).second
                                  : found->second;
  }

  const std::function<bool(std::string_view)>& wanted_;
  std::vector<std::pair<std::string, FieldValues>> fields_;
};

Postings& documents_of(Postings& documents) { return documents; }
Postings& documents_of(StringValue& value) { return value.documents; }
void set_spelling(Postings&, const std::string&) {}
void set_spelling(StringValue& value, const std::string& spelling) { value.spelling = spelling; }

// Both rising.
void change_postings(Postings& documents, const Postings& removed, const Postings& added) {
  if (removed.empty() && (documents.empty() || documents.back() < added.front())) {
    documents.insert(documents.end(), added.begin(), added.end());
    return;
  }
  Postings kept;
  std::ranges::set_difference(documents, removed, std::back_inserter(kept));
  documents.clear();
  std::ranges::set_union(kept, added, std::back_inserter(documents));
}

}  // namespace

std::string facet_key(std::string_view text) {
  std::string key = meili::normalise_facet(text);
  if (key.size() > kFacetBytesMax) {
    std::size_t end = kFacetBytesMax;
    while (end > 0 && (static_cast<unsigned char>(key[end]) & 0xC0) == 0x80) --end;
    key.resize(end);
  }
  return key;
}

std::vector<std::pair<std::string, FieldValues>> flatten(
    const Json& document, const std::function<bool(std::string_view)>& wanted) {
  Flattener flattener(wanted);
  flattener.object(document, "");
  return std::move(flattener).take();
}

void ColumnChange::remove(DocumentNumber document, const FieldValues& values) {
  for (const double number : values.numbers) numbers_.push_back({number, document, false, {}});
  for (const std::string& text : values.strings)
    strings_.push_back({facet_key(text), document, false, {}});
  flags_.push_back({document, {}});
}

void ColumnChange::add(DocumentNumber document, const FieldValues& values) {
  for (const double number : values.numbers) numbers_.push_back({number, document, true, {}});
  for (const std::string& text : values.strings)
    strings_.push_back({facet_key(text), document, true, text});
  flags_.push_back(
      {document, {.exists = values.exists, .null = values.null, .empty = values.empty}});
}

// In the order of the values, so that a new column is built by appending.
template <class Values, class Key>
void ColumnChange::apply_steps(Values& values, Steps<Key> steps) {
  std::ranges::stable_sort(steps, {}, [](const Step<Key>& step) {
    return std::pair<const Key&, DocumentNumber>(step.key, step.document);
  });
  auto next = values.end();
  Postings added;
  Postings removed;
  for (auto first = steps.begin(); first != steps.end();) {
    const auto end = std::find_if(first, steps.end(),
                                  [&](const Step<Key>& step) { return step.key != first->key; });
    added.clear();
    removed.clear();
    const std::string* spelling = &first->spelling;
    for (auto step = first; step != end; ++step) {
      // Of several steps with one document the last decides.
      if (std::next(step) != end && std::next(step)->document == step->document) continue;
      if (step->add && added.empty()) spelling = &step->spelling;
      (step->add ? added : removed).push_back(step->document);
    }
    const std::size_t size_before = values.size();
    const auto place = values.try_emplace(next, std::move(first->key));
    next = std::next(place);
    if (values.size() > size_before) set_spelling(place->second, *spelling);
    Postings& documents = documents_of(place->second);
    change_postings(documents, removed, added);
    if (documents.empty()) values.erase(place);
    first = end;
  }
}

void ColumnChange::apply(Column& column) && {
  apply_steps(column.numbers, std::move(numbers_));
  apply_steps(column.strings, std::move(strings_));
  for (const auto& [document, flags] : flags_) {
    const auto mark = [&](DocumentSet& set, bool member) {
      member ? set.insert(document) : set.erase(document);
    };
    mark(column.exists, flags.exists);
    mark(column.null, flags.null);
    mark(column.empty, flags.empty);
  }
}

}  // namespace miroir::node
