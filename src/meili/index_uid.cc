#include "meili/index_uid.h"

#include <algorithm>
#include <string>

namespace miroir::meili {

bool is_index_uid(std::string_view uid) {
  constexpr std::size_t kBytesMax = 512;
  return !uid.empty() && uid.size() <= kBytesMax && std::ranges::all_of(uid, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_';
  });
}

ApiError invalid_index_uid(std::string_view uid) {
  return api_error(
      "invalid_index_uid",
      "`" + std::string(uid) +
          "` is not a valid index uid. Index uid can be an integer or a string containing only "
          "alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 "
          "bytes.");
}

ApiError index_not_found(std::string_view uid) {
  return api_error("index_not_found", "Index `" + std::string(uid) + "` not found.");
}

}  // namespace miroir::meili
