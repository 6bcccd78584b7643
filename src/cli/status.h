#pragma once

#include <string>

#include "base/result.h"

namespace miroir {

// `miroir status`: what GET /_miroir/topology and /_miroir/anti-entropy/status say, for people.
Result<std::string> status(const std::string& url, const std::string& admin_key);

}  // namespace miroir
