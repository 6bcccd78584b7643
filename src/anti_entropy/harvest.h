#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/copies.h"
#include "anti_entropy/tools.h"

namespace miroir::anti_entropy {

// Copies up to this stamp may have been deleted without anything left to tell of it: their
// tombstones were collected, or the log of that time was lost.
Stamp horizon_of(const Log& log, const IndexState& index);

// What the log knows of copies that only replicas that are being healed hold: lost by the others,
// or deleted (DESIGN.md, invariant 4)? It vouches for one where the entries that wrote it, the last
// whole write and the newest, are there, are this document's in this life of the index and failed
// nowhere, and no delete by filter came after them: that deleted what it found on a replica which
// may not have held this document any more. It refutes one that it never wrote. One for each batch
// of documents.
class Harvest {
 public:
  Harvest(const Tools& tools, IndexUnderTest index) : tools_(tools), index_(std::move(index)) {}
  // Marks those that a recovery took over, on nodes that were away since for longer than the log
  // lasts. What was written to one after something failed on its node is in doubt no more; what it
  // was merged into may be. What is in doubt still may be what the others missed, where they were
  // behind.
  Async<Result<void>> mark_taken_over(DocumentCopies& copies);
  // Fills in the standing of such copies, and whether one is what failed on the others.
  Async<Result<void>> ask_log(DocumentCopies& copies);
  // Marks the winner's version on nodes that are being healed, where the winner was merged into
  // less than the log says; whether there is one.
  Async<Result<bool>> find_as_logged(DocumentCopies& copies, Copy winner);

 private:
  using Standing = Copy::Standing;
  struct Write {
    Standing standing = Standing::kUnknown;
    Position position =
        0;  // also where it failed on an owner; otherwise 0 if it is not vouched for
  };
  Async<Result<Standing>> standing_of(std::string id, Copy copy);
  Async<Result<bool>> is_what_failed(std::string id, Copy copy);
  // Whether it is what the log makes of its last whole write and all that came since, which is PUTs
  // alone.
  Async<Result<bool>> is_as_logged(std::string id, Copy copy);
  // Whether it is what some PUTs since then, up to the newest, make where there was nothing.
  Async<Result<bool>> is_of_puts_alone(std::string id, Copy copy, Stamp since);
  Async<Result<bool>> is_made_by(std::vector<Position> writes, std::string id, Copy copy);
  // What these made of it, the first one where there was nothing; empty where that is not known.
  Async<Result<std::vector<BodyRecord>>> made_by(std::vector<Position> writes, std::string id);
  Async<Result<Write>> write_of(std::string id, Stamp stamp, EntryKind kind);
  // nullptr: the log wrote nothing with that stamp. Only of stamps that it has not forgotten.
  Async<Result<std::shared_ptr<const Entry>>> entry_of(Stamp stamp);
  // Whether it wrote the document; true where its body is not kept.
  Async<Result<bool>> holds(std::shared_ptr<const Entry> entry, std::string id);
  // Whether what it did has become this index's.
  bool is_its(const Entry& entry) const;
  // The log of that time is lost, and no pass has compared the copies since.
  bool is_before_recovery(Stamp stamp) const {
    return index_.taken_over_at > 0 && stamp <= index_.taken_over_at;
  }
  void obscure_doubt(DocumentCopies& copies) const;
  Async<Result<void>> limit_doubt(const std::string& id, Copy& copy);
  // Stamp of the newest entry that failed there; 0: none did.
  Async<Result<Stamp>> failed_up_to(std::string id, std::string node);
  Copy::TakenOver taken_over(const Copy& copy) const;
  Async<Result<bool>> filter_delete_after(Position position);

  const Tools& tools_;
  IndexUnderTest index_;
  std::map<Position, std::optional<std::set<std::string>>> bodies_;  // nullopt: trimmed
  // What is known of deletes by filter: of the entries after `looked_after_`, the newest.
  Position looked_after_ = 0;
  Position newest_filter_delete_ = 0;
};

}  // namespace miroir::anti_entropy
