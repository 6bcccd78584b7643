#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/json.h"

namespace miroir {

// What a node's readers were told: the newest answers that reached them. Kept by the simulated
// client, so that a checker can hold what Miroir claims against what it can know.
struct ReadJournal {
  struct Answer {
    Instant at;
    std::optional<Json> document;  // nothing: the node said that there is none
  };
  std::map<std::string, Instant> digests;                           // by index
  std::map<std::pair<std::string, std::string>, Answer> documents;  // asked for by index and id
};

}  // namespace miroir
