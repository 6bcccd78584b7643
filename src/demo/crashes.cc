#include <fmt/format.h>

#include "demo/story.h"

namespace miroir::demo {
namespace {

constexpr Milliseconds kEqualTime{30'000};

std::string documents_path() { return std::string("/indexes/") + kIndex + "/documents"; }

// Sends one write and keeps the model in step. False: not acknowledged (Miroir is down), so nothing
// is known of it, and the same write is sent again later.
Result<bool> acknowledged(Stage& stage, const std::string& method, const std::string& path,
                          const Json& body) {
  auto answer = stage.miroir().call(method, path, body);
  if (!answer) return false;
  if (answer->status == 202) return true;
  return fail(ErrorCode::kInvalid, method + " " + path + " answered " +
                                       std::to_string(answer->status) + ": " + answer->text);
}

// A round of writes: some documents change, one goes.
struct Rounds {
  Stage& stage;
  std::vector<std::string> ids;
  std::size_t next = 0;
  int number = 0;
  int repeated = 0;

  Result<void> run(int count) {
    for (int i = 0; i < count; ++i) {
      MIROIR_CHECK(one_round());
    }
    return {};
  }

  // Repeats what was not acknowledged: replacing and deleting twice is the same as once.
  Result<void> send(const std::string& method, const std::string& path, const Json& body) {
    for (int attempt = 0; attempt < 200; ++attempt) {
      MIROIR_TRY(const bool done, acknowledged(stage, method, path, body));
      if (done) return {};
      ++repeated;
      pause(Milliseconds(50));
    }
    return fail(ErrorCode::kTimeout, "Miroir does not come back");
  }

  Result<void> one_round() {
    ++number;
    Json changed = Json::array();
    for (int i = 0; i < 10; ++i) {
      Json document = stage.model().documents().at(ids[next++ % ids.size()]);
      document.set("round", number);
      changed.push_back(std::move(document));
    }
    MIROIR_CHECK(send("POST", documents_path(), changed));
    for (const Json& document : changed.as_array()) stage.model().put(document);
    const std::string doomed = ids[next++ % ids.size()];
    MIROIR_CHECK(send("DELETE", documents_path() + "/" + doomed, Json()));
    stage.model().remove(doomed);
    std::erase(ids, doomed);
    return {};
  }
};

std::vector<std::string> some_ids(const Model& model, std::size_t count) {
  std::vector<std::string> ids;
  const std::size_t step = std::max<std::size_t>(1, model.documents().size() / count);
  std::size_t at = 0;
  for (const auto& [id, document] : model.documents()) {
    if (at++ % step == 0 && ids.size() < count) ids.push_back(id);
  }
  return ids;
}

}  // namespace

Result<void> survive_crashes(Stage& stage) {
  MIROIR_CHECK(stage.wait_equal(kEqualTime));
  MIROIR_TRY(const double repaired, stage.metric("miroir_antientropy_docs_repaired_total"));
  MIROIR_TRY(const double scanned, stage.metric("miroir_antientropy_scanned_bytes_total"));
  if (repaired != 0) return fail(ErrorCode::kInternal, "a repair where nothing was broken");

  Rounds rounds{stage, some_ids(stage.model(), 2'000)};
  MIROIR_CHECK(rounds.run(10));
  stage.kill_node("b1");
  say("  node b1 killed; writes go on");
  MIROIR_CHECK(rounds.run(20));
  stage.kill_miroir();
  say("  Miroir killed");
  MIROIR_CHECK(stage.start_miroir());
  say("  Miroir is back; writes go on");
  MIROIR_CHECK(rounds.run(20));
  MIROIR_CHECK(stage.start_node("b1"));
  SystemClock clock;
  const Instant back = clock.now();
  MIROIR_CHECK(stage.wait_equal(kEqualTime));
  const double seconds = std::chrono::duration<double>(clock.now() - back).count();
  say(fmt::format(
      "  node b1 is back, and equal after {:.1f} s; {} writes were sent again because nobody had "
      "acknowledged them",
      seconds, rounds.repeated));

  // Miroir was started anew, so its counters began at 0.
  MIROIR_TRY(const double repaired_after, stage.metric("miroir_antientropy_docs_repaired_total"));
  MIROIR_TRY(const double scanned_after, stage.metric("miroir_antientropy_scanned_bytes_total"));
  say(fmt::format("  from the log: {} repairs, {} bytes scanned (before: {})", repaired_after,
                  scanned_after, scanned));
  if (repaired_after != 0)
    return fail(ErrorCode::kInternal, "the log alone should have been enough");
  if (scanned_after != 0 || scanned != 0) {
    return fail(ErrorCode::kInternal, "documents were read although replicas agreed");
  }
  return {};
}

}  // namespace miroir::demo
