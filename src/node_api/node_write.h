#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "node_api/stored_fields.h"

namespace miroir {

// The uid of a task on a node. Meilisearch's are 32 bits wide.
using TaskUid = std::uint32_t;

// What a forwarder asks of a node, each one request that makes one task.
struct WriteDocuments {
  std::string index_uid;
  std::string primary_key;
  bool merge = false;          // PUT instead of POST
  bool skip_creation = false;  // merge only into what is there
  std::string ndjson;          // with the stored fields
};
struct DeleteDocuments {
  std::string index_uid;
  std::vector<std::string> ids;
};
// Deletes those copies that are still exactly these: slot, primary key and stamp (DESIGN.md,
// "Repairing"). Without a stamp: those that have none.
struct DeleteExactCopies {
  struct Copy {
    std::string id;
    Slot slot = 0;  // another than its id's: any that is not its id's, or none
    std::optional<Stamp> stamp = {};
  };
  std::string index_uid;
  std::string primary_key;
  std::vector<Copy> copies;
};
struct ClearDocuments {
  std::string index_uid;
};
struct CreateIndex {
  std::string index_uid;
  std::optional<std::string> primary_key;
};
struct UpdateIndex {
  std::string index_uid;
  std::optional<std::string> primary_key;
  std::optional<std::string> new_uid;
};
struct DropIndex {
  std::string index_uid;
};
struct SwapIndexes {
  struct Pair {
    std::string first;
    std::string second;
    bool rename = false;
  };
  std::vector<Pair> pairs;
};
struct UpdateSettings {
  std::string index_uid;
  Json settings;  // complete as the node shall have them: our rules before the client's (DESIGN.md)
};
// Deletes finished tasks, first ≤ uid < before, to keep the node's queue small. At most
// kForgottenTasksMax of them: their uids stand in the request's target.
inline constexpr TaskUid kForgottenTasksMax = 2'000;
struct ForgetTasks {
  TaskUid first = 0;
  TaskUid before = 0;
};
using NodeWrite =
    std::variant<WriteDocuments, DeleteDocuments, DeleteExactCopies, ClearDocuments, CreateIndex,
                 UpdateIndex, DropIndex, SwapIndexes, UpdateSettings, ForgetTasks>;

}  // namespace miroir
