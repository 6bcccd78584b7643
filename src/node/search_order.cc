#include "node/search_order.h"

#include <algorithm>

namespace miroir::node {
namespace {

using meili::ApiError;

bool is_custom(std::string_view rule) { return rule.ends_with(":asc") || rule.ends_with(":desc"); }

SortRule custom_rule(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  return {.field = std::string(text.substr(0, colon)), .ascending = text.substr(colon) == ":asc"};
}

std::expected<std::vector<SortRule>, ApiError> sorts_of(const SearchRequest& search,
                                                        const Index& index) {
  if (!search.sort) return std::vector<SortRule>();
  auto rules = parse_sort(*search.sort, index, "invalid_search_sort");
  if (!rules && rules.error().message.starts_with("Attribute "))
    rules.error().message = "Index `" + index.uid + "`: " + rules.error().message;
  return rules;
}

}  // namespace

void RankingOrder::add_text(bool exactness) {
  if (steps_.empty() || !(steps_.back().words || steps_.back().exactness)) steps_.emplace_back();
  (exactness ? steps_.back().exactness : steps_.back().words) = true;
}

void RankingOrder::add_sorts(std::vector<SortRule> rules) {
  if (rules.empty()) return;
  const bool open = !steps_.empty() && !steps_.back().words && !steps_.back().exactness;
  if (!open) steps_.push_back({.sort_first = sorts_.size(), .sort_end = sorts_.size()});
  for (SortRule& rule : rules) sorts_.push_back(std::move(rule));
  steps_.back().sort_end = sorts_.size();
}

std::expected<RankingOrder, ApiError> RankingOrder::make(const SearchRequest& search,
                                                         const Index& index) {
  auto sorts = sorts_of(search, index);
  if (!sorts) return std::unexpected(std::move(sorts.error()));
  RankingOrder order;
  bool sorted = false;
  const Json* rules = index.settings.find("rankingRules");
  for (const Json& rule : rules->as_array()) {
    const std::string& name = rule.as_string();
    if (name == "sort") {
      sorted = true;
      order.add_sorts(*sorts);
    } else if (is_custom(name)) {
      order.add_sorts({custom_rule(name)});
    } else {
      order.add_text(name == "exactness" || name == "wordPosition");
    }
  }
  if (!sorted && !sorts->empty()) {
    return std::unexpected(meili::api_error(
        "invalid_search_sort",
        "You must specify where `sort` is listed in the rankingRules setting to use the sort "
        "parameter at search time."));
  }
  return order;
}

// Splits the documents step by step, until enough of them are placed.
class RankingOrder::Ranker {
 public:
  Ranker(const RankingOrder& order, const Index& index, const TextMatches& matches,
         std::size_t wanted)
      : order_(order), index_(index), matches_(matches), wanted_(wanted) {}

  void place(const DocumentSet& documents, std::size_t at) {
    if (at == order_.steps_.size()) {
      documents.for_each_while([&](DocumentNumber number) {
        ranked_.push_back({number, matches_.score(number).total(), values_});
        return ranked_.size() < wanted_;
      });
      return;
    }
    const Step& step = order_.steps_[at];
    if (step.sort_first != step.sort_end) {
      place_sorted(documents, step, at);
    } else if (matches_.scores.empty()) {
      place(documents, at + 1);  // without words all are equal
    } else {
      place_scored(documents, step, at);
    }
  }

  std::vector<RankedDocument> take() && { return std::move(ranked_); }

 private:
  void place_sorted(const DocumentSet& documents, const Step& step, std::size_t at) {
    const auto first = order_.sorts_.begin();
    const std::vector<SortRule> rules(first + static_cast<std::ptrdiff_t>(step.sort_first),
                                      first + static_cast<std::ptrdiff_t>(step.sort_end));
    for (SortedGroup& group : sort(index_, documents, rules, wanted_ - ranked_.size())) {
      if (ranked_.size() >= wanted_) return;
      const std::size_t depth = values_.size();
      for (std::size_t i = 0; i < group.values.size(); ++i) {
        values_.push_back({std::move(group.values[i]), &order_.sorts_[step.sort_first + i]});
      }
      DocumentSet same;
      for (const DocumentNumber number : group.documents) same.insert(number);
      place(same, at + 1);
      values_.resize(depth);
    }
  }

  void place_scored(const DocumentSet& documents, const Step& step, std::size_t at) {
    std::vector<std::pair<double, DocumentNumber>> scored;
    documents.for_each([&](DocumentNumber number) {
      const TextScore score = matches_.score(number);
      const double part = step.words && step.exactness ? score.total()
                          : step.words                 ? score.words
                                                       : score.exactness;
      scored.emplace_back(-part, number);
    });
    std::ranges::sort(scored);
    for (std::size_t i = 0; i < scored.size() && ranked_.size() < wanted_;) {
      DocumentSet same;
      const double part = scored[i].first;
      for (; i < scored.size() && scored[i].first == part; ++i) same.insert(scored[i].second);
      values_.push_back({-part, nullptr});
      place(same, at + 1);
      values_.pop_back();
    }
  }

  const RankingOrder& order_;
  const Index& index_;
  const TextMatches& matches_;
  std::size_t wanted_;
  std::vector<RankValue> values_;
  std::vector<RankedDocument> ranked_;
};

std::vector<RankedDocument> RankingOrder::rank(const Index& index, const TextMatches& matches,
                                               std::size_t wanted) const {
  if (wanted == 0) return {};
  Ranker ranker(*this, index, matches, wanted);
  ranker.place(matches.documents, 0);
  return std::move(ranker).take();
}

}  // namespace miroir::node
