#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/socket.h"

namespace miroir::http {

// Where a server is: "http://10.0.0.1:7701", "http://[::1]:7701", "http://node-a" (port 80).
struct Address {
  std::string host;  // a name or an IP address, without brackets
  std::uint16_t port = 80;
  std::string authority;  // as written, for the Host field
};
Result<Address> parse_address(std::string_view text);

// Resolves names each time: a node may have moved. kTimeout: the deadline passed; kUnavailable:
// nobody there. Nothing was sent either way.
Async<Result<std::unique_ptr<Socket>>> connect(Executor executor, Clock& clock, Address address,
                                               Instant deadline);

}  // namespace miroir::http
