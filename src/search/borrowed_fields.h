#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace miroir {

// Fields that Miroir must see to merge documents, and that the client did not ask for.
class BorrowedFields {
 public:
  BorrowedFields() = default;
  // Adds them to the query's list of fields (`member`), if it has one that lacks them.
  BorrowedFields(Json& query, std::string_view member, const std::vector<std::string>& fields);

  // The document, and its `_formatted`, as the client asked for it.
  std::string taken_from(std::string document) const;

 private:
  std::set<std::string, std::less<>> fields_;  // the first member of their paths
};

}  // namespace miroir
