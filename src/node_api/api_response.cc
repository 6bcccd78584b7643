#include "node_api/api_response.h"

namespace miroir {

http::Response json_answer(int status, const Json& body) {
  return http::json_response(status, to_text(body));
}

http::Response error_answer(const meili::ApiError& error) {
  return json_answer(error.status, meili::to_json(error));
}

meili::ApiError to_api_error(const Error& error, std::string_view unavailable_code) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled:
      return meili::api_error(unavailable_code, error.message);
    case ErrorCode::kTimeout:
      return meili::api_error("miroir_timeout", error.message);
    case ErrorCode::kTooLarge:
      return meili::api_error("payload_too_large", error.message);
    case ErrorCode::kUnsupported:
      return meili::api_error("miroir_not_supported", error.message);
    default:
      return meili::api_error("internal", error.message);
  }
}

}  // namespace miroir
