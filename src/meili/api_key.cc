#include "meili/api_key.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include "base/hmac.h"
#include "meili/task.h"

namespace miroir::meili {
namespace {

Json comparable(const Json* value) {
  if (value == nullptr) return Json();
  if (value->is_string()) {
    const auto time = parse_date_time(value->as_string(), false);
    return time ? Json(time->time_since_epoch().count()) : *value;
  }
  if (!value->is_array()) return *value;
  std::set<std::string> members;
  for (const Json& each : value->as_array()) members.insert(to_text(each));
  Json sorted = Json::array();
  for (const std::string& each : members) sorted.push_back(each);
  return sorted;
}

bool same(const Json& a, const Json& b, std::initializer_list<const char*> members) {
  return std::ranges::all_of(members, [&](const char* member) {
    return comparable(a.find(member)) == comparable(b.find(member));
  });
}

}  // namespace

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

bool same_rights(const Json& a, const Json& b) {
  return same(a, b, {"actions", "indexes", "expiresAt"});
}

bool same_key(const Json& a, const Json& b) {
  return same_rights(a, b) && same(a, b, {"name", "description"});
}

}  // namespace miroir::meili
