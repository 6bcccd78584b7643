#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace miroir::sim {

enum class FaultKind {
  // What Miroir must bear without a repair.
  kCrash,      // of Miroir, `handlers` steps of its event loop after the time
  kNodeDown,   // a node is restarted
  kNodeFull,   // a node's disk is full: it takes no writes
  kCut,        // nothing reaches the node
  kNetwork,    // requests and answers are lost, late, doubled, refused
  kStoreFull,  // no commit succeeds
  kClockStep,  // the wall clock is set forward or back
  kCurse,      // some of the next `handlers` entries fail on every node
  // What it must repair; only ever in one group at a time.
  kFailTasks,          // tasks on documents fail on one node, some or all
  kFailIndexTasks,     // and those on indexes and settings
  kCancelTasks,        // what a node has not done yet is cancelled behind Miroir's back
  kSnapshot,           // of a node's disk
  kRestore,            // the node comes back with its last snapshot
  kWipe,               // the node comes back empty
  kForeignDelete,      // a document vanishes
  kForeignDeleteTask,  // the same through the node's own API
  kCorrupt,            // a document's content changes under its stamp
  kRemember,           // a document is read…
  kPutBack,            // …and put back as it was then
  kPutBackTask,        // the same through the node's own API
  kForeignKey,         // a key is renamed or deleted on a node
  kForeignSetting,     // settings are changed on a node
  kStorm,              // a document vanishes, or is back, and clients write while it is repaired
  // Of Miroir's own store.
  kStoreSnapshot,  // it is copied…
  kStoreBack,      // …Miroir dies, and finds the copy in its place (and for `handlers` seconds no
                   // node, and dies again)…
  kStoreLost,      // …or nothing
  kLateGroup,      // Miroir is started again with another group, empty
  kStranger,       // a document is written on a node, without anything of Miroir's
  kStrangeIndex,   // and an index is made there that Miroir knows nothing of
  // Not faults.
  kClientCancel,  // a client cancels the newest `handlers` tasks that have not ended
  kPolicy,  // one says how an index is swept: so often, `handlers` documents at most; 0: as others
  // Of who operates it.
  kOperator,   // passes are paused for `duration`; 0: a dry run of a kind of pass, by `handlers`
  kNodeClock,  // a node's wall clock is set
  kNodeSlow,   // a node answers late, but answers
  kChore,      // who runs a node has it make a snapshot (`handlers`: 0), or delete old tasks
  // What it must repair, or tell a person of.
  kEverybody,      // somebody has done something to every node (`handlers`: 0; or deleted its
                   // finished tasks): a person must say who is right
  kMergedCorrupt,  // as kCorrupt, of a document that is merged into: a person must say what is
                   // right
  kMergedPutBack,  // as kPutBack, of such a one
  kTagCorrupt,     // a document matches another filter on one replica; `handlers`: which
  // Of replicated state, on one node of the damaged group.
  kDriftSettings,  // other settings than stop words are changed, or all are reset
  kDriftDrop,      // an index is dropped…
  kDriftLost,      // …or gone from the disk…
  kDriftRemake,    // …or dropped and made anew, with another primary key
};
inline constexpr int kFaultKinds = static_cast<int>(FaultKind::kDriftRemake) + 1;
bool damages(FaultKind kind);
bool is_drift(FaultKind kind);
bool is_of_store(FaultKind kind);
std::string_view name(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kCrash;
  std::string node;
  std::string index;
  std::string id;
  Microseconds duration{0};
  double probability = 0;
  int handlers = 0;
};

}  // namespace miroir::sim
