#include "meili/parameters.h"

#include <algorithm>
#include <charconv>

namespace miroir::meili {
namespace {

std::string one_of(std::initializer_list<std::string_view> allowed) {
  std::string text;
  for (const std::string_view name : allowed) {
    text += text.empty() ? "expected one of `" : ", `";
    text += name;
    text += '`';
  }
  return text;
}

// A value as errors call it: "a positive integer: `3`".
std::string described(const Json& value) {
  if (value.is_null()) return "null";
  std::string kind;
  if (value.is_bool()) {
    kind = "a boolean";
  } else if (value.is_int64() && value.as_int64() < 0) {
    kind = "a negative integer";
  } else if (value.is_integer()) {
    kind = "a positive integer";
  } else if (value.is_double()) {
    kind = "a number";
  } else if (value.is_string()) {
    kind = "a string";
  } else {
    kind = value.is_array() ? "an array" : "an object";
  }
  return kind + ": `" + to_text(value) + "`";
}

std::string in_parameter(std::string_view name) {
  return "Invalid value in parameter `" + std::string(name) + "`: ";
}

}  // namespace

std::optional<ApiError> check_parameters(const Parameters& query,
                                         std::initializer_list<std::string_view> allowed) {
  for (const auto& [name, value] : query) {
    if (std::ranges::find(allowed, name) == allowed.end()) {
      return api_error("bad_request", "Unknown parameter `" + name + "`: " + one_of(allowed));
    }
  }
  return std::nullopt;
}

const std::string* find_parameter(const Parameters& query, std::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [key, value] : query) {
    if (key == name) found = &value;
  }
  return found;
}

std::expected<std::uint64_t, ApiError> unsigned_parameter(const Parameters& query,
                                                          std::string_view name,
                                                          std::uint64_t fallback,
                                                          std::string_view code) {
  const std::string* text = find_parameter(query, name);
  if (text == nullptr) return fallback;
  std::uint64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stop != end) {
    return std::unexpected(api_error(
        code, in_parameter(name) + "could not parse `" + *text + "` as a positive integer"));
  }
  return value;
}

std::expected<bool, ApiError> boolean_parameter(const Parameters& query, std::string_view name,
                                                bool fallback, std::string_view code) {
  const std::string* text = find_parameter(query, name);
  if (text == nullptr) return fallback;
  if (*text == "true") return true;
  if (*text == "false") return false;
  return std::unexpected(api_error(code, in_parameter(name) + "could not parse `" + *text +
                                             "` as a boolean, expected either `true` or `false`"));
}

std::optional<std::vector<std::string>> list_parameter(const Parameters& query,
                                                       std::string_view name) {
  const std::string* text = find_parameter(query, name);
  if (text == nullptr) return std::nullopt;
  std::vector<std::string> parts;
  std::string_view rest = *text;
  while (true) {
    const std::size_t comma = rest.find(',');
    parts.emplace_back(rest.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    rest.remove_prefix(comma + 1);
  }
}

std::optional<ApiError> check_fields(const Json& body,
                                     std::initializer_list<std::string_view> allowed) {
  if (!body.is_object()) {
    return api_error("bad_request",
                     "Invalid value type: expected an object, but found " + described(body));
  }
  for (const auto& [name, value] : body.as_object()) {
    if (std::ranges::find(allowed, name) == allowed.end()) {
      return api_error("bad_request", "Unknown field `" + name + "`: " + one_of(allowed));
    }
  }
  return std::nullopt;
}

ApiError wrong_type(const Json& value, std::string_view expected, std::string_view path,
                    std::string_view code) {
  return api_error(code, "Invalid value type at `" + std::string(path) + "`: expected " +
                             std::string(expected) + ", but found " + described(value));
}

std::expected<std::uint64_t, ApiError> unsigned_field(const Json& body, std::string_view name,
                                                      std::uint64_t fallback,
                                                      std::string_view code) {
  const Json* value = body.find(name);
  if (value == nullptr || value->is_null()) return fallback;
  if (value->is_integer() && (!value->is_int64() || value->as_int64() >= 0))
    return value->as_uint64();
  return std::unexpected(wrong_type(*value, "a positive integer", "." + std::string(name), code));
}

std::expected<bool, ApiError> boolean_field(const Json& body, std::string_view name, bool fallback,
                                            std::string_view code) {
  const Json* value = body.find(name);
  if (value == nullptr) return fallback;
  if (value->is_bool()) return value->as_bool();
  return std::unexpected(wrong_type(*value, "a boolean", "." + std::string(name), code));
}

std::expected<std::optional<std::string>, ApiError> string_field(const Json& body,
                                                                 std::string_view name,
                                                                 std::string_view code) {
  const Json* value = body.find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_string()) return value->as_string();
  return std::unexpected(wrong_type(*value, "a string", "." + std::string(name), code));
}

std::expected<std::optional<std::vector<std::string>>, ApiError> strings_field(
    const Json& body, std::string_view name, std::string_view code) {
  const Json* value = body.find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const std::string path = "." + std::string(name);
  if (!value->is_array()) return std::unexpected(wrong_type(*value, "an array", path, code));
  std::vector<std::string> strings;
  for (const Json& element : value->as_array()) {
    if (!element.is_string()) {
      const std::string place = path + "[" + std::to_string(strings.size()) + "]";
      return std::unexpected(wrong_type(element, "a string", place, code));
    }
    strings.push_back(element.as_string());
  }
  return strings;
}

std::expected<Json, ApiError> json_body(std::string_view body) {
  if (body.empty())
    return std::unexpected(api_error("missing_payload", "A json payload is missing."));
  auto json = parse_json(body);
  if (json) return std::move(*json);
  return std::unexpected(
      api_error("malformed_payload",
                "The json payload provided is malformed. `" + json.error().message + "`."));
}

}  // namespace miroir::meili
