#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/yaml.h"

namespace miroir {

// The blocks `server` and `metrics` of the configuration (VOCABULARY.md).
struct ProxyOptions {
  std::string bind = "0.0.0.0";
  std::uint16_t port = 7700;
  std::uint64_t body_bytes_max = 104'857'600;
  std::size_t requests_max = 500;
  Milliseconds request_timeout{30'000};
  std::string metrics_bind = "0.0.0.0";
  std::uint16_t metrics_port = 9090;
};

void parse_server(YamlBlock block, ProxyOptions& options);
void parse_metrics(YamlBlock block, ProxyOptions& options);

}  // namespace miroir
