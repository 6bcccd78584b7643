#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "demo/story.h"

namespace miroir::demo {
namespace {

constexpr Milliseconds kAct{700};  // how long writes go on between two blows
constexpr std::size_t kDocumentsWritten = 2'000;
constexpr int kDocumentsPerWrite = 10;
constexpr int kRoundsPerDelete = 4;
constexpr std::size_t kDocumentsKept = 100;

// A client in a thread of its own that writes without pause: some documents change, one goes. What
// was not acknowledged it sends again until it is: replacing and deleting twice is the same as
// once. The model is its own while it runs.
class Writer {
 public:
  Writer(const Stage& stage, Model& model, std::vector<std::string> ids)
      : api_(stage.client()), model_(model), ids_(std::move(ids)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  Result<void> stop() {
    thread_.request_stop();
    thread_.join();
    return std::move(result_);
  }

  std::uint64_t acknowledged() const { return acknowledged_; }
  // Of the calls below, after stop().
  std::uint64_t repeated() const { return repeated_; }
  double longest_wait_milliseconds() const {
    return std::chrono::duration<double, std::milli>(longest_wait_).count();
  }

 private:
  void run(const std::stop_token& stop) {
    while (result_ && !stop.stop_requested()) result_ = one_round();
  }

  Result<void> one_round() {
    ++round_;
    Json changed = Json::array();
    for (int i = 0; i < kDocumentsPerWrite; ++i) {
      Json document = model_.documents().at(ids_[next_++ % ids_.size()]);
      document.set("round", round_);
      changed.push_back(std::move(document));
    }
    const std::string path = std::string("/indexes/") + kIndex + "/documents";
    MIROIR_CHECK(insist("POST", path, changed));
    for (const Json& document : changed.as_array()) model_.put(document);
    if (round_ % kRoundsPerDelete != 0 || ids_.size() <= kDocumentsKept) return {};
    const std::string doomed = ids_[next_++ % ids_.size()];
    MIROIR_CHECK(insist("DELETE", path + "/" + doomed, Json()));
    model_.remove(doomed);
    std::erase(ids_, doomed);
    return {};
  }

  Result<void> insist(const std::string& method, const std::string& path, const Json& body) {
    const Instant began = clock_.now();
    while (clock_.now() < began + kEqualTimeMax) {
      const auto answer = api_.call(method, path, body);
      if (answer && answer->status == 202) {
        ++acknowledged_;
        longest_wait_ = std::max(longest_wait_, clock_.now() - began);
        return {};
      }
      if (answer && answer->status < 500) {
        return fail(ErrorCode::kInvalid, fmt::format("{} {} answered {}: {}", method, path,
                                                     answer->status, answer->text));
      }
      ++repeated_;
      pause(Milliseconds(20));
    }
    return fail(ErrorCode::kTimeout, "Miroir does not come back");
  }

  SystemClock clock_;
  Api api_;
  Model& model_;
  std::vector<std::string> ids_;
  std::size_t next_ = 0;
  int round_ = 0;
  std::atomic<std::uint64_t> acknowledged_ = 0;
  std::uint64_t repeated_ = 0;
  Microseconds longest_wait_{0};
  Result<void> result_;
  std::jthread thread_;
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

// The blows, and the writes that were acknowledged while node b1 was dead.
Result<void> kill_and_start(Stage& stage, const Writer& writer) {
  pause(kAct);
  stage.kill_node("b1");
  const std::uint64_t before = writer.acknowledged();
  say("  node b1 killed; writes go on");
  pause(kAct);
  stage.kill_miroir();
  say("  Miroir killed; the client repeats what was not acknowledged");
  MIROIR_CHECK(stage.start_miroir());
  say("  Miroir is back; writes go on");
  pause(kAct);
  say(fmt::format("  {} writes acknowledged while node b1 was dead",
                  writer.acknowledged() - before));
  return stage.start_node("b1");
}

}  // namespace

Result<void> survive_crashes(Stage& stage) {
  MIROIR_CHECK(stage.wait_equal());
  MIROIR_TRY(const double repaired, stage.metric("miroir_antientropy_docs_repaired_total"));
  MIROIR_TRY(const double scanned, stage.metric("miroir_antientropy_scanned_bytes_total"));
  if (repaired != 0) return fail(ErrorCode::kInternal, "a repair where nothing was broken");

  Writer writer(stage, stage.model(), some_ids(stage.model(), kDocumentsWritten));
  const auto blows = kill_and_start(stage, writer);
  SystemClock clock;
  const Instant back = clock.now();
  MIROIR_CHECK(writer.stop());
  MIROIR_CHECK(blows);
  MIROIR_CHECK(stage.wait_equal());
  say(fmt::format("  node b1 is back, and equal {:.1f} s after it answers",
                  std::chrono::duration<double>(clock.now() - back).count()));
  say(
      fmt::format("  {} writes acknowledged in all; the client repeated {}, and waited at most "
                  "{:.0f} ms for one",
                  writer.acknowledged(), writer.repeated(), writer.longest_wait_milliseconds()));

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
