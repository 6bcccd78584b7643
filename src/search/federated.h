#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "log/catalogue.h"
#include "meili/api_error.h"
#include "node_api/stored_fields.h"
#include "search/borrowed_fields.h"
#include "search/merge.h"
#include "search/merged_answer.h"
#include "search/read_plan.h"

namespace miroir {

// One client's search as a federated search of one index on several nodes, and back. Pure.
class ScatteredSearch {
 public:
  // `body`: the client's search, as JSON. The settings are the index's, as clients made them.
  ScatteredSearch(std::string index_uid, Json body, const Json& settings);

  // The body of POST /multi-search for a node, narrowed to these slots (none: not narrowed).
  std::string request(const std::vector<SlotRange>& slots) const;
  // The client's answer out of the nodes' answers.
  std::string answer(std::vector<FederatedAnswer> answers, const FieldNames& names) const;

  // Nodes take an attribute to tell documents apart by only if it is filterable, unless it is the
  // index's own. From here on they are left to apply that, as they have it. False where they are
  // already, or the attribute is not the index's own.
  bool leave_distinct_to_the_index();

 private:
  std::string index_uid_;
  Json body_;
  std::uint64_t total_hits_max_ = 1'000;
  FacetRules facet_rules_;
  std::string distinct_;
  bool asks_distinct_ = false;  // nodes are asked for it
  BorrowedFields borrowed_;
  Page page_;
};

// A client's own federated search, scattered. `body` has an array of queries and an object
// `federation`. Pure.
class ScatteredFederation {
 public:
  ScatteredFederation(Json body, const Catalogue& catalogue);

  std::string request(const std::vector<SlotRange>& slots) const;
  // Fails where facets that are ordered in different ways shall be merged.
  std::expected<std::string, meili::ApiError> answer(std::vector<FederatedAnswer> answers,
                                                     const Catalogue& catalogue,
                                                     const FieldNames& names) const;

 private:
  std::expected<void, meili::ApiError> append_facets(std::string& out,
                                                     const std::vector<FederatedAnswer>& answers,
                                                     const Catalogue& catalogue,
                                                     const FieldNames& names) const;

  Json body_;
  Json federation_;  // as the client asked for it
  Page page_;
  Distinct distinct_;
  std::vector<BorrowedFields> borrowed_;  // by query
};

}  // namespace miroir
