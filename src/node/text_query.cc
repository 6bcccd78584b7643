#include "node/text_query.h"

#include <algorithm>
#include <set>

#include "meili/filterable.h"

namespace miroir::node {
namespace {

// As in Meilisearch: further words of a query are not looked at.
constexpr std::size_t kTermsMax = 10;

std::set<std::string> stop_words_of(const Json& settings, const Words& words) {
  std::set<std::string> stops;
  if (const Json* list = settings.find("stopWords"); list != nullptr) {
    for (const Json& stop : list->as_array()) {
      for (Word& word : words.of(stop.as_string())) stops.insert(std::move(word.text));
    }
  }
  return stops;
}

// Finds terms in the index, and what the index does not know in the documents.
class Matcher {
 public:
  Matcher(const Snapshot& snapshot, const Index& index, const TextSearch& search,
          const DocumentSet& candidates)
      : snapshot_(snapshot),
        index_(index),
        search_(search),
        candidates_(candidates),
        fields_(index.settings),
        words_(index.settings) {}

  Result<DocumentSet> documents(const Term& term, std::optional<std::size_t> column) const {
    std::optional<DocumentSet> found;
    for (std::size_t i = 0; i < term.words.size(); ++i) {
      const bool prefix = term.prefix && i + 1 == term.words.size();
      MIROIR_TRY(DocumentSet with,
                 documents_with(snapshot_.database(), index_, term.words[i], prefix, column));
      with &= candidates_;
      if (found) with &= *found;
      found = std::move(with);
    }
    if (!found) return DocumentSet();
    if (term.words.size() == 1 && !search_.attributes) return std::move(*found);
    return verified(term, *found);
  }

  std::size_t columns() const { return fields_.columns(); }

 private:
  // Those that really have the phrase, or the word in one of the attributes asked for.
  Result<DocumentSet> verified(const Term& term, const DocumentSet& documents) const {
    DocumentSet confirmed;
    Result<void> failure;
    documents.for_each_while([&](DocumentNumber number) {
      const auto has = document_has(term, number);
      if (!has) {
        failure = std::unexpected(has.error());
        return false;
      }
      if (*has) confirmed.insert(number);
      return true;
    });
    if (!failure) return std::unexpected(std::move(failure.error()));
    return confirmed;
  }

  Result<bool> document_has(const Term& term, DocumentNumber number) const {
    MIROIR_TRY(const std::string text, snapshot_.document(index_, number));
    MIROIR_TRY(const Json document, parse_json(text));
    bool has = false;
    fields_.for_each_text(document,
                          [&](const std::string& field, std::size_t, std::string_view value) {
                            if (has || !searched(field)) return;
                            const std::vector<Word> found = words_.of(value);
                            for (std::size_t at = 0; at < found.size() && !has; ++at)
                              has = matches_at(term, found, at);
                          });
    return has;
  }

  bool searched(std::string_view field) const {
    if (!search_.attributes) return true;
    return std::ranges::any_of(*search_.attributes, [&](const std::string& attribute) {
      return meili::matches_pattern(attribute, field) || field.starts_with(attribute + ".");
    });
  }

