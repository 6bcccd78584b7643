#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace miroir::meili {

// An error in Meilisearch's shape: {message, code, type, link}.
struct ApiError {
  int status = 500;
  std::string code;
  std::string type;  // invalid_request, internal, auth, system
  std::string message;
  bool operator==(const ApiError&) const = default;
};

// Fills in status and type from the table of codes (ours, `miroir_*`, too). Asserts that the code
// is known.
ApiError api_error(std::string_view code, std::string message);
// {message, code, type, link}
Json to_json(const ApiError& error);
Result<ApiError> parse_api_error(const Json& json);

}  // namespace miroir::meili
