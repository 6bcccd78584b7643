// What most of our files include, parsed once for all rooms. Files include what they use as if this
// were not here: -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON shows who forgot.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/async.h"
#include "base/async_gather.h"
#include "base/clock.h"
#include "base/content_hash.h"
#include "base/document.h"
#include "base/json.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
