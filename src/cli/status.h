#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace miroir {

// `miroir status`: what GET /_miroir/topology and /_miroir/anti-entropy/status, …/divergence and
// …/repairs say, for people.
Result<std::string> status(const std::string& url, const std::string& admin_key);
std::string status_text(const Json& topology, const Json& passes, const Json& divergence,
                        const Json& repairs);

}  // namespace miroir
