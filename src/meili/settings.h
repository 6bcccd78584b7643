#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "meili/api_error.h"

namespace miroir::meili {

// One member of an index's settings.
struct Setting {
  std::string_view name;   // "stopWords"
  std::string_view route;  // "stop-words"
  std::string_view code;   // of its refusals: "invalid_settings_stop_words"
  bool patched;            // its own route takes PATCH instead of PUT
};
// All of them, in the order of answers.
std::span<const Setting> all_settings();

// What an index has that nobody changed, complete.
Json default_settings();

// A settings object from a client, made normal: sets are sorted and without duplicates; null means
// reset. Refuses what Meilisearch refuses at the door.
std::expected<Json, ApiError> check_settings(const Json& patch);
// The value of one setting, null included.
std::expected<Json, ApiError> check_setting(const Setting& setting, const Json& value);

// As a task's details show a checked patch.
Json settings_details(const Json& patch);

// `current` (complete) with a checked patch over it. Refused is what only the whole can tell.
std::expected<Json, ApiError> apply_settings(const Json& current, const Json& patch);

// The complete settings as clients may see them: the embedders' keys are shortened.
Json without_secrets(Json settings);
// A key as it is shown: its first characters, if it is long, and XXX….
std::string shortened(const std::string& secret);
bool is_shortened(std::string_view key);

}  // namespace miroir::meili
