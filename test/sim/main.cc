// miroir-sim: runs the simulation, or replays one seed and tells its story.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

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

int run_many(std::uint64_t first, std::uint64_t count, bool stop, const FaultSet& faults) {
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
    if (stop) return 1;
  }
  const double seconds = std::chrono::duration<double>(clock.now() - start).count();
  fmt::print("{} seeds, {} failed, {} repairs, {:.1f} seeds/s\n", count, failed, repairs,
             static_cast<double>(count) / seconds);
  return failed == 0 ? 0 : 1;
}

// It is another program, beside this one, that is the same but for one source.
int run_mutation(const std::string& name, char** arguments) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string() + "-" + name;
  std::vector<char*> others;
  for (char** argument = arguments; *argument != nullptr; ++argument) {
    const std::string_view text(*argument);
    if (text == "--mutation" && argument[1] != nullptr) {
      ++argument;
    } else if (!text.starts_with("--mutation=")) {
      others.push_back(*argument);
    }
  }
  others.push_back(nullptr);
  execv(program.c_str(), others.data());
  fmt::print(stderr,
             "no {}: `./dev build mutations miroir-sim miroir-sim-{}` makes it, for "
             "build/mutations/test/miroir-sim\n",
             program, name);
  return 2;
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
  bool stop = false;
  bool verbose = false;
  std::string mutation;
  std::vector<std::string> without;
  std::vector<std::string> only;
  app.add_option("--seed", seed, "replay this seed and tell its story");
  app.add_option("--seeds", count, "run so many seeds");
  app.add_option("--first", first, "the first of them");
  app.add_flag("--minimise", small, "with --seed: leave out what it does not need to fail");
  app.add_flag("--stop", stop, "end at the first seed that fails");
  app.add_option("--mutation", mutation, "run a Miroir with this mistake (test/sim/mutations)");
  app.add_flag("--verbose", verbose, "show what Miroir logs");
  app.add_option("--without", without, "kinds of faults to leave out");
  app.add_option("--only", only, "the only kinds of faults");
  CLI11_PARSE(app, argc, argv);
  if (!mutation.empty()) return run_mutation(mutation, argv);
  miroir::configure_logging(verbose ? miroir::LogLevel::kDebug : miroir::LogLevel::kError,
                            miroir::LogFormat::kText);
  FaultSet faults = only.empty() ? default_faults() : FaultSet{};
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    const auto fault = static_cast<FaultKind>(kind);
    if (std::ranges::find(only, name(fault)) != only.end()) faults.insert(fault);
    if (std::ranges::find(without, name(fault)) != without.end()) faults.erase(fault);
  }
  return seed ? replay_one(*seed, faults, small) : run_many(first, count, stop, faults);
}
