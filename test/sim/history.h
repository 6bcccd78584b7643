#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/adoption.h"
#include "sim/checks.h"
#include "sim/ledger.h"
#include "sim/model.h"
#include "sim/plan.h"
#include "sim/subscriber.h"

namespace miroir::sim {

// What a client knows of one of its requests.
struct Operation {
  int number = 0;
  Request request;
  // 202, another status, or 0: no answer came, and the request may or may not have been taken.
  int status = 0;
  Position task = 0;  // as answered, or as found in the log
  bool valid = true;  // as the model says: whether its task must succeed
  // Of the world it was made in: the store that had acknowledged it went back behind it…
  bool lost = false;
  // …or had just gone back: what it is judged by is not what the nodes hold.
  bool in_recovery = false;
};
std::string metadata_of(int number);

// What a stranger wrote on a node, when the log ended there.
struct Strange {
  Position after = 0;
  std::string index;
  std::string id;
  Json document;
};

// The tags that some replica once gave a document beside the client's, by its id: indexes change
// their names.
using DriftedTags = std::map<std::string, std::set<std::string>>;

// What can be held against the requests: the log's numbers and names, as a client reads them at
// /tasks, and what befell the whole.
struct Chronicle {
  const Ledger& ledger;
  const std::set<Position>& cursed;  // entries that failed on every node
  const std::vector<Adoption>& adoptions;
  const std::vector<Swept>& swept;
  const std::vector<Repaired>& repaired;
  const std::vector<Strange>& strange;
  const DriftedTags& drifted_tags;
  const Filtered& filtered;
  const Topology& topology;
};

// The order in which the requests took place, and all that a client could hold against it. Content
// comes from what the clients sent, and where Miroir took the nodes as they are, from these.
struct History {
  Model model;
  std::vector<std::string> wrong;  // sentences: an acknowledged write that is not there…
  std::vector<Change> changes;     // of clients, of sweeps, and of Miroir itself
};
// `at` is shown the model as it is before each entry of the log, with its position, and at the end.
History replay(std::vector<Operation>& operations, const Chronicle& chronicle,
               const std::function<void(const Model&, Position)>& at = {});

}  // namespace miroir::sim
