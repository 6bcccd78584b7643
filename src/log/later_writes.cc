#include "log/durable_log.h"

namespace miroir {
namespace {

constexpr std::size_t kLookedThroughAtOnce = 512;

// Every owner's, of what is that index by now, and not without effect.
bool concerns(const Entry& entry, Position incarnation, const Pasts& pasts) {
  return pasts.owner(entry.incarnation, entry.position) == incarnation && !entry.born_failed &&
         !entry.target;
}

}  // namespace

// Where the log cannot tell, the document counts as overtaken: a repair that is not made is made by
// the next pass, one that undoes a newer write or delete is a loss.
Async<Result<Log::Later>> DurableLog::later_writes(Position incarnation, std::string id,
                                                   Position position) {
  Later later;
  later.overtaken = position < views_->forgotten;
  for (Position next = position + 1; !later.overtaken && next <= head();) {
    MIROIR_CO_TRY(const auto page, co_await entries(next, kLookedThroughAtOnce));
    if (page.empty()) break;
    next = page.back()->position + 1;
    for (const std::shared_ptr<const Entry>& entry : page) {
      if (!concerns(*entry, incarnation, catalogue().pasts())) continue;
      switch (entry->kind) {
        case EntryKind::kWriteDocuments:
        case EntryKind::kMergeDocuments:
        case EntryKind::kDeleteDocuments: {
          if (entry->body == 0) continue;
          auto holds = co_await views_->bodies->holds(entry, id);
          const bool trimmed = !holds && holds.error().code == ErrorCode::kNotFound;
          if (!trimmed) MIROIR_CO_CHECK(holds);
          if (!trimmed && !*holds) continue;
          if (!trimmed && entry->kind == EntryKind::kMergeDocuments) {
            later.merges.push_back(entry->position);
          } else {
            later.overtaken = true;
          }
          break;
        }
        case EntryKind::kDeleteByFilter:  // it may turn out to be among them
        case EntryKind::kClearDocuments:
        case EntryKind::kDropIndex:
          later.overtaken = true;
          break;
        default:
          break;
      }
    }
  }
  co_return later;
}

}  // namespace miroir
