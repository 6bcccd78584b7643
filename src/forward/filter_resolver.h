#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/history.h"
#include "forward/context.h"

namespace miroir {

// Makes rows of deletes by filter (DESIGN.md, "Writing" 3). All lanes wait before such an entry,
// replicas being rebuilt too, so that nobody skips it and no number is spent twice; when those that
// can tell stand right before it, the matching ids are read and written into the entry.
//
// It cannot wait for itself: a shard is read from an in-sync owner without taint there; where all
// are tainted, from all of them, and each document is judged by an owner where it is not, or,
// tainted on all, by any; where none is in sync, from the others likewise, for what nobody else
// holds is all there is: not from one that is being filled by comparison, or was from a log that
// lacks what a recovery took over, while there is another. Repairs come later in the log, so
// waiting for them would be for ever. Who does not answer what is asked, or is behind and takes no
// writes, is waited for until it has been so for a minute; then the entry fails. After a log went
// back owners may have carried it out: these are not asked, and the others are waited for likewise,
// and then are not in sync; where all have nothing is left that matches, or it failed on all of
// them, and fails. Where an index has another primary key than the entry says, it fails: no value
// of that field is an id there.
class FilterResolver {
 public:
  // Whether a node's history still is the log's.
  using Recheck = std::function<Async<Result<History>>(std::string node)>;
  FilterResolver(ForwardContext context, Recheck recheck)
      : context_(context), recheck_(std::move(recheck)) {}
  Async<void> run();
  // A lane stands before this entry.
  void want(Position position) { wanted_.insert(position); }
  bool pending(Position position) const { return wanted_.contains(position); }

 private:
  using Sources = std::vector<std::vector<std::string>>;  // by shard
  // Who can tell what matches in a shard; nobody: all have carried it out.
  struct Panel {
    std::vector<std::string> owners;
    std::vector<std::string> others;  // carried it out, before the log went back
    bool together = false;            // each is tainted there; else any of them will do
    bool in_sync = false;             // all of them, or none
  };
  // To read all that is to be read.
  struct Attempt {
    std::map<std::string, std::map<ShardId, std::set<std::string>>> told;  // by node
    std::set<std::string> silent;  // asked, and they did not tell

    bool has_told(const std::string& node, ShardId shard) const {
      const auto of_node = told.find(node);
      return of_node != told.end() && of_node->second.contains(shard);
    }
  };
  struct Answer {
    std::set<std::string> ids;
    std::optional<meili::ApiError> refusal;
  };
  // Whether the entry is unresolved no more.
  Async<Result<bool>> resolve(Position position);
  std::vector<ShardId> shards_of(const Entry& entry) const;
  Panel panel_of(const Entry& entry, ShardId shard,
                 const std::map<std::string, std::set<ShardId>>& tainted) const;
  // nullopt: nobody can tell of some shard now.
  std::optional<Sources> choose_sources(const Entry& entry, const Attempt& attempt) const;
  bool is_ready(const Entry& entry, const std::string& owner) const;
  void leave_out_lacking(const Entry& entry, std::vector<std::string>& owners) const;
  bool is_filled(const std::string& node) const;
  bool may_lack_taken_over(const Entry& entry, const std::string& node) const;
  bool carried_out(const Entry& entry, const std::string& node) const;
  std::optional<Instant> silent_since(const Entry& entry, ShardId shard, const std::string& owner,
                                      const Attempt& attempt) const;
  std::vector<std::string> lost(const Entry& entry, ShardId shard, const Panel& panel,
                                const Attempt& attempt) const;
  bool all_held_up() const;
  void end(const Attempt& attempt);
  // Whether the entry failed for it.
  Async<Result<bool>> give_up_waiting(std::shared_ptr<const Entry> entry, Attempt attempt);
  std::map<std::string, std::set<ShardId>> tainted_shards(const Entry& entry) const;
  Async<Result<Answer>> ask(std::shared_ptr<const Entry> entry, std::string node,
                            std::vector<ShardId> shards);
  Async<Result<std::set<std::string>>> read_matching(std::shared_ptr<const Entry> entry,
                                                     std::string node, std::vector<ShardId> shards);
  Async<Result<meili::ApiError>> explain(std::shared_ptr<const Entry> entry, std::string node);
  Async<Result<std::optional<meili::ApiError>>> failed_before(std::shared_ptr<const Entry> entry,
                                                              const Sources& sources) const;
  Async<Result<bool>> write(std::shared_ptr<const Entry> entry, std::set<std::string> ids);

  ForwardContext context_;
  Recheck recheck_;
  std::set<Position> wanted_;
  Position told_ = 0;  // whom this entry waits for, was logged
  // Those that did not tell when they were last asked, though they stood there; forgotten where
  // they could have been asked again for a minute, and were not.
  struct Unread {
    Instant since;
    Instant last;
  };
  std::map<std::string, Unread> unread_;
};

}  // namespace miroir
