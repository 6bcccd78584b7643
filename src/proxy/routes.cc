#include "proxy/routes.h"

namespace miroir {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  std::size_t start = 0;
  if (path.starts_with('/')) start = 1;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    segments.emplace_back(path.substr(start, end - start));
    start = end + 1;
  }
  if (segments.size() > 1 && segments.back().empty()) segments.pop_back();
  return segments;
}

bool is_variable(const std::string& segment) { return segment.starts_with('{'); }

}  // namespace

void Routes::add(std::string method, std::string path, std::string_view action,
                 Route::Handler handler) {
  std::vector<std::string> segments = split(path);
  entries_.push_back(
      {Route{std::move(method), std::move(path), std::string(action), std::move(handler)},
       std::move(segments)});
}

Routes::Match Routes::find(const http::RequestHead& head) const {
  Match match;
  const std::vector<std::string> asked = split(head.path);
  for (const Entry& entry : entries_) {
    if (entry.segments.size() != asked.size()) continue;
    Route::Values values;
    std::string index_uid;
    bool fits = true;
    for (std::size_t i = 0; fits && i < asked.size(); ++i) {
      if (!is_variable(entry.segments[i])) {
        fits = entry.segments[i] == asked[i];
        continue;
      }
      auto value = http::percent_decode(asked[i]);
      fits = value.has_value() && !value->empty();
      if (!fits) break;
      if (entry.segments[i] == "{uid}") index_uid = *value;
      values.push_back(std::move(*value));
    }
    if (!fits) continue;
    match.path_exists = true;
    if (entry.route.method != head.method) continue;
    match.route = &entry.route;
    match.values = std::move(values);
    match.index_uid = std::move(index_uid);
    return match;
  }
  return match;
}

}  // namespace miroir
