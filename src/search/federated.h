#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "log/catalogue.h"
#include "node_api/stored_fields.h"
#include "search/merge.h"
#include "search/read_plan.h"

namespace miroir {

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

// One client's search as a federated search of one index on several nodes, and back. Pure.
class ScatteredSearch {
 public:
  // `body`: the client's search, as JSON. The settings are the index's, as clients made them.
  ScatteredSearch(std::string index_uid, Json body, const Json& settings);

  // The body of POST /multi-search for a node, narrowed to these slots (none: not narrowed).
  std::string request(const std::vector<SlotRange>& slots) const;
  // The client's answer out of the nodes' answers.
  std::string answer(std::vector<FederatedAnswer> answers, const FieldNames& names) const;

 private:
  std::string index_uid_;
  Json body_;
  std::uint64_t total_hits_max_ = 1'000;
  FacetRules facet_rules_;
  std::string distinct_;
  Page page_;
};

// A client's own federated search, scattered: the nodes' request, and the merged answer.
std::string scattered_federation(const Json& body, const std::vector<SlotRange>& slots);
std::string merged_federation(const Json& body, std::vector<FederatedAnswer> answers,
                              const Catalogue& catalogue, const FieldNames& names);

FacetRules facet_rules_of(const Json& settings);

}  // namespace miroir
