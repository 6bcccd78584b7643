#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "node_api/node_client.h"

namespace miroir {

// What a node's readers were told: the newest answers that reached them. Kept by the simulated
// client, so that a checker can hold what Miroir claims against what it can know.
struct ReadJournal {
  struct Answer {
    Instant at;
    std::optional<Json> document;  // nothing: the node said that there is none
  };
  // Whole documents of some slots that were asked for, in this order.
  struct Scan {
    Instant at;
    std::string index;
    std::vector<SlotRange> slots;
  };
  // Requests of passes and sweeps that are under way, to all nodes together.
  struct Reading {
    int now = 0;
    int most = 0;
  };
  std::map<std::string, Instant> digests;                           // by index
  std::map<std::pair<std::string, std::string>, Answer> documents;  // asked for by index and id
  std::vector<Scan> scans;
  Reading* reading = nullptr;  // of all nodes' journals
};

}  // namespace miroir
