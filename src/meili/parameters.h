#pragma once

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "meili/api_error.h"

namespace miroir::meili {

using Parameters = std::vector<std::pair<std::string, std::string>>;

// Refuses parameters that are not among `allowed`.
std::optional<ApiError> check_parameters(const Parameters& query,
                                         std::initializer_list<std::string_view> allowed);
// The value of the parameter of that name, or nullptr. Of one given twice the last.
const std::string* find_parameter(const Parameters& query, std::string_view name);

// Typed reading of query parameters; the errors carry `code`.
std::expected<std::uint64_t, ApiError> unsigned_parameter(const Parameters& query,
                                                          std::string_view name,
                                                          std::uint64_t fallback,
                                                          std::string_view code);
std::expected<bool, ApiError> boolean_parameter(const Parameters& query, std::string_view name,
                                                bool fallback, std::string_view code);
// "a,b,c" as its parts; nullopt where the parameter is missing.
std::optional<std::vector<std::string>> list_parameter(const Parameters& query,
                                                       std::string_view name);

// Typed reading of a JSON body; `path` is how errors call the value (".limit").
std::optional<ApiError> check_fields(const Json& body,
                                     std::initializer_list<std::string_view> allowed);
ApiError wrong_type(const Json& value, std::string_view expected, std::string_view path,
                    std::string_view code);
std::expected<std::uint64_t, ApiError> unsigned_field(const Json& body, std::string_view name,
                                                      std::uint64_t fallback,
                                                      std::string_view code);
std::expected<bool, ApiError> boolean_field(const Json& body, std::string_view name, bool fallback,
                                            std::string_view code);
std::expected<std::optional<std::string>, ApiError> string_field(const Json& body,
                                                                 std::string_view name,
                                                                 std::string_view code);
// nullopt where missing or null.
std::expected<std::optional<std::vector<std::string>>, ApiError> strings_field(
    const Json& body, std::string_view name, std::string_view code);

// A request's body as JSON; missing_payload, malformed_payload.
std::expected<Json, ApiError> json_body(std::string_view body);

}  // namespace miroir::meili
