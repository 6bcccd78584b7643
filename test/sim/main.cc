// miroir-sim: runs the simulation, or replays one seed and tells its story.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/clock.h"
#include "base/logging.h"
#include "sim/simulation.h"

namespace miroir::sim {
namespace {

int replay_one(std::uint64_t seed, const FaultSet& faults, bool small) {
  Plan plan = draw_plan(seed, faults);
  if (small) plan = minimise(std::move(plan));
  fmt::print("{}", describe(plan));
  const Outcome outcome = simulate(plan);
  for (const std::string& line : outcome.story) fmt::print("{}\n", line);
  fmt::print("seed {}: {} of {} requests acknowledged, {} repairs, hash {}\n", seed,
             outcome.acknowledged, outcome.requests, outcome.repairs, outcome.hash);
  for (const std::string& wrong : outcome.wrong) fmt::print("WRONG: {}\n", wrong);
  return outcome.wrong.empty() ? 0 : 1;
}

int run_many(std::uint64_t first, std::uint64_t count, const FaultSet& faults) {
  const SystemClock clock;
  const Instant start = clock.now();
  std::uint64_t failed = 0;
  std::uint64_t repairs = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Outcome outcome = simulate(draw_plan(seed, faults));
    repairs += outcome.repairs;
    if (outcome.wrong.empty()) continue;
    ++failed;
    fmt::print("seed {}: {} (--seed {} replays it)\n", seed, outcome.wrong.front(), seed);
    std::fflush(stdout);
  }
  const double seconds = std::chrono::duration<double>(clock.now() - start).count();
  fmt::print("{} seeds, {} failed, {} repairs, {:.1f} seeds/s\n", count, failed, repairs,
             static_cast<double>(count) / seconds);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace miroir::sim

int main(int argc, char** argv) {
  using namespace miroir::sim;
  CLI::App app(
      "Runs a whole Miroir in memory, on simulated time, through faults drawn from seeds.");
  std::optional<std::uint64_t> seed;
  std::uint64_t first = 1;
  std::uint64_t count = 1'000;
  bool small = false;
  bool verbose = false;
  std::vector<std::string> without;
  std::vector<std::string> only;
  app.add_option("--seed", seed, "replay this seed and tell its story");
  app.add_option("--seeds", count, "run so many seeds");
  app.add_option("--first", first, "the first of them");
  app.add_flag("--minimise", small, "with --seed: leave out what it does not need to fail");
  app.add_flag("--verbose", verbose, "show what Miroir logs");
  app.add_option("--without", without, "kinds of faults to leave out");
  app.add_option("--only", only, "the only kinds of faults");
  CLI11_PARSE(app, argc, argv);
  miroir::configure_logging(verbose ? miroir::LogLevel::kDebug : miroir::LogLevel::kError,
                            miroir::LogFormat::kText);
  FaultSet faults = only.empty() ? default_faults() : FaultSet{};
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    const auto fault = static_cast<FaultKind>(kind);
    if (std::ranges::find(only, name(fault)) != only.end()) faults.insert(fault);
    if (std::ranges::find(without, name(fault)) != without.end()) faults.erase(fault);
  }
  return seed ? replay_one(*seed, faults, small) : run_many(first, count, faults);
}
