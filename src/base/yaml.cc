#include "base/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>

#include "base/duration.h"

namespace miroir {
namespace {

// What all blocks of one document share: the first error.
struct Report {
  std::string file;
  std::optional<Error> first;
};

std::string shown(const YAML::Node& node) {
  if (!node.IsDefined() || node.IsNull()) return "nothing";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a mapping";
  if (node.Tag() == "!") return "the string \"" + node.Scalar() + "\"";
  return "`" + node.Scalar() + "`";
}

enum class Quoted { kAllowed, kRefused };

// Where the newest document begins.
class DocumentStarts final : public YAML::EventHandler {
 public:
  int line = 1;
  void OnDocumentStart(const YAML::Mark& mark) override { line = mark.line + 1; }

 private:
  using Text = const std::string&;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, Text, YAML::anchor_t, Text) override {}
  void OnSequenceStart(const YAML::Mark&, Text, YAML::anchor_t, Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, Text, YAML::anchor_t, Style) override {}
  void OnMapEnd() override {}
};

// The line of the second document, if there is one. (YAML::LoadAll does not end on text after which
// the parser finds one empty document after another.)
std::optional<int> second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts starts;
  if (!parser.HandleNextDocument(starts) || !parser.HandleNextDocument(starts)) return std::nullopt;
  return starts.line;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

struct YamlBlock::State {
  YAML::Node node;  // a mapping, or undefined where the block is missing
  std::string path;
  int line = 1;
  std::shared_ptr<Report> report;
  std::set<std::string, std::less<>> taken;
  std::vector<std::shared_ptr<State>> inner;

