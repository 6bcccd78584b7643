#include "proxy/options.h"

#include <boost/asio/ip/address.hpp>

namespace miroir {
namespace {

std::string parse_bind(YamlBlock& block, std::string fallback) {
  std::string bind = block.string("bind", std::move(fallback));
  boost::system::error_code error;
  boost::asio::ip::make_address(bind, error);
  if (error) block.refuse("bind", "an IP address like \"0.0.0.0\"");
  return bind;
}

}  // namespace

void parse_server(YamlBlock block, ProxyOptions& options) {
  options.bind = parse_bind(block, options.bind);
  options.port = static_cast<std::uint16_t>(block.integer("port", options.port, 0, 65'535));
  options.body_bytes_max = block.bytes("max_body_bytes", options.body_bytes_max);
  options.requests_max = static_cast<std::size_t>(block.integer(
      "max_concurrent_requests", static_cast<std::int64_t>(options.requests_max), 1, 1'000'000));
  options.request_timeout = block.milliseconds("request_timeout_ms", options.request_timeout);
}

void parse_metrics(YamlBlock block, ProxyOptions& options) {
  options.metrics_bind = parse_bind(block, options.metrics_bind);
  options.metrics_port =
      static_cast<std::uint16_t>(block.integer("port", options.metrics_port, 0, 65'535));
}

}  // namespace miroir
