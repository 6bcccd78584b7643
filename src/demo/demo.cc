#include "demo/demo.h"

#include <fmt/format.h>

#include <cstdio>

#include "demo/packages.h"
#include "demo/story.h"

namespace miroir {

namespace {

using namespace demo;

Result<void> tell(Stage& stage, const PackageList& list, const DemoOptions& options) {
  heading(fmt::format("2. {} packages from {}", list.packages.size(), list.source));
  MIROIR_CHECK(load(stage, list.packages));
  MIROIR_CHECK(show_answers(stage));
  heading("3. kill -9, on a node and on Miroir, while writes and deletes go on");
  MIROIR_CHECK(survive_crashes(stage));
  heading("4. Damage behind Miroir's back");
  MIROIR_TRY(const Damage damaged, damage(stage));
  heading("5. The reconciler finds and repairs it");
  MIROIR_CHECK(heal(stage, damaged));
  heading("6. The proof: every node read in full, against what was acknowledged");
  if (options.sabotage) MIROIR_CHECK(sabotage(stage));
  return prove(stage);
}

}  // namespace

Result<void> run_demo(const DemoOptions& options) {
  SystemClock clock;
  const Instant start = clock.now();
  MIROIR_TRY(const PackageList list, load_packages(options.packages_file, options.packages_max));
  heading("1. Two groups of two nodes, and one Miroir before them");
  MIROIR_TRY(const auto stage, Stage::build(options));
  say(stage->addresses());
  auto told = tell(*stage, list, options);
  say(fmt::format("{:.1f} s in all", std::chrono::duration<double>(clock.now() - start).count()));
  if (options.keep) {
    say("It is left running:\n" + stage->addresses() + "  end with  " + stage->leave_running());
  }
  return told;
}

}  // namespace miroir

namespace miroir::demo {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void heading(const std::string& title) { say("\n" + title + "\n"); }

}  // namespace miroir::demo
