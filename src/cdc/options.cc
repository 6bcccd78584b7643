#include "cdc/options.h"

#include <set>

#include "cdc/webhook.h"

namespace miroir {

CdcOptions parse_cdc(YamlBlock block) {
  CdcOptions options;
  options.enabled = block.boolean("enabled", options.enabled);
  options.retention = block.duration("retention", options.retention);
  options.emit_ttl_deletes = block.boolean("emit_ttl_deletes", options.emit_ttl_deletes);
  options.emit_internal_writes =
      block.boolean("emit_internal_writes", options.emit_internal_writes);
  std::set<std::string> ids;
  for (YamlBlock& its : block.blocks("sinks")) {
    CdcSinkOptions sink;
    sink.id = its.required_string("id");
    sink.url = its.required_string("url");
    sink.secret = its.required_string("secret");
    sink.bodies = its.boolean("bodies", sink.bodies);
    if (!ids.insert(sink.id).second) its.refuse("id", "an id that no other sink has");
    if (!sink.url.empty() && !cdc::parse_webhook_url(sink.url)) {
      its.refuse("url", "an address like \"http://10.0.0.1:8080/changes\"");
    }
    options.sinks.push_back(std::move(sink));
  }
  return options;
}

}  // namespace miroir
