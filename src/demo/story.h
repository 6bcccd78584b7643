#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "demo/stage.h"

namespace miroir::demo {

// The chapters of the demo. Each changes the stage, keeps the model in step with what was
// acknowledged, prints what a person should see, and fails where the story does not go as promised.

// Loads the packages in batches, with a progress bar, and shows some answers.
Result<void> load(Stage& stage, const std::vector<Json>& packages);
Result<void> show_answers(Stage& stage);

// Kills a node and Miroir while writes and deletes go on; both come back; nothing is repaired,
// nothing is read again.
Result<void> survive_crashes(Stage& stage);

// What was damaged: by the kind of damage, ids.
struct Damage {
  std::set<std::string> deleted;      // on one node
  std::set<std::string> stale;        // an earlier version put back
  std::set<std::string> resurrected;  // a deleted document put back
  std::set<std::string> changed;      // contents under an unchanged stamp
  std::string restored_node;          // its disk put back to an older copy
};
Result<Damage> damage(Stage& stage);

// Waits for the light pass, runs a deep one, and holds what was repaired against what was damaged.
Result<void> heal(Stage& stage, const Damage& damage);

// Reads every node in full. An error names what does not hold.
Result<void> prove(Stage& stage);
// Breaks one document, directly on a node.
Result<void> sabotage(Stage& stage);

void say(const std::string& line);
void heading(const std::string& title);

}  // namespace miroir::demo
