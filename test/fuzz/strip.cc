// What clients see of a node's answer against a slow reference on its tree: the stored fields are
// gone wherever documents and field names stand, everything else is as it was.
// Input: a byte that chooses shape and expiry, and a text.
#include "search/strip.h"

#include "base/json.h"
#include "fuzz/fuzz.h"

namespace miroir {
namespace {

using fuzz::expect;

enum class Place { kOpaque, kAnswer, kAnswers, kDocument, kFormatted, kDocuments, kNames };

class Reference {
 public:
  Reference(AnswerShape shape, const FieldNames& names) : shape_(shape), names_(names) {}

  Json stripped(const Json& json, Place place) const {
    Json out = json;
    if (place != Place::kOpaque && json.is_array()) {
      for (Json& each : out.as_array()) each = stripped(each, element_of(place));
    } else if (place != Place::kOpaque && json.is_object()) {
      for (const auto& [key, value] : json.as_object()) {
        if (!drops(place, key)) {
          out.set(key, stripped(value, member_of(place, key)));
          continue;
        }
        out.erase(key);
        const bool shows = names_.expiry && key == names_.expires_at && place != Place::kNames;
        const auto shown = shows ? shown_expiry(to_text(value)) : std::nullopt;
        if (!shown) continue;
        const bool text = place == Place::kFormatted && *shown != "null";
        out.set(key, text ? Json(*shown) : *parse_json(*shown));
      }
    }
    return out;
  }

 private:
  bool drops(Place place, const std::string& key) const {
    if (place == Place::kNames && shape_ == AnswerShape::kStats && is_expiry(key, names_))
      return false;
    const bool fields =
        place == Place::kDocument || place == Place::kFormatted || place == Place::kNames;
    return fields && is_reserved(key, names_);
  }
  static Place element_of(Place place) {
    if (place == Place::kDocuments) return Place::kDocument;
    return place == Place::kAnswers ? Place::kAnswer : Place::kOpaque;
  }
  Place member_of(Place place, const std::string& key) const {
    if (place == Place::kDocument && key == "_formatted") return Place::kFormatted;
    if (place == Place::kDocument && key == "_matchesPosition") return Place::kNames;
    if (place == Place::kAnswers) return Place::kAnswer;
    if (place != Place::kAnswer) return Place::kOpaque;
    if (key == "hits") return Place::kDocuments;
    if (key == "results")
      return shape_ == AnswerShape::kMultiSearch ? Place::kAnswers : Place::kDocuments;
    if (key == "facetsByIndex" || key == "indexes") return Place::kAnswers;
    for (const char* names :
         {"facetDistribution", "facetStats", "distribution", "stats", "fieldDistribution"}) {
      if (key == names) return Place::kNames;
    }
    return Place::kOpaque;
  }

  AnswerShape shape_;
  const FieldNames& names_;
};

// Of keys given twice (no node does) only the tree knows which counts.
bool repeats_keys(std::string_view text, const Json& tree) {
  std::size_t colons = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted && text[i] == '\\') ++i;
    if (!quoted && text[i] == ':') ++colons;
  }
  const auto members = [](auto&& self, const Json& json) -> std::size_t {
    std::size_t count = 0;
    if (json.is_array()) {
      for (const Json& each : json.as_array()) count += self(self, each);
    } else if (json.is_object()) {
      for (const auto& [key, each] : json.as_object()) count += 1 + self(self, each);
    }
    return count;
  };
  return members(members, tree) != colons;
}

}  // namespace
}  // namespace miroir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace miroir;
  if (size == 0) return 0;
  constexpr AnswerShape kShapes[] = {AnswerShape::kSearch, AnswerShape::kMultiSearch,
                                     AnswerShape::kDocuments, AnswerShape::kDocument,
                                     AnswerShape::kStats};
  const AnswerShape shape = kShapes[data[0] % std::size(kShapes)];
  FieldNames names;
  names.expiry = data[0] / std::size(kShapes) % 2 == 1;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  const std::string stripped = strip_reserved(text, shape, names);
  const auto json = parse_json(text);
  if (!json || repeats_keys(text, *json)) return 0;
  const auto seen = parse_json(stripped);
  fuzz::expect(seen.has_value(), "what is left is JSON", text, stripped);
  const Place start = shape == AnswerShape::kDocument ? Place::kDocument : Place::kAnswer;
  const Json reference = Reference(shape, names).stripped(*json, start);
  // Answers that stand in one another beyond all reason are given up.
  fuzz::expect(*seen == reference || stripped == "{}", "it is what the reference leaves", text,
               stripped, to_text(reference));
  if (text.size() < 64)
    fuzz::expect(*seen == reference, "nothing is given up without need", text, stripped);
  return 0;
}
