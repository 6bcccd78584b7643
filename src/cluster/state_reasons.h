#pragma once

#include <set>
#include <string>
#include <string_view>

#include "cluster/cluster.h"

namespace miroir {

// How the reasons of nodes that are not in sync begin, which others go by.

// The node tells of entries that the log does not know: the log is what went back.
inline constexpr std::string_view kLogWentBack = "the log went back";
// …, and the node was behind before it told, or lost since then what it held.
inline constexpr std::string_view kLogWentBackBehind = "the log went back, and the node is behind";
// It holds less than those that told: its disk is another one.
inline constexpr std::string_view kLacksIndex = "it lacks index ";
// What becomes of such a node.
inline constexpr std::string_view kNotTaken =
    "recovered without it: it is healed by comparison with the others";
// …or where there is nobody else for some of its shards.
inline constexpr std::string_view kTakenForSome =
    "recovered with it for those of its shards that nobody else had: in the others it is healed by "
    "comparison";
// The node holds a task that is not ours: what it did shows in no stamp.
inline constexpr std::string_view kForeignTask = "somebody else wrote to it";
// The last task that is known of the node is gone from it, or another one.
inline constexpr std::string_view kForeignHistory = "its history is not ours";
// The node was empty when it joined.
inline constexpr std::string_view kBroughtUp = "new: it is brought up from the log";
// The log never knew the node, and it is not empty.
inline constexpr std::string_view kHeldIndexes = "it held indexes before it joined";

// The nodes that recovery will take as they are: those that told of entries which the log does not
// know, and, where one did, those against which there is only what such a log would have forgotten:
// that they hold indexes, or tasks whose route keeps no metadata, or that such a task deleted the
// last known one. Until then they are neither read nor healed. Empty where no node told.
std::set<std::string> awaiting_recovery(const Cluster& cluster);
bool may_await_recovery(std::string_view reason);

}  // namespace miroir
