#include "meili/settings_check.h"

#include <algorithm>

#include "meili/parameters.h"

namespace miroir::meili {

Place Place::at(std::string_view member) const { return {path + "." + std::string(member), code}; }

Place Place::at(std::size_t element) const {
  return {path + "[" + std::to_string(element) + "]", code};
}

ApiError expected_type(const Json& value, std::string_view type, const Place& place) {
  ApiError error = wrong_type(value, type, place.path, place.code);
  constexpr std::string_view kNowhere = " at ``";
  if (const std::size_t at = error.message.find(kNowhere);
      place.path.empty() && at != std::string::npos) {
    error.message.erase(at, kNowhere.size());
  }
  return error;
}

ApiError unknown_value(std::string_view value, std::string_view one_of, const Place& place) {
  return api_error(place.code, "Unknown value `" + std::string(value) + "`" +
                                   (place.path.empty() ? "" : " at `" + place.path + "`") +
                                   ": expected one of " + std::string(one_of));
}

ApiError invalid_value(std::string_view message, const Place& place) {
  return api_error(place.code, "Invalid value" +
                                   (place.path.empty() ? "" : " at `" + place.path + "`") + ": " +
                                   std::string(message));
}

Checked check_text(const Json& value, const Place& place) {
  if (!value.is_string()) return std::unexpected(expected_type(value, "a string", place));
  return value;
}

Checked check_flag(const Json& value, const Place& place) {
  if (!value.is_bool()) return std::unexpected(expected_type(value, "a boolean", place));
  return value;
}

Checked check_count(const Json& value, const Place& place) {
  if (!value.is_integer() || (value.is_int64() && value.as_int64() < 0))
    return std::unexpected(expected_type(value, "a positive integer", place));
  return value;
}

Checked check_texts(const Json& value, const Place& place) {
  if (!value.is_array()) return std::unexpected(expected_type(value, "an array", place));
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (auto text = check_text(value.as_array()[i], place.at(i)); !text) return text;
  }
  return value;
}

Checked check_text_set(const Json& value, const Place& place) {
  auto texts = check_texts(value, place);
  if (!texts) return texts;
  Json::Array& array = texts->as_array();
  const auto text_of = [](const Json& text) -> const std::string& { return text.as_string(); };
  std::ranges::sort(array, {}, text_of);
  array.erase(std::ranges::unique(array, {}, text_of).begin(), array.end());
  return texts;
}

Checked check_choice(const Json& value, const Place& place,
                     std::initializer_list<std::string_view> choices) {
  auto text = check_text(value, place);
  if (!text || std::ranges::find(choices, text->as_string()) != choices.end()) return text;
  std::string names;
  for (const std::string_view choice : choices)
    names += (names.empty() ? "`" : ", `") + std::string(choice) + "`";
  return std::unexpected(unknown_value(text->as_string(), names, place));
}

}  // namespace miroir::meili
