#pragma once

#include <optional>
#include <string>

#include "anti_entropy/options.h"
#include "base/logging.h"
#include "base/result.h"
#include "cdc/options.h"
#include "cluster/cluster.h"
#include "cluster/topology.h"
#include "log/log.h"
#include "proxy/authorization.h"
#include "proxy/options.h"
#include "search/searcher.h"
#include "ttl/options.h"

namespace miroir {

// Everything that one Miroir process is told. Flags win over the environment, the environment over
// the file.
struct Config {
  std::vector<NodeConfig> nodes;
  std::uint32_t shards = 64;
  std::string data_dir = "./data";
  std::string store_url;  // "sqlite:PATH"; empty: miroir.db in the data directory
  HealthOptions health;
  LogOptions log;
  SearchOptions search;
  AntiEntropyOptions anti_entropy;
  CdcOptions cdc;
  TtlOptions ttl;
  ProxyOptions proxy;
  Secrets secrets;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

// What the command line said; nullopt: nothing.
struct ConfigFlags {
  std::optional<std::string> config_path;
  std::optional<std::string> data_dir;
  std::optional<std::string> master_key;
  std::optional<std::string> node_master_key;
  std::optional<std::string> admin_key;
  std::optional<std::string> bind;
  std::optional<std::uint16_t> port;
  std::optional<std::uint16_t> metrics_port;
};

// Reads the file, the environment and the flags. Errors name file, line, key and what was expected.
Result<Config> load_config(const ConfigFlags& flags);
// The file's part alone.
Result<Config> parse_config(std::string_view yaml, const std::string& file);

}  // namespace miroir
