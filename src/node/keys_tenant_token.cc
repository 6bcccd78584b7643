#include "node/keys_tenant_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>

#include "base/base64url.h"
#include "meili/api_key.h"

namespace miroir::node {
namespace {

std::optional<Json> decode_part(std::string_view text) {
  const auto bytes = decode_base64url(text);
  if (!bytes) return std::nullopt;
  auto json = parse_json(*bytes);
  if (!json || !json->is_object()) return std::nullopt;
  return std::move(*json);
}

const EVP_MD* digest_of(const Json& header) {
  const Json* algorithm = header.find("alg");
  if (algorithm == nullptr) return nullptr;
  if (*algorithm == Json("HS256")) return EVP_sha256();
  if (*algorithm == Json("HS384")) return EVP_sha384();
  if (*algorithm == Json("HS512")) return EVP_sha512();
  return nullptr;
}

bool is_signed(std::string_view message, std::string_view key, const EVP_MD* digest,
               std::string_view signature) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned int size = 0;
  HMAC(digest, key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), made.data(), &size);
  return size == signature.size() && CRYPTO_memcmp(made.data(), signature.data(), size) == 0;
}

// The filter of a rule {"filter": …}, null where it has none.
Json filter_of(const Json& rule) {
  const Json* filter = rule.find("filter");
  return filter == nullptr ? Json() : *filter;
}

bool is_meant(std::string_view pattern, std::string_view index_uid) {
  if (!pattern.ends_with('*')) return pattern == index_uid;
  pattern.remove_suffix(1);
  return index_uid.starts_with(pattern);
}

}  // namespace

std::optional<Json> TenantToken::rule(std::string_view index_uid) const {
  if (search_rules.is_array()) {
    for (const Json& pattern : search_rules.as_array()) {
      if (pattern.is_string() && is_meant(pattern.as_string(), index_uid)) return Json();
    }
    return std::nullopt;
  }
  if (!search_rules.is_object()) return std::nullopt;
  if (const Json* exact = search_rules.find(index_uid)) return filter_of(*exact);
  for (const auto& [pattern, rule] : search_rules.as_object()) {
    if (is_meant(pattern, index_uid)) return filter_of(rule);
  }
  return std::nullopt;
}

std::optional<TenantToken> read_tenant_token(std::string_view token, std::string_view key,
                                             std::string_view key_uid, WallTime now) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto header = decode_part(token.substr(0, first));
  const auto payload = decode_part(token.substr(first + 1, second - first - 1));
  const auto signature = decode_base64url(token.substr(second + 1));
  if (!header || !payload || !signature) return std::nullopt;
  const EVP_MD* digest = digest_of(*header);
  const Json* uid = payload->find("apiKeyUid");
  const Json* rules = payload->find("searchRules");
  if (digest == nullptr || uid == nullptr || !uid->is_string() ||
      meili::printed_uid(uid->as_string()) != key_uid || rules == nullptr)
    return std::nullopt;
  if (!is_signed(token.substr(0, second), key, digest, *signature)) return std::nullopt;
  if (const Json* expiry = payload->find("exp"); expiry != nullptr && !expiry->is_null()) {
    const auto seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    if (!expiry->is_number() || expiry->as_double() <= seconds) return std::nullopt;
  }
  return TenantToken{*rules};
}

}  // namespace miroir::node
