#pragma once

#include <expected>
#include <optional>

#include "base/json.h"
#include "base/result.h"
#include "http/message.h"
#include "meili/api_error.h"

namespace miroir {

// What a request handler works out: a value, or an error in Meilisearch's shape.
template <class T>
using Answer = std::expected<T, meili::ApiError>;

// Meilisearch-shaped HTTP answers.
http::Response json_answer(int status, const Json& body);
http::Response error_answer(const meili::ApiError& error);

// The one place where our failures become HTTP: kUnavailable → 503, kTimeout → 504, kTooLarge →
// 413, the rest 500.
meili::ApiError to_api_error(const Error& error,
                             std::string_view unavailable_code = "miroir_shard_unavailable");

}  // namespace miroir
