#include "node/sort.h"

#include <algorithm>
#include <charconv>

#include "node/geo_distance.h"

namespace miroir::node {
namespace {

using meili::ApiError;

std::optional<double> coordinate(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size())
    return std::nullopt;
  return value;
}

ApiError reserved(std::string_view expression, std::string_view code) {
  return meili::api_error(
      code, "`" + std::string(expression) +
                "` is a reserved keyword and thus can't be used as a sort expression. Use the "
                "_geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates.");
}

std::expected<SortRule, ApiError> parse_member(std::string_view member, bool ascending,
                                               std::string_view code) {
  constexpr std::string_view kPoint = "_geoPoint(";
  SortRule rule{.field = std::string(member), .ascending = ascending};
  if (!member.starts_with(kPoint) || !member.ends_with(')')) {
    const bool keyword = member == "_geo" || member == "_geoDistance" ||
                         member.starts_with("_geoRadius(") ||
                         member.starts_with("_geoBoundingBox(") || member.starts_with("_geo(") ||
                         member.starts_with("_geoDistance(");
    if (keyword) return std::unexpected(reserved(member, code));
    return rule;
  }
  const std::string_view point = member.substr(kPoint.size(), member.size() - kPoint.size() - 1);
  const std::size_t comma = point.find(',');
  const auto latitude = coordinate(point.substr(0, comma));
  const auto longitude =
      comma == std::string_view::npos ? std::nullopt : coordinate(point.substr(comma + 1));
  if (!latitude || !longitude) return std::unexpected(reserved(member, code));
  if (*latitude < -90 || *latitude > 90)
    return std::unexpected(meili::api_error(code, bad_latitude(*latitude)));
  if (*longitude < -180 || *longitude > 180)
    return std::unexpected(meili::api_error(code, bad_longitude(*longitude)));
  rule.field = "_geo";
  rule.geo = true;
  rule.latitude = *latitude;
  rule.longitude = *longitude;
  return rule;
}

// Walks the values of one rule after the other; a bucket is what has one value of a rule.
class Sorter {
 public:
  Sorter(const Index& index, const std::vector<SortRule>& rules, std::size_t wanted)
      : index_(index), rules_(rules), wanted_(wanted) {}

  void bucket(DocumentSet documents, std::size_t level) {
    if (level == rules_.size()) {
      SortedGroup group{.values = values_, .documents = {}};
      documents.for_each([&](DocumentNumber document) { group.documents.push_back(document); });
      count_ += group.documents.size();
      groups_.push_back(std::move(group));
      return;
    }
    const SortRule& rule = rules_[level];
    if (rule.geo) {
      walk_geo(documents, rule, level);
    } else if (const Column* column = index_.column(rule.field)) {
      walk(documents, column->numbers, rule.ascending, level,
           [](const Postings& p) -> const Postings& { return p; });
      walk(documents, column->strings, rule.ascending, level,
           [](const StringValue& v) -> const Postings& { return v.documents; });
    }
    if (count_ < wanted_ && !documents.empty()) descend(std::move(documents), Json(), level);
  }

  std::vector<SortedGroup> take() && { return std::move(groups_); }

 private:
  void descend(DocumentSet documents, Json value, std::size_t level) {
    values_.push_back(std::move(value));
    bucket(std::move(documents), level + 1);
    values_.pop_back();
  }

  // Takes the documents it has placed out of `documents`.
  template <class Values, class DocumentsOf>
  void walk(DocumentSet& documents, const Values& values, bool ascending, std::size_t level,
            DocumentsOf documents_of) {
    const auto visit = [&](const auto& entry) {
      DocumentSet same;
      bool any = false;
      for (const DocumentNumber document : documents_of(entry.second)) {
        if (!documents.contains(document)) continue;
        same.insert(document);
        any = true;
      }
      if (!any) return true;
      documents -= same;
      descend(std::move(same), Json(entry.first), level);
      return count_ < wanted_;
    };
    if (ascending) {
      for (auto at = values.begin(); at != values.end() && visit(*at); ++at) {
      }
    } else {
      for (auto at = values.rbegin(); at != values.rend() && visit(*at); ++at) {
      }
    }
  }

  void walk_geo(DocumentSet& documents, const SortRule& rule, std::size_t level) {
    const GeoPoint center{.latitude = rule.latitude, .longitude = rule.longitude};
    std::vector<std::pair<double, DocumentNumber>> distances;
    for (const auto& [document, point] : geo_points(index_)) {
      if (documents.contains(document)) distances.emplace_back(distance(center, point), document);
    }
    std::ranges::sort(distances);
    if (!rule.ascending) std::ranges::reverse(distances);
    for (const auto& [metres, document] : distances) {
      if (count_ >= wanted_) return;
      DocumentSet one;
      one.insert(document);
      documents.erase(document);
      descend(std::move(one), Json(metres), level);
    }
  }

  const Index& index_;
  const std::vector<SortRule>& rules_;
  std::size_t wanted_;
  std::size_t count_ = 0;
  std::vector<Json> values_;
  std::vector<SortedGroup> groups_;
};

}  // namespace

std::expected<std::vector<SortRule>, ApiError> parse_sort(const std::vector<std::string>& rules,
                                                          const Index& index,
                                                          std::string_view error_code) {
  std::vector<SortRule> parsed;
  for (const std::string_view text : rules) {
    const bool ascending = text.ends_with(":asc");
    if (!ascending && !text.ends_with(":desc")) {
      return std::unexpected(meili::api_error(
          error_code,
          "Invalid syntax for the sort parameter: expected expression ending by `:asc` or "
          "`:desc`, found `" +
              std::string(text) + "`."));
    }
    auto rule = parse_member(text.substr(0, text.rfind(':')), ascending, error_code);
    if (!rule) return std::unexpected(std::move(rule.error()));
    if (!index.rules.sortable(rule->field)) {
      std::string message = "Attribute `" + rule->field + "` is not sortable. ";
      std::string names;
      for (const std::string& field : index.rules.sortable_fields())
        names += (names.empty() ? "" : ", ") + field;
      message += names.empty() ? "This index does not have configured sortable attributes."
                               : "Available sortable attributes are: `" + names + "`.";
      return std::unexpected(meili::api_error(error_code, message));
    }
    parsed.push_back(std::move(*rule));
  }
  return parsed;
}

std::vector<SortedGroup> sort(const Index& index, const DocumentSet& candidates,
                              const std::vector<SortRule>& rules, std::size_t wanted) {
  if (wanted == 0 || candidates.empty()) return {};
  Sorter sorter(index, rules, wanted);
  sorter.bucket(candidates, 0);
  return std::move(sorter).take();
}

}  // namespace miroir::node
