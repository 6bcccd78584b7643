#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace miroir::sim {

// The member of that name; null, 0 or "" where there is none, or one of another type.
inline const Json& at(const Json& object, std::string_view name) {
  static const Json kNothing;
  const Json* found = object.find(name);
  return found == nullptr ? kNothing : *found;
}

inline std::uint64_t number(const Json& object, std::string_view name) {
  const Json& value = at(object, name);
  return value.is_integer() ? value.as_uint64() : 0;
}

inline std::string text_at(const Json& object, std::string_view name) {
  const Json& value = at(object, name);
  return value.is_string() ? value.as_string() : std::string();
}

}  // namespace miroir::sim