  const Snapshot& snapshot_;
  const Index& index_;
  const TextSearch& search_;
  const DocumentSet& candidates_;
  SearchedFields fields_;
  Words words_;
};

// What is known of one wanted term.
struct Found {
  const Term* term;
  DocumentSet documents;
  std::vector<DocumentSet> columns;  // best first; empty where there is only one
};

Result<std::vector<Found>> find_terms(const Matcher& matcher, const TextSearch& search) {
  std::vector<Found> found;
  for (const Term& term : search.query.wanted) {
    MIROIR_TRY(DocumentSet documents, matcher.documents(term, std::nullopt));
    Found one{&term, std::move(documents), {}};
    for (std::size_t column = 0; matcher.columns() > 1 && column < matcher.columns(); ++column) {
      MIROIR_TRY(DocumentSet in_column, matcher.documents(term, column));
      one.columns.push_back(std::move(in_column));
    }
    found.push_back(std::move(one));
  }
  if (search.strategy == MatchingStrategy::kFrequency) {
    std::ranges::stable_sort(found, {}, [](const Found& one) { return one.documents.size(); });
  }
  return found;
}

// The share of the best column, 1 for the first.
double column_score(const Found& found, DocumentNumber number) {
  for (std::size_t i = 0; i < found.columns.size(); ++i) {
    if (found.columns[i].contains(number))
      return 1.0 - static_cast<double>(i) / static_cast<double>(found.columns.size());
  }
  return 1;
}

TextScore score_of(const std::vector<Found>& terms, std::size_t matched, DocumentNumber number,
                   const DocumentSet* exact) {
  double attributes = 0;
  for (std::size_t i = 0; i < matched; ++i) attributes += column_score(terms[i], number);
  attributes /= static_cast<double>(matched);
  // One word more always outweighs better attributes.
  const double words =
      (static_cast<double>(matched - 1) + attributes) / static_cast<double>(terms.size());
  return {words, exact == nullptr || exact->contains(number) ? 1.0 : 0.5};
}

}  // namespace

bool matches_at(const Term& term, const std::vector<Word>& words, std::size_t at) {
  if (at + term.words.size() > words.size()) return false;
  for (std::size_t i = 0; i < term.words.size(); ++i) {
    const std::string& word = words[at + i].text;
    const bool prefix = term.prefix && i + 1 == term.words.size();
    if (prefix ? !word.starts_with(term.words[i]) : word != term.words[i]) return false;
  }
  return true;
}

TextQuery parse_text_query(std::string_view text, const Json& settings) {
  const Words words(settings);
  const std::set<std::string> stops = stop_words_of(settings, words);
  TextQuery query;
  const auto add = [&](std::string_view piece, bool phrase, bool refused, bool last) {
    std::vector<Word> found = words.of(piece);
    std::vector<Term>& terms = refused ? query.refused : query.wanted;
    if (phrase) {
      Term term;
      for (Word& word : found) term.words.push_back(std::move(word.text));
      if (!term.words.empty()) terms.push_back(std::move(term));
      return;
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool prefix = last && !refused && i + 1 == found.size() && found[i].end == piece.size();
      if (!prefix && stops.contains(found[i].text)) continue;
      terms.push_back({{std::move(found[i].text)}, prefix});
    }
  };
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == ' ' || text[at] == '\t' || text[at] == '\n') {
      ++at;
      continue;
    }
    const bool refused = text[at] == '-' && at + 1 < text.size() && text[at + 1] != ' ';
    if (refused) ++at;
    if (text[at] == '"') {
      const std::size_t close = std::min(text.find('"', at + 1), text.size());
      add(text.substr(at + 1, close - at - 1), true, refused, false);
      at = close + 1;
      continue;
    }
    const std::size_t end = std::min(text.find_first_of(" \t\n\"", at), text.size());
    add(text.substr(at, end - at), false, refused, end == text.size());
    at = end;
  }
  if (query.wanted.size() > kTermsMax) query.wanted.resize(kTermsMax);
  return query;
}

Result<TextMatches> find_matches(const Snapshot& snapshot, const Index& index,
                                 const TextSearch& search, const DocumentSet& candidates) {
  const Matcher matcher(snapshot, index, search, candidates);
  TextMatches matches{.documents = candidates, .scores = {}};
  for (const Term& term : search.query.refused) {
    MIROIR_TRY(const DocumentSet unwanted, matcher.documents(term, std::nullopt));
    matches.documents -= unwanted;
  }
  if (search.query.wanted.empty()) return matches;

  MIROIR_TRY(const std::vector<Found> terms, find_terms(matcher, search));
  std::optional<DocumentSet> exact;
  if (const Term& last = search.query.wanted.back(); last.prefix) {
    MIROIR_TRY(exact, matcher.documents({last.words, false}, std::nullopt));
  }
  DocumentSet remaining = std::move(matches.documents);
  matches.documents = {};
  matches.scores.resize(index.number_end);
  const std::size_t least = search.strategy == MatchingStrategy::kAll ? terms.size() : 1;
  for (std::size_t matched = terms.size(); matched >= least; --matched) {
    DocumentSet level = remaining;
    for (std::size_t i = 0; i < matched; ++i) level &= terms[i].documents;
    remaining -= level;
    const bool whole = matched == terms.size();
    level.for_each([&](DocumentNumber number) {
      matches.scores[number] = score_of(terms, matched, number, whole && exact ? &*exact : nullptr);
    });
    matches.documents |= level;
  }
  return matches;
}

}  // namespace miroir::node
