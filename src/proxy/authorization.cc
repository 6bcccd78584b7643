#include "proxy/authorization.h"

#include <openssl/crypto.h>

#include "base/base64url.h"
#include "meili/api_key.h"
#include "proxy/routes.h"

namespace miroir {
namespace {

std::string_view bearer_token(const http::RequestHead& head) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string* value = head.headers.find("Authorization");
  if (value == nullptr || !value->starts_with(kBearer)) return {};
  return std::string_view(*value).substr(kBearer.size());
}

std::string_view admin_token(const http::RequestHead& head) {
  const std::string* value = head.headers.find("X-Admin-Key");
  return value == nullptr ? bearer_token(head) : std::string_view(*value);
}

// Takes as long whatever the difference.
bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// The key that a tenant token names: header.payload.signature. The rest only a node can judge.
const KeyState* parent_of(std::string_view token, const Catalogue& catalogue) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == token.npos ? first : token.find('.', first + 1);
  if (second == token.npos) return nullptr;
  const auto text = decode_base64url(token.substr(first + 1, second - first - 1));
  const auto payload = text ? parse_json(*text) : std::unexpected(Error{});
  const Json* uid = payload ? payload->find("apiKeyUid") : nullptr;
  if (uid == nullptr || !uid->is_string()) return nullptr;
  return catalogue.key(meili::printed_uid(uid->as_string()));
}

meili::ApiError invalid_key() {
  return meili::api_error("invalid_api_key", "The provided API key is invalid.");
}

const Json& member(const KeyState& key, std::string_view name) {
  static const Json kNothing;
  const Json* value = key.key.find(name);
  return value == nullptr ? kNothing : *value;
}

}  // namespace

std::string Authorization::key_of(const std::string& uid) const {
  return meili::derive_key(secrets_.node_master_key, uid);
}

const KeyState* Authorization::find_key(std::string_view token, const Catalogue& catalogue) const {
  for (const auto& [uid, key] : catalogue.keys()) {
    if (equal_secrets(token, key_of(uid))) return &key;
  }
  return nullptr;
}

bool Authorization::is_master(const http::RequestHead& head) const {
  return secrets_.master_key.empty() || equal_secrets(bearer_token(head), secrets_.master_key);
}

bool Authorization::may_see(const http::RequestHead& head, const std::string& index_uid,
                            const Catalogue& catalogue) const {
  const std::string_view token = bearer_token(head);
  if (secrets_.master_key.empty() || token.empty()) return true;
  const KeyState* key = find_key(token, catalogue);
  return key != nullptr && meili::index_allowed(member(*key, "indexes"), index_uid);
}

bool Authorization::may_make(const http::RequestHead& head, const std::string& index_uid,
                             const Catalogue& catalogue) const {
  const std::string_view token = bearer_token(head);
  if (secrets_.master_key.empty() || token.empty()) return true;
  const KeyState* key = find_key(token, catalogue);
  return key != nullptr && meili::action_allowed(member(*key, "actions"), "indexes.create") &&
         meili::index_allowed(member(*key, "indexes"), index_uid);
}

std::optional<meili::ApiError> Authorization::judge(const http::RequestHead& head,
                                                    std::string_view action,
                                                    const std::string& index_uid,
                                                    const Catalogue& catalogue,
                                                    WallTime now) const {
  if (action == kNoKey) return std::nullopt;
  const std::string_view token = bearer_token(head);
  if (action == kAdminKey) {
    const std::string& expected =
        secrets_.admin_key.empty() ? secrets_.master_key : secrets_.admin_key;
    if (expected.empty() || equal_secrets(admin_token(head), expected)) return std::nullopt;
    return meili::api_error("miroir_invalid_auth",
                            "This route needs the admin key, as `Authorization: Bearer` or "
                            "`X-Admin-Key`.");
  }
  if (secrets_.master_key.empty()) return std::nullopt;
  if (token.empty()) {
    return meili::api_error("missing_authorization_header",
                            "The Authorization header is missing. It must use the bearer "
                            "authorization method.");
  }
  if (equal_secrets(token, secrets_.master_key)) return std::nullopt;
  const KeyState* key = find_key(token, catalogue);
  const bool is_key = key != nullptr;
  // A node that was away may still have the key.
  if (!is_key && action == "search") key = parent_of(token, catalogue);
  if (key == nullptr || !meili::is_alive(key->key, now) ||
      !meili::action_allowed(member(*key, "actions"), action)) {
    return invalid_key();
  }
  if (!is_key) return std::nullopt;
  const Json& indexes = member(*key, "indexes");
  if (!index_uid.empty() && !meili::index_allowed(indexes, index_uid)) {
    return meili::api_error("invalid_api_key", "The API key cannot acces the index `" + index_uid +
                                                   "`, authorized indexes are " + to_text(indexes) +
                                                   ".");
  }
  return std::nullopt;
}

}  // namespace miroir
