#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/engine.h"
#include "node/text_index.h"
#include "node/text_words.h"

namespace miroir::node {

// One thing that a query asks for: a word, the beginning of one, or a phrase.
struct Term {
  std::vector<std::string> words;  // one, or those of a phrase
  bool prefix = false;
};

// "a b \"c d\" -e": words, phrases, and what must not be there.
struct TextQuery {
  std::vector<Term> wanted;
  std::vector<Term> refused;
  bool empty() const { return wanted.empty() && refused.empty(); }
};
// The last word is a prefix unless something that separates follows it. Stop words are left out.
TextQuery parse_text_query(std::string_view text, const Json& settings);

enum class MatchingStrategy { kLast, kAll, kFrequency };

// How well a document answers; greater is better. A function of the query and the document alone.
struct TextScore {
  double words = 1;      // in (0, 1]: how many of the words, and in how good attributes
  double exactness = 1;  // in (0, 1]: whether the last word is there as a whole
  double total() const { return words * 0.9 + exactness * 0.1; }
};

// The documents that a query finds, each with its score.
struct TextMatches {
  DocumentSet documents;
  std::vector<TextScore> scores;  // by document number; empty where all are 1
  TextScore score(DocumentNumber number) const {
    return number < scores.size() ? scores[number] : TextScore{};
  }
};

struct TextSearch {
  TextQuery query;
  MatchingStrategy strategy = MatchingStrategy::kLast;
  std::optional<std::vector<std::string>> attributes;  // only these are searched
};

// Among `candidates`.
Result<TextMatches> find_matches(const Snapshot& snapshot, const Index& index,
                                 const TextSearch& search, const DocumentSet& candidates);

// Whether a term matches where the words stand: `at` is the place of its first word.
bool matches_at(const Term& term, const std::vector<Word>& words, std::size_t at);

}  // namespace miroir::node
