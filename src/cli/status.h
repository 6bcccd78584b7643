#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace miroir {

// `miroir status`: what GET /_miroir/topology, /_miroir/anti-entropy/status and …/divergence say,
// for people.
Result<std::string> status(const std::string& url, const std::string& admin_key);
std::string status_text(const Json& topology, const Json& passes, const Json& divergence);

}  // namespace miroir
