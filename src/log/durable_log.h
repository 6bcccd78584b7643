#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "log/appender.h"
#include "log/bodies.h"
#include "log/log.h"
#include "log/log_metrics.h"
#include "log/recent_entries.h"
#include "log/taints.h"
#include "log/tombstones.h"

namespace miroir {

// The log in a store: puts its parts together.
class DurableLog final : public Log {
 public:
  // What a commit changes when it ends, even if the log itself is gone by then.
  struct Views {
    std::unique_ptr<Bodies> bodies;
    Tombstones tombstones;
    RecentEntries recent;
    LogMetrics metrics;
    Position trimmed = 0;    // bodies up to here are gone
    Position forgotten = 0;  // entries up to here are gone, but for those still referred to
    Position operations_forgotten = 0;
  };
  static Async<Result<std::unique_ptr<Log>>> open(Store& store, Clock& clock, Metrics& metrics,
                                                  Executor executor, LogOptions options);

  Async<Result<Body>> write_body(std::function<Result<std::optional<BodyRecord>>()> next,
                                 WhenFull when_full) override;
  void discard(const Body& body) override;
  Async<Result<std::vector<Entry>>> append(Judge judge, WhenFull when_full, Voided voided) override;

  Async<Result<void>> take_back(Judge judge) override;
  Position exchanged() const override { return exchanged_; }

  Position head() const override { return appender_.head().position; }
  std::uint64_t run() const override { return appender_.run(); }
  EntryStamp head_stamp() const override { return appender_.head().stamp; }
  Signal& appended() override { return appender_.appended(); }
  const Catalogue& catalogue() const override { return appender_.head().catalogue; }

  Async<Result<std::shared_ptr<const Entry>>> entry(Position position) override;
  Async<Result<std::vector<std::shared_ptr<const Entry>>>> entries(Position first,
                                                                   std::size_t limit) override;
  Async<Result<void>> for_each_record(std::shared_ptr<const Entry> entry,
                                      std::function<Result<void>(BodyRecord)> each) override;

  Async<Result<void>> resolve(Position position, Body ids,
                              std::vector<std::uint32_t> shards) override;
  Async<Result<void>> fail_entry(Position position, meili::ApiError error) override;

  Async<Result<void>> record_failures(Places where, Json error) override;
  Async<Result<std::map<std::string, Json>>> failures(Position position) override;
  Async<Result<void>> save_progress(std::map<std::string, NodeProgress> rows) override;
  std::map<std::string, NodeProgress> progress() const override { return progress_; }

  Async<Result<void>> add_taints(std::vector<Taint> taints, Position then) override;
  Async<Result<void>> clear_taints(std::vector<Taint> taints) override;
  Async<Result<void>> untaint(Position position, std::set<std::string> ids) override;
  bool tainted(Position incarnation, const std::string& id, const std::string& node) const override;
  std::optional<Taint> taint(Position incarnation, const std::string& id,
                             const std::string& node) const override;
  bool any_tainted(Position incarnation) const override { return taints_.any(incarnation); }
  std::vector<Taint> taints(Position incarnation) const override;
  std::vector<Taint> index_taints() const override;

  Async<Result<std::optional<Tombstone>>> tombstone(Position incarnation, std::string id,
                                                    std::optional<EntryStamp> below) override;
  Async<Result<std::vector<std::string>>> deleted_by(Position incarnation,
                                                     Position position) override;
  std::uint64_t tombstone_count(const std::string& index_uid) const override;
  Async<Result<void>> void_tombstones(Position incarnation, Position position,
                                      std::vector<std::string> ids) override;
  Async<Result<void>> collect_tombstones(Position incarnation, Position before) override;
  EntryStamp horizon(Position incarnation) const override;

  Async<Result<Later>> later_writes(Position incarnation, std::string id,
                                    Position position) override;

  Async<Result<void>> end_task(Position task, TaskEnd end) override;
  Async<Result<std::optional<TaskEnd>>> task_end(Position task) override;
  Async<Result<std::map<Position, std::optional<TaskEnd>>>> task_ends(Position first,
                                                                      Position last) override;
  Async<Result<void>> forget_tasks(std::vector<Position> tasks) override;
  Async<Result<std::optional<TaskEnd::FailedParts>>> failed_parts(Position task) override;

  Async<Result<void>> trim(Position everywhere, Position here, Position ended) override;
  std::uint64_t bytes() const override { return appender_.head().body_bytes; }
  Position trimmed() const override { return views_->trimmed; }
  Position forgotten() const override { return views_->forgotten; }
  Position operations_forgotten() const override { return views_->operations_forgotten; }

 private:
  DurableLog(Store& store, Clock& clock, Executor executor, LogOptions options, Appender::Head head,
             std::shared_ptr<Views> views);
  Async<Result<void>> load();
  Async<Result<void>> refuse_if_full();
  Result<Appender::Proposal> propose(std::vector<Entry>& entries);
  // Of a delete, for its transaction; how many.
  std::uint64_t add_tombstones(const Entry& entry, const PendingBody& body, Batch& batch) const;
  // Another version of an entry that is in the log takes its place.
  Async<Result<void>> change_entry(Entry changed, Appender::Proposal proposal);
  Async<Result<std::vector<Entry>>> append_judged(Judge judge, Voided voided = {});
  // What entries that take something back exchange beside the catalogue. Once for each of them.
  Async<Result<void>> exchange_pasts();
  // What was dropped by entries that have ended is gone.
  Async<Result<void>> bury_dropped(Position settled);
  Async<Result<void>> trim_bodies();
  Async<Result<void>> forget_entries(Position last);
  Async<Result<std::set<Position>>> operations(Position first, Position last);
  Async<Result<void>> forget_operations();
  Async<Result<void>> forget_pasts();
  std::set<Position> referred_to() const;
  bool may_go(const Entry& entry, std::uint64_t bytes_kept) const;
  void show_metrics() const;

  Store& store_;
  Clock& clock_;
  const LogOptions options_;
  std::shared_ptr<Views> views_;
  Appender appender_;
  Taints taints_;
  Semaphore one_exchange_;     // and nothing else touches what is exchanged by its index meanwhile
  bool exchange_due_ = false;  // one was not made, or is being made
  Position exchanged_ = 0;     // what was taken back up to here
  std::map<std::string, NodeProgress> progress_;
  Position applied_everywhere_ = 0;
  Position applied_here_ = 0;
  Position ended_ = 0;
  bool trimming_ = false;
};

}  // namespace miroir
