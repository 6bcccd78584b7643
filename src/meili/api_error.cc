#include "meili/api_error.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace miroir::meili {
namespace {

struct Code {
  std::string_view code;
  int status;
  std::string_view type;
};

constexpr std::string_view kInvalidRequest = "invalid_request";
constexpr std::string_view kInternal = "internal";
constexpr std::string_view kAuth = "auth";
constexpr std::string_view kSystem = "system";

// Every code but those that begin with invalid_, missing_ or immutable_, are requests' own fault
// and answered with 400: of these only the exceptions are here.
constexpr std::array kCodes = {
    Code{"api_key_already_exists", 409, kInvalidRequest},
    Code{"api_key_not_found", 404, kInvalidRequest},
    Code{"bad_parameter", 400, kInvalidRequest},
    Code{"bad_request", 400, kInvalidRequest},
    Code{"batch_not_found", 404, kInvalidRequest},
    Code{"database_size_limit_reached", 500, kInternal},
    Code{"document_not_found", 404, kInvalidRequest},
    Code{"duplicate_index_found", 400, kInvalidRequest},
    Code{"facet_search_disabled", 400, kInvalidRequest},
    Code{"feature_not_enabled", 400, kInvalidRequest},
    Code{"inconsistent_document_change_headers", 400, kInvalidRequest},
    Code{"index_already_exists", 409, kInvalidRequest},
    Code{"index_creation_failed", 500, kInternal},
    Code{"index_not_found", 404, kInvalidRequest},
    Code{"index_primary_key_already_exists", 400, kInvalidRequest},
    Code{"index_primary_key_multiple_candidates_found", 400, kInvalidRequest},
    Code{"index_primary_key_no_candidate_found", 400, kInvalidRequest},
    Code{"internal", 500, kInternal},
    Code{"invalid_api_key", 403, kAuth},
    Code{"invalid_content_type", 415, kInvalidRequest},
    Code{"invalid_state", 500, kInternal},
    Code{"invalid_store_file", 500, kInternal},
    Code{"io_error", 422, kSystem},
    Code{"malformed_payload", 400, kInvalidRequest},
    Code{"max_fields_limit_exceeded", 400, kInvalidRequest},
    Code{"miroir_changes_lost", 410, kInvalidRequest},
    Code{"miroir_invalid_auth", 401, kAuth},
    Code{"miroir_not_supported", 400, kInvalidRequest},
    Code{"miroir_reserved_field", 400, kInvalidRequest},
    Code{"miroir_shard_unavailable", 503, kSystem},
    Code{"miroir_store_unavailable", 503, kSystem},
    Code{"miroir_timeout", 504, kSystem},
    Code{"missing_authorization_header", 401, kAuth},
    Code{"missing_content_type", 415, kInvalidRequest},
    Code{"missing_master_key", 401, kAuth},
    Code{"no_space_left_on_device", 422, kSystem},
    Code{"not_found_similar_id", 400, kInvalidRequest},
    Code{"payload_too_large", 413, kInvalidRequest},
    Code{"remote_bad_request", 400, kInvalidRequest},
    Code{"remote_bad_response", 502, kSystem},
    Code{"remote_could_not_send_request", 502, kSystem},
    Code{"remote_timeout", 502, kSystem},
    Code{"requires_enterprise_edition", 451, kInvalidRequest},
    Code{"task_file_not_found", 404, kInvalidRequest},
    Code{"task_not_found", 404, kInvalidRequest},
    Code{"too_many_open_files", 422, kSystem},
    Code{"too_many_search_requests", 503, kSystem},
    Code{"too_many_vectors", 400, kInvalidRequest},
    Code{"unretrievable_document", 400, kInternal},
    Code{"unretrievable_error_code", 400, kInvalidRequest},
    Code{"unsupported_media_type", 415, kInvalidRequest},
    Code{"vector_embedding_error", 400, kInvalidRequest},
};
static_assert(std::ranges::is_sorted(kCodes, {}, &Code::code));

const Code* find_code(std::string_view code) {
  const auto found = std::ranges::lower_bound(kCodes, code, {}, &Code::code);
  if (found != kCodes.end() && found->code == code) return &*found;
  static constexpr Code kOwnFault{"", 400, kInvalidRequest};
  for (const std::string_view prefix : {"invalid_", "missing_", "immutable_"}) {
    if (code.starts_with(prefix)) return &kOwnFault;
  }
  return nullptr;
}

}  // namespace

ApiError api_error(std::string_view code, std::string message) {
  const Code* known = find_code(code);
  MIROIR_ASSERT(known != nullptr);
  return {known->status, std::string(code), std::string(known->type), std::move(message)};
}

Json to_json(const ApiError& error) {
  return Json::object({{"message", error.message},
                       {"code", error.code},
                       {"type", error.type},
                       {"link", "https://docs.meilisearch.com/errors#" + error.code}});
}

Result<ApiError> parse_api_error(const Json& json) {
  const Json* message = json.find("message");
  const Json* code = json.find("code");
  const Json* type = json.find("type");
  if (message == nullptr || !message->is_string() || code == nullptr || !code->is_string() ||
      type == nullptr || !type->is_string()) {
    return fail(ErrorCode::kCorrupt, "not an error in Meilisearch's shape");
  }
  const Code* known = find_code(code->as_string());
  return ApiError{known == nullptr ? 500 : known->status, code->as_string(), type->as_string(),
                  message->as_string()};
}

}  // namespace miroir::meili
