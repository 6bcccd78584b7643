#include "meili/api_key.h"

#include "base/hmac.h"
#include "meili/task.h"

namespace miroir::meili {

std::string derive_key(std::string_view master_key, std::string_view uid) {
  return hmac_sha256(master_key, uid);
}

std::string printed_uid(std::string_view uid) {
  constexpr std::string_view kUrn = "urn:uuid:";
  if (uid.starts_with(kUrn)) uid.remove_prefix(kUrn.size());
  std::string printed;
  for (const char c : uid) {
    if (c == '-' || c == '{' || c == '}') continue;
    const std::size_t at = printed.size();
    if (at == 8 || at == 13 || at == 18 || at == 23) printed += '-';
    printed += c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c;
  }
  return printed;
}

bool action_allowed(const Json& actions, std::string_view action) {
  if (!actions.is_array()) return false;
  for (const Json& each : actions.as_array()) {
    if (!each.is_string()) continue;
    const std::string& allowed = each.as_string();
    if (allowed == "*" || allowed == action) return true;
    if (allowed == "*.get" && action.ends_with(".get") && action != "keys.get") return true;
    if (allowed.ends_with(".*") &&
        action.starts_with(std::string_view(allowed).substr(0, allowed.size() - 1))) {
      return true;
    }
  }
  return false;
}

bool index_allowed(const Json& indexes, std::string_view index_uid) {
  if (!indexes.is_array()) return false;
  for (const Json& each : indexes.as_array()) {
    if (!each.is_string()) continue;
    const std::string& allowed = each.as_string();
    if (allowed == index_uid) return true;
    if (allowed.ends_with('*') &&
        index_uid.starts_with(std::string_view(allowed).substr(0, allowed.size() - 1))) {
      return true;
    }
  }
  return false;
}

bool is_alive(const Json& key, WallTime now) {
  const Json* expires = key.find("expiresAt");
  if (expires == nullptr || !expires->is_string()) return true;
  const auto when = parse_date_time(expires->as_string(), false);
  return when.has_value() && *when > now;
}

}  // namespace miroir::meili
