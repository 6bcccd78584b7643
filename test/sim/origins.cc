#include "sim/origins.h"

namespace miroir::sim {
namespace {

std::uint64_t changes_of(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::kWriteDocuments:
    case EntryKind::kMergeDocuments:
    case EntryKind::kDeleteDocuments:
    case EntryKind::kRepairDocuments:
    case EntryKind::kRepairDeletes:
      return entry.records;
    case EntryKind::kClearDocuments:
    case EntryKind::kCreateIndex:
    case EntryKind::kUpdateIndex:
    case EntryKind::kDropIndex:
    case EntryKind::kSwapIndexes:
    case EntryKind::kUpdateSettings:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

bool is_told(const Plan& plan, std::string_view origin) {
  if (origin == "ttl_expire") return plan.emit_ttl_deletes;
  if (origin == "system") return plan.emit_internal_writes;
  return origin == "client";
}

std::map<std::string, std::uint64_t> left_out(const Plan& plan, const Ledger& ledger,
                                              Position behind) {
  std::map<std::string, std::uint64_t> count = {
      {"antientropy", 0}, {"ttl_expire", 0}, {"move", 0}, {"system", 0}};
  const auto& entries = ledger.entries();
  for (auto at = entries.upper_bound(behind); at != entries.end(); ++at) {
    const std::string origin(name(at->second->origin));
    if (!is_told(plan, origin) && !at->second->born_failed)
      count[origin] += changes_of(*at->second);
  }
  return count;
}

}  // namespace miroir::sim
