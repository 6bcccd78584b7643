#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"
#include "meili/api_error.h"

namespace miroir::meili {

// The bodies that document routes take.
enum class PayloadFormat { kJson, kNdjson, kCsv };
std::string_view name(PayloadFormat format);  // "json", "ndjson", "csv"

// What a request says that its body is; null pointers where the header or parameter is missing.
std::expected<PayloadFormat, ApiError> payload_format(const std::string* content_type,
                                                      const std::string* csv_delimiter);
// Refuses every Content-Type but application/json.
std::expected<void, ApiError> expect_json(const std::string* content_type);
// The parameter `csvDelimiter`, or a comma.
std::expected<char, ApiError> csv_delimiter_of(const std::string* csv_delimiter);

// Documents of a CSV body, one JSON object a line. Columns are `name`, `name:string`, `name:number`
// or `name:boolean`; empty fields become null.
std::expected<std::string, ApiError> csv_to_ndjson(std::string_view body, char delimiter);

ApiError missing_payload(PayloadFormat format);
ApiError malformed_payload(PayloadFormat format, const Error& error);

}  // namespace miroir::meili
