#include "search/strip.h"

#include "search/conceal.h"

namespace miroir {
namespace {

// Where the scanner stands.
enum class Place {
  kOpaque,     // copied as it is
  kAnswer,     // a search's answer, or statistics
  kAnswers,    // an object or array of answers
  kDocument,   // members may be reserved; `_matchesPosition` is a document too
  kFormatted,  // the same, with numbers as strings
  kDocuments,  // an array of documents
  kNames,      // an object by field name
};

class Stripper {
 public:
  Stripper(std::string_view text, AnswerShape shape, const FieldNames& names)
      : text_(text), shape_(shape), names_(names) {
    out_.reserve(text.size());
  }

  // False where the text is not what it should be.
  bool run() {
    const Place place = shape_ == AnswerShape::kDocument ? Place::kDocument : Place::kAnswer;
    return value(place, 0) && (copy_space(), at_ == text_.size());
  }
  std::string take() { return std::move(out_); }

 private:
  static constexpr int kDepthMax =
      64;  // of the places that matter; opaque values are scanned without recursion

  bool value(Place place, int depth) {
    copy_space();
    if (at_ == text_.size() || depth > kDepthMax) return false;
    const char first = text_[at_];
    if (place == Place::kOpaque || (first != '{' && first != '[')) return copy_value();
    if (first == '[') return array(place, depth);
    return object(place, depth);
  }

  bool array(Place place, int depth) {
    const Place inner = place == Place::kDocuments ? Place::kDocument
                        : place == Place::kAnswers ? Place::kAnswer
                                                   : Place::kOpaque;
    copy(1);
    copy_space();
    if (peek() == ']') return copy(1);
    while (true) {
      if (!value(inner, depth + 1)) return false;
      copy_space();
      if (peek() == ']') return copy(1);
      if (peek() != ',') return false;
      copy(1);
    }
  }

  bool object(Place place, int depth) {
    copy(1);
    bool first = true;
    while (true) {
      skip_space();
      if (peek() == '}') return copy(1);
      if (peek() == ',') {
        ++at_;
        skip_space();
      }
      if (peek() != '"') return false;
      const std::size_t key_start = at_;
      if (!skip_string()) return false;
      const std::string_view key = text_.substr(key_start + 1, at_ - key_start - 2);
      const std::size_t after_key = at_;
      skip_space();
      if (peek() != ':') return false;
      ++at_;
      if (drops(place, key)) {
        skip_space();
        const std::size_t value_start = at_;
        if (!skip_value()) return false;
        if (key == names_.expires_at && names_.expiry)
          show_expiry(place, text_.substr(value_start, at_ - value_start), first);
        continue;
      }
      if (!first) out_ += ',';
      first = false;
      out_ += text_.substr(key_start, after_key - key_start);
      out_ += ':';
      if (!value(place_of(place, key), depth + 1)) return false;
    }
  }

  void show_expiry(Place place, std::string_view stored, bool& first) {
    if (place == Place::kNames) return;
    const auto shown = shown_expiry(stored);
    if (!shown) return;
    out_ += first ? "\"" : ",\"";
    first = false;
    out_ += names_.expires_at;
    out_ +=
        place == Place::kFormatted && *shown != "null" ? "\":\"" + *shown + '"' : "\":" + *shown;
  }

  bool drops(Place place, std::string_view key) const {
    if (place != Place::kDocument && place != Place::kFormatted && place != Place::kNames)
      return false;
    // How many documents have one.
    if (place == Place::kNames && shape_ == AnswerShape::kStats && is_expiry(key, names_))
      return false;
    // A key with escapes is parsed; ours never need any, but a node might write them.
    if (key.find('\\') == std::string_view::npos) return is_reserved(key, names_);
    auto parsed = parse_json("\"" + std::string(key) + "\"");
    return parsed && is_reserved(parsed->as_string(), names_);
  }

  Place place_of(Place place, std::string_view key) const {
    switch (place) {
      case Place::kDocument:
        if (key == "_formatted") return Place::kFormatted;
        return key == "_matchesPosition" ? Place::kNames : Place::kOpaque;
      case Place::kAnswers:
        return Place::kAnswer;
      case Place::kAnswer:
        if (key == "hits") return Place::kDocuments;
        if (key == "results")
          return shape_ == AnswerShape::kMultiSearch ? Place::kAnswers : Place::kDocuments;
        if (key == "facetsByIndex" || key == "indexes") return Place::kAnswers;
        if (key == "facetDistribution" || key == "facetStats" || key == "distribution" ||
            key == "stats" || key == "fieldDistribution") {
          return Place::kNames;
        }
        return Place::kOpaque;
      default:
        return Place::kOpaque;
    }
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool copy(std::size_t count) {
    out_ += text_.substr(at_, count);
    at_ += count;
    return true;
  }
  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  void copy_space() { skip_space(); }

  bool copy_value() {
    const std::size_t start = at_;
    if (!skip_value()) return false;
    out_ += text_.substr(start, at_ - start);
    return true;
  }

  bool skip_string() {
    ++at_;
    while (at_ < text_.size()) {
      const std::size_t next = text_.find_first_of("\"\\", at_);
      if (next == std::string_view::npos) return false;
      if (text_[next] == '"') {
        at_ = next + 1;
        return true;
      }
      at_ = next + 2;
    }
    return false;
  }

  bool skip_value() {
    int depth = 0;
    do {
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
        ++at_;
      } else if (depth > 0 && (c == ',' || c == ':' || is_space(c))) {
        ++at_;
        continue;
      } else {
        const std::size_t end = text_.find_first_of(",]} \n\r\t:", at_);
        const std::size_t stop = end == std::string_view::npos ? text_.size() : end;
        if (stop == at_) return false;
        at_ = stop;
      }
    } while (depth > 0);
    return true;
  }

  std::string_view text_;
  AnswerShape shape_;
  const FieldNames& names_;
  std::size_t at_ = 0;
  std::string out_;
};

void erase_all(std::string& text, std::string_view what) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at))
    text.erase(at, what.size());
}

}  // namespace

std::string strip_reserved(std::string_view answer, AnswerShape shape, const FieldNames& names) {
  Stripper stripper(answer, shape, names);
  if (!stripper.run()) return "{}";  // no JSON: what it holds is not known
  return stripper.take();
}

std::string strip_error(std::string_view answer) {
  std::string text = revealed(std::string(answer));
  erase_all(text, "`_miroir_*`, ");
  erase_all(text, ", `_miroir_*`");
  constexpr std::string_view kOnlyOurs =
      "Available filterable attribute patterns are: `_miroir_*`.";
  if (const std::size_t at = text.find(kOnlyOurs); at != std::string::npos) {
    text.replace(at, kOnlyOurs.size(),
                 "This index does not have configured filterable attributes.");
  }
  return text;
}

}  // namespace miroir
