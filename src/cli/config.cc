#include "cli/config.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/yaml.h"
#include "cluster/options.h"
#include "log/options.h"
#include "search/options.h"

namespace miroir {
namespace {

void refuse_what_is_not_there(YamlBlock& root) {
  if (root.has("replication_factor")) {
    root.refuse("replication_factor",
                "no such key: every `replica_group` is a replica, so give nodes more groups");
  }
  // Blocks of the original that this version does not have: silence would be a promise.
  for (const char* block : {"leader_election", "peer_discovery", "rebalancer"}) {
    if (root.has(block)) root.refuse(block, "no such block: this version does not have it yet");
  }
}

void parse_logging(YamlBlock block, Config& config) {
  const std::string level = block.one_of("level", "info", {"debug", "info", "warning", "error"});
  config.log_level = level == "debug"     ? LogLevel::kDebug
                     : level == "warning" ? LogLevel::kWarning
                     : level == "error"   ? LogLevel::kError
                                          : LogLevel::kInfo;
  config.log_format = block.one_of("format", "text", {"text", "json"}) == "json" ? LogFormat::kJson
                                                                                 : LogFormat::kText;
}

constexpr std::string_view kStoreExample = "an address like \"sqlite:/var/lib/miroir/miroir.db\"";

bool is_store_url(std::string_view url) {
  constexpr std::string_view kSqlite = "sqlite:";
  return url.starts_with(kSqlite) && url.size() > kSqlite.size();
}

void take_environment(const char* name, std::string& value) {
  if (const char* given = std::getenv(name); given != nullptr && *given != '\0') value = given;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorCode::kNotFound, "cannot read the configuration " + path);
  return text.str();
}

}  // namespace

Result<Config> parse_config(std::string_view yaml, const std::string& file) {
  MIROIR_TRY(YamlBlock document, YamlBlock::parse(yaml, file));
  YamlBlock root = document.block("miroir");
  Config config;
  refuse_what_is_not_there(root);
  config.shards = static_cast<std::uint32_t>(root.integer("shards", config.shards, 1, 65'536));
  config.nodes = parse_nodes(root);
  config.health = parse_health(root.block("health"));
  config.log = parse_log(root.block("log"));
  config.search = parse_scatter(root.block("scatter"));
  config.anti_entropy = parse_anti_entropy(root.block("anti_entropy"));
  config.cdc = parse_cdc(root.block("cdc"));
  config.ttl = parse_ttl(root.block("ttl"));
  config.anti_entropy.names.expiry = config.ttl.enabled;
  if (config.cdc.enabled) config.log.stream_age = config.cdc.retention;
  parse_server(root.block("server"), config.proxy);
  parse_metrics(root.block("metrics"), config.proxy);
  parse_logging(root.block("logging"), config);
  YamlBlock store = root.block("store");
  config.store_url = store.string("url", "");
  if (store.has("url") && !is_store_url(config.store_url)) {
    store.refuse("url", std::string(kStoreExample));
  }
  MIROIR_CHECK(document.finish());
  if (config.nodes.empty()) {
    root.refuse("nodes", "at least one node");
    return std::unexpected(document.finish().error());
  }
  config.search.names = config.anti_entropy.names;
  return config;
}

Result<Config> load_config(const ConfigFlags& flags) {
  std::string path = "miroir.yaml";
  take_environment("MIROIR_CONFIG_PATH", path);
  path = flags.config_path.value_or(path);
  MIROIR_TRY(const std::string text, read_file(path));
  MIROIR_TRY(Config config, parse_config(text, path));

  take_environment("MIROIR_MASTER_KEY", config.secrets.master_key);
  take_environment("MIROIR_NODE_MASTER_KEY", config.secrets.node_master_key);
  take_environment("MIROIR_ADMIN_API_KEY", config.secrets.admin_key);
  take_environment("MIROIR_DATA_DIR", config.data_dir);
  take_environment("MIROIR_STORE_URL", config.store_url);
  if (!config.store_url.empty() && !is_store_url(config.store_url)) {
    return fail(ErrorCode::kInvalid, "MIROIR_STORE_URL: expected " + std::string(kStoreExample));
  }
  auto take = [](auto& value, const auto& flag) {
    if (flag) value = *flag;
  };
  take(config.secrets.master_key, flags.master_key);
  take(config.secrets.node_master_key, flags.node_master_key);
  take(config.secrets.admin_key, flags.admin_key);
  take(config.data_dir, flags.data_dir);
  take(config.proxy.bind, flags.bind);
  take(config.proxy.port, flags.port);
  take(config.proxy.metrics_port, flags.metrics_port);
  return config;
}

}  // namespace miroir
