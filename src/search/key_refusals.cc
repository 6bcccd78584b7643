#include "search/key_refusals.h"

#include "base/json.h"

namespace miroir {

KeyRefusals::KeyRefusals(const Cluster& cluster, const Log& log) {
  for (const NodeConfig& node : cluster.topology().nodes()) {
    if (cluster.status(node.id).done >= log.catalogue().newest_key())
      have_all_keys_.insert(node.id);
  }
}

bool KeyRefusals::refuses(const std::string& node, const http::Response& answer) {
  const auto body = answer.status == 403 ? parse_json(answer.body) : std::unexpected(Error{});
  const Json* code = body ? body->find("code") : nullptr;
  if (code == nullptr || *code != Json("invalid_api_key")) {
    taken_ = true;
    return false;
  }
  if (have_all_keys_.contains(node)) refusal_ = Refusal{node, answer};
  return true;
}

std::optional<KeyRefusals::Refusal> KeyRefusals::standing() const {
  return taken_ ? std::nullopt : refusal_;
}

}  // namespace miroir