  std::string name_of(std::string_view key) const {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }
  // An empty value is marked where the next thing stands: its key tells the line.
  int line_of(const YAML::Node& at, std::string_view key) const {
    if (at.IsDefined() && !at.IsNull() && at.Mark().line >= 0) return at.Mark().line + 1;
    if (!node.IsDefined() || !node.IsMap()) return line;
    for (const auto& member : node) {
      if (member.first.IsScalar() && member.first.Scalar() == key) {
        return member.first.Mark().line + 1;
      }
    }
    return line;
  }
  void refuse(const YAML::Node& at, std::string_view key, std::string_view what) {
    if (report->first) return;
    const int its_line = line_of(at, key);
    report->first = Error{ErrorCode::kInvalid, report->file + ":" + std::to_string(its_line) +
                                                   ": " + name_of(key) + ": " + std::string(what)};
  }
  // The node of a key, marked as known. Undefined where missing.
  YAML::Node take(std::string_view key) {
    taken.insert(std::string(key));
    if (!node.IsDefined() || !node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    for (const auto& member : node) {
      if (member.first.IsScalar() && member.first.Scalar() == key) return member.second;
    }
    return YAML::Node(YAML::NodeType::Undefined);
  }
  // The scalar's text, or nullopt with a refusal where it is none, or quoted where that makes it a
  // string.
  std::optional<std::string> scalar(std::string_view key, std::string_view expected,
                                    Quoted quoted = Quoted::kAllowed) {
    const YAML::Node value = take(key);
    if (!value.IsDefined()) return std::nullopt;
    if (value.IsScalar() && (quoted == Quoted::kAllowed || value.Tag() != "!"))
      return value.Scalar();
    refuse(value, key, "expected " + std::string(expected) + ", got " + shown(value));
    return std::nullopt;
  }
  void check_keys() {
    if (!node.IsDefined() || !node.IsMap()) return;
    std::set<std::string> seen;
    for (const auto& member : node) {
      const std::string key = member.first.IsScalar() ? member.first.Scalar() : "?";
      if (!seen.insert(key).second) refuse(member.first, key, "the key is given twice");
      if (taken.contains(key)) continue;
      std::string hint;
      std::size_t best = 3;
      for (const std::string& known : taken) {
        const std::size_t distance = edit_distance(key, known);
        if (distance >= best) continue;
        best = distance;
        hint = "; did you mean `" + known + "`?";
      }
      refuse(member.first, key, "unknown key" + hint);
    }
  }
};

namespace {

template <class Number>
std::optional<Number> exact_number(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // YAML 1.1 would read a leading zero as octal: nobody means that.
  const std::string_view digits = text.starts_with('-') ? std::string_view(text).substr(1) : text;
  if (digits.size() > 1 && digits[0] == '0' && digits[1] != '.') return std::nullopt;
  return value;
}

}  // namespace

Result<YamlBlock> YamlBlock::parse(std::string_view text, std::string file) {
  YamlBlock block;
  block.state_ = std::make_shared<State>();
  block.state_->report = std::make_shared<Report>();
  block.state_->report->file = file;
  try {
    if (const auto line = second_document(std::string(text))) {
      return fail(ErrorCode::kInvalid,
                  file + ":" + std::to_string(*line) + ": expected one YAML document, got more");
    }
    block.state_->node.reset(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kInvalid,
                file + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  const YAML::Node& node = block.state_->node;
  if (!node.IsDefined() || node.IsNull()) {
    block.state_->node = YAML::Node(YAML::NodeType::Undefined);
  } else if (!node.IsMap()) {
    return fail(ErrorCode::kInvalid, file + ":1: expected a mapping, got " + shown(node));
  }
  return block;
}

bool YamlBlock::has(std::string_view key) const { return state_->take(key).IsDefined(); }

std::optional<std::string> YamlBlock::optional_string(std::string_view key) {
  return state_->scalar(key, "a string");
}

std::string YamlBlock::string(std::string_view key, std::string fallback) {
  return optional_string(key).value_or(std::move(fallback));
}

std::string YamlBlock::required_string(std::string_view key) {
  const YAML::Node value = state_->take(key);
  if (!value.IsDefined()) {
    state_->refuse(state_->node, key, "missing, expected a string");
    return "";
  }
  std::string text = string(key, "");
  if (text.empty()) state_->refuse(value, key, "expected a string that is not empty");
  return text;
}

bool YamlBlock::boolean(std::string_view key, bool fallback) {
  const auto text = state_->scalar(key, "true or false", Quoted::kRefused);
  if (!text) return fallback;
  if (*text == "true" || *text == "false") return *text == "true";
  state_->refuse(state_->take(key), key, "expected true or false, got `" + *text + "`");
  return fallback;
}

std::int64_t YamlBlock::integer(std::string_view key, std::int64_t fallback, std::int64_t lowest,
                                std::int64_t highest) {
  const std::string expected =
      "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  const auto text = state_->scalar(key, expected, Quoted::kRefused);
  if (!text) return fallback;
  const auto value = exact_number<std::int64_t>(*text);
  if (value && *value >= lowest && *value <= highest) return *value;
  state_->refuse(state_->take(key), key, "expected " + expected + ", got `" + *text + "`");
  return fallback;
}

double YamlBlock::number(std::string_view key, double fallback, double lowest, double highest) {
  const std::string expected = fmt::format("a number from {} to {}", lowest, highest);
  const auto text = state_->scalar(key, expected, Quoted::kRefused);
  if (!text) return fallback;
  const auto value = exact_number<double>(*text);
  if (value && std::isfinite(*value) && *value >= lowest && *value <= highest) return *value;
  state_->refuse(state_->take(key), key, "expected " + expected + ", got `" + *text + "`");
  return fallback;
}

Microseconds YamlBlock::duration(std::string_view key, Microseconds fallback) {
  const auto text = state_->scalar(key, "a duration like \"60s\"");
  if (!text) return fallback;
  const auto value = parse_duration(*text);
  if (value) return *value;
  state_->refuse(state_->take(key), key, value.error().message);
  return fallback;
}

Microseconds YamlBlock::schedule(std::string_view key, Microseconds fallback) {
  const auto text = state_->scalar(key, "a schedule like \"every 6h\"");
  if (!text) return fallback;
  const auto value = parse_schedule(*text);
  if (value) return *value;
  state_->refuse(state_->take(key), key, value.error().message);
  return fallback;
}

std::uint64_t YamlBlock::bytes(std::string_view key, std::uint64_t fallback) {
  const auto text = state_->scalar(key, "a number of bytes like \"20GiB\"");
  if (!text) return fallback;
  const auto value = parse_bytes(*text);
  if (value) return *value;
  state_->refuse(state_->take(key), key, value.error().message);
  return fallback;
}

Milliseconds YamlBlock::milliseconds(std::string_view key, Milliseconds fallback,
                                     Milliseconds lowest) {
  constexpr std::int64_t kDay = 86'400'000;
  return Milliseconds(integer(key, fallback.count(), lowest.count(), kDay));
}

std::string YamlBlock::one_of(std::string_view key, std::string fallback,
                              std::vector<std::string> allowed) {
  std::string expected;
  for (const std::string& each : allowed)
    expected += (expected.empty() ? "`" : " or `") + each + "`";
  const auto text = state_->scalar(key, expected);
  if (!text) return fallback;
  if (std::ranges::find(allowed, *text) != allowed.end()) return *text;
  state_->refuse(state_->take(key), key, "expected " + expected + ", got `" + *text + "`");
  return fallback;
}

std::vector<std::string> YamlBlock::strings(std::string_view key) {
  std::vector<std::string> out;
  const YAML::Node list = state_->take(key);
  if (!list.IsDefined()) return out;
  if (!list.IsSequence()) {
    state_->refuse(list, key, "expected a list of strings, got " + shown(list));
    return out;
  }
  for (const auto& each : list) {
    if (!each.IsScalar()) {
      state_->refuse(each, key, "expected a list of strings, got " + shown(each) + " in it");
      continue;
    }
    out.push_back(each.Scalar());
  }
  return out;
}

YamlBlock YamlBlock::block(std::string_view key) {
  const YAML::Node value = state_->take(key);
  YamlBlock inner;
  inner.state_ = std::make_shared<State>();
  inner.state_->path = state_->name_of(key);
  inner.state_->report = state_->report;
  inner.state_->line = value.IsDefined() ? value.Mark().line + 1 : state_->line;
  inner.state_->node = YAML::Node(YAML::NodeType::Undefined);
  if (value.IsDefined()) {
    if (value.IsMap()) {
      inner.state_->node.reset(value);
    } else {
      state_->refuse(value, key, "expected a mapping, got " + shown(value));
    }
  }
  state_->inner.push_back(inner.state_);
  return inner;
}

std::vector<YamlBlock> YamlBlock::blocks(std::string_view key) {
  std::vector<YamlBlock> out;
  const YAML::Node list = state_->take(key);
  if (!list.IsDefined()) return out;
  if (!list.IsSequence()) {
    state_->refuse(list, key, "expected a list of mappings, got " + shown(list));
    return out;
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const YAML::Node value = list[i];
    const std::string name = std::string(key) + "[" + std::to_string(i) + "]";
    if (!value.IsMap()) {
      state_->refuse(value, name, "expected a mapping, got " + shown(value));
      continue;
    }
    YamlBlock inner;
    inner.state_ = std::make_shared<State>();
    inner.state_->path = state_->name_of(name);
    inner.state_->report = state_->report;
    inner.state_->line = value.Mark().line + 1;
    inner.state_->node.reset(value);
    state_->inner.push_back(inner.state_);
    out.push_back(std::move(inner));
  }
  return out;
}

void YamlBlock::refuse(std::string_view key, std::string expected) {
  const YAML::Node value = state_->take(key);
  state_->refuse(value, key, "expected " + expected + ", got " + shown(value));
}

Result<void> YamlBlock::finish() {
  state_->check_keys();
  for (const auto& inner : state_->inner) {
    YamlBlock block;
    block.state_ = inner;
    if (auto finished = block.finish(); !finished) return finished;
  }
  if (state_->report->first) return std::unexpected(*state_->report->first);
  return {};
}

}  // namespace miroir
