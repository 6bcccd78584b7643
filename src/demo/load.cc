#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "demo/story.h"

namespace miroir::demo {
namespace {

constexpr std::size_t kBatch = 4'000;

void show_progress(std::size_t done, std::size_t total, const char* what) {
  if (::isatty(STDOUT_FILENO) == 0) {
    if (done == total) say(fmt::format("  {} {}/{}", what, done, total));
    return;
  }
  constexpr std::size_t kWidth = 50;
  const std::size_t filled = total == 0 ? kWidth : done * kWidth / total;
  std::printf("\r  [%s%s] %zu/%zu %s ", std::string(filled, '#').c_str(),
              std::string(kWidth - filled, '.').c_str(), done, total, what);
  if (done == total) std::printf("\n");
  std::fflush(stdout);
}

std::string shown(const Json& hit, std::string_view name) {
  const Json* value = hit.find(name);
  if (value == nullptr) return "-";
  return value->is_string() ? value->as_string() : to_text(*value);
}

Result<void> show_search(Stage& stage, const std::string& title, const Json& body) {
  MIROIR_TRY(const Json answer,
             stage.miroir().expect("POST", std::string("/indexes/") + kIndex + "/search", body));
  say("  " + title + "   " + to_text(body));
  const Json* hits = answer.find("hits");
  if (hits == nullptr || !hits->is_array())
    return fail(ErrorCode::kCorrupt, "a search without hits");
  for (const Json& hit : hits->as_array()) {
    say(fmt::format("    {:<28} {:<14} {}", shown(hit, "name"), shown(hit, "section"),
                    shown(hit, "description").substr(0, 60)));
  }
  if (const Json* facets = answer.find("facetDistribution"))
    say("    " + to_text(*facets).substr(0, 300));
  say(fmt::format("    {} hits, {} ms", shown(answer, "estimatedTotalHits"),
                  shown(answer, "processingTimeMs")));
  return {};
}

}  // namespace

Result<void> load(Stage& stage, const std::vector<Json>& packages) {
  Api& miroir = stage.miroir();
  MIROIR_CHECK(
      miroir.write("POST", "/indexes", Json::object({{"uid", kIndex}, {"primaryKey", "id"}})));
  MIROIR_CHECK(miroir.write(
      "PATCH", std::string("/indexes/") + kIndex + "/settings",
      Json::object({{"filterableAttributes", Json::array({"section", "priority", "size"})},
                    {"sortableAttributes", Json::array({"size", "name"})},
                    {"searchableAttributes", Json::array({"name", "description"})}})));
  SystemClock clock;
  const Instant start = clock.now();
  std::int64_t last = -1;
  for (std::size_t from = 0; from < packages.size(); from += kBatch) {
    const std::size_t to = std::min(packages.size(), from + kBatch);
    Json batch = Json(Json::Array(packages.begin() + static_cast<std::ptrdiff_t>(from),
                                  packages.begin() + static_cast<std::ptrdiff_t>(to)));
    MIROIR_TRY(const Json accepted,
               miroir.expect("POST", std::string("/indexes/") + kIndex + "/documents", batch));
    last = accepted.find("taskUid")->as_int64();
    for (std::size_t i = from; i < to; ++i) stage.model().put(packages[i]);
    show_progress(to, packages.size(), "acknowledged");
  }
  const double acknowledged = std::chrono::duration<double>(clock.now() - start).count();
  if (last >= 0) MIROIR_CHECK(miroir.wait_task(last));
  const double indexed = std::chrono::duration<double>(clock.now() - start).count();
  say(fmt::format("  acknowledged in {:.1f} s, searchable on every replica in {:.1f} s",
                  acknowledged, indexed));
  return {};
}

Result<void> show_answers(Stage& stage) {
  MIROIR_CHECK(show_search(stage, "words", Json::object({{"q", "text editor"}, {"limit", 3}})));
  MIROIR_CHECK(show_search(stage, "filter, sort",
                           Json::object({{"q", ""},
                                         {"filter", "section = games AND size > 1000000"},
                                         {"sort", Json::array({"size:desc"})},
                                         {"limit", 3}})));
  return show_search(
      stage, "facets",
      Json::object({{"q", "library"}, {"facets", Json::array({"priority"})}, {"limit", 1}}));
}

}  // namespace miroir::demo
