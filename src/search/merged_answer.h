#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "log/catalogue.h"
#include "node_api/stored_fields.h"
#include "search/merge.h"

namespace miroir {

// The pieces of the one answer that is made of several nodes' answers. Pure.

// Which of the merged hits a client asked for: by page/hitsPerPage, which makes totals exact, or by
// offset/limit. No number that a client can send overflows it.
struct Page {
  bool by_pages = false;
  std::uint64_t number = 1;  // 0: a page without hits
  std::uint64_t size = 20;   // hitsPerPage or limit
  std::uint64_t offset = 0;

  static Page parse(const Json& asked);
  std::uint64_t first() const;
  std::uint64_t end() const;  // of the hits that it shows; as many are asked of every node
};

// The integer of that name, if it is one and not negative.
std::uint64_t count_of(const Json& object, std::string_view name, std::uint64_t fallback);

// The hits of all nodes, merged. With a distinct attribute nodes count values that others count
// too: what is found to be the same is not counted again.
struct MergedHits {
  std::vector<FederatedHit> hits;
  std::uint64_t total = 0;
};
MergedHits merge_answers(std::vector<FederatedAnswer>& answers, const Distinct& distinct);

// The beginning of an answer: `hits` from `first` to before `end`, without stored fields, each as
// `finish` leaves it, and how many of them were found by their vectors, where nodes say so.
struct ShownHits {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  const FieldNames& names;
  std::function<std::string(const FederatedHit&, std::string)> finish;
};
std::string begin_answer(const std::vector<FederatedAnswer>& answers,
                         const std::vector<FederatedHit>& hits, const ShownHits& shown);
void append_member(std::string& out, std::string_view name, const Json& value);
void append_totals(std::string& out, const Page& page, std::uint64_t shown_offset,
                   std::uint64_t total);
std::string end_answer(std::string out, const std::vector<FederatedAnswer>& answers);

std::int64_t slowest(const std::vector<FederatedAnswer>& answers);
// {"distribution", "stats"} of one index, from every node.
std::vector<Json> facets_of(const std::vector<FederatedAnswer>& answers,
                            const std::string& index_uid, const FieldNames& names);
// An index's settings as its clients made them; of one that is not there: none.
const Json& settings_of(const Catalogue& catalogue, std::string_view index_uid);
FacetRules facet_rules_of(const Json& settings);
// The index's own distinct attribute; empty: none.
std::string distinct_attribute_of(const Json& settings);

}  // namespace miroir
