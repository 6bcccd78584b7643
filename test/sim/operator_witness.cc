#include "sim/operator_witness.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "log/rows.h"
#include "sim/json_at.h"

namespace miroir::sim {
namespace {

// A request to a node that is under way is waited for, one after another while nodes are away.
constexpr Microseconds kCutOff = Seconds(60);
// From when it is decided that a pass begins until that is written.
constexpr Microseconds kDecided = Seconds(2);
// And its last request, after which it ends well.
constexpr Microseconds kLastRequest = Seconds(20);
constexpr std::string_view kSweepRow = "deep sweep";

std::string describe(const Json& pass) {
  return fmt::format("pass {} ({})", number(pass, "pass"), text_at(pass, "kind"));
}

}  // namespace

void OperatorWitness::paused(int number) {
  if (number > void_pauses_ && !paused_) paused_ = clock_.now();
}

void OperatorWitness::resuming() {
  if (current_) check_cut(*current_, false);
  void_pauses_ = pauses_;
  paused_.reset();
}

void OperatorWitness::miroir_died() {
  ordered_.clear();
  lose_current();
}

void OperatorWitness::lose_current() {
  if (current_ && current_->deep && current_->scheduled)
    goes_on_ = !current_->all_read && (current_->goes_on || has_read_an_index(*current_));
  current_.reset();
}

void OperatorWitness::store_went_back() {
  ordered_.clear();
  dry_.clear();
  void_pauses_ = pauses_;
  paused_.reset();
  current_.reset();
  sweep_.reset();
  goes_on_ = knows_ = false;
  in_a_row_ = 0;
}

void OperatorWitness::committed(const Batch& batch) {
  for (const Batch::Change& change : batch.changes()) changed(change);
}

void OperatorWitness::changed(const Batch::Change& change) {
  const bool put = change.kind == Batch::Change::Kind::kPut;
  if (change.table == Table::kTaint && change.kind != Batch::Change::Kind::kExpect) {
    if (current_) current_->moved = true;
    if (put) taints_.insert(change.key);
    if (change.kind == Batch::Change::Kind::kErase) taints_.erase(change.key);
    if (change.kind == Batch::Change::Kind::kEraseRange)
      taints_.erase(taints_.lower_bound(change.key),
                    change.value.empty() ? taints_.end() : taints_.lower_bound(change.value));
  } else if (change.table == Table::kIndex && change.kind == Batch::Change::Kind::kErase) {
    if (indexes_.erase(change.key) > 0) indexes_change();
  } else if (change.table == Table::kMeta && change.key == kSweepRow) {
    sweep_.reset();
    if (!put) {
      goes_on_ = false;
      in_a_row_ = 0;
      if (current_) current_->all_read = true;
      return;
    }
    const Json row = *parse_json(change.value);
    sweep_ = Sweep{number(row, "pass"), {}};
    for (const Json& index : at(row, "done").as_array()) {
      const Json::Array& numbers = index.as_array();
      std::set<ShardId>& shards = sweep_->done[{numbers[0].as_uint64(), numbers[1].as_uint64()}];
      for (const Json& shard : numbers | std::views::drop(2))
        shards.insert(static_cast<ShardId>(shard.as_uint64()));
    }
  } else if (put && change.table == Table::kMeta && change.key.starts_with(kTakenBackPrefix)) {
    const TakenBack one = *decode_taken_back({change.key, change.value});
    if (one.other == 0) return;
    exchanged_[one.index] = exchanged_[one.other] = one.at;
    indexes_change();
  } else if (put && change.table == Table::kIndex) {
    index_written(change.key, *parse_json(change.value));
  } else if (put && change.table == Table::kEntry) {
    if (const auto entry = decode_entry(change.value)) entry_written(*entry);
  } else if (put && change.table == Table::kPass) {
    const Json pass = *parse_json(change.value);
    if (at(pass, "state") == Json("running")) return began(pass);
    if (current_ && current_->pass == number(pass, "pass")) return ended(pass);
    // Its beginning could not be written, and the end of the one before it is written with its own:
    // it read what that one had left.
    if (at(pass, "whole") == Json(true)) goes_on_ = false;
  } else if (put && change.table == Table::kRepair) {
    const Json row = *parse_json(change.value);
    if (dry_.contains(number(row, "pass")) && at(row, "repaired") == Json(true))
      wrong_.push_back("a dry run says that it repaired: " + change.value);
  }
}

// A pass that repairs nothing writes nothing into the log.
void OperatorWitness::entry_written(const Entry& entry) {
  const Json& pass = at(entry.arguments, "pass");
  const bool its = pass.is_null()
                       ? entry.origin == Origin::kAntiEntropy && current_ && !current_->repairs
                       : dry_.contains(pass.as_uint64());
  if (its)
    wrong_.push_back(fmt::format("a dry run writes the entry {} of {}", entry.position,
                                 entry.index_uid.empty() ? "a key" : entry.index_uid));
}

void OperatorWitness::index_written(const std::string& uid, const Json& row) {
  Index index{number(row, "incarnation"), at(row, "primaryKey")};
  const auto found = indexes_.find(uid);
  if (found != indexes_.end() && found->second == index) return;
  indexes_[uid] = std::move(index);
  indexes_change();
}

void OperatorWitness::indexes_change() {
  if (current_) current_->moved = true;
  in_a_row_ = 0;
}

void OperatorWitness::began(const Json& pass) {
  // Its end could not be written: how it ended only what is left to be read tells.
  if (std::exchange(current_, std::nullopt)) goes_on_ = sweep_.has_value();
  Begun its{.pass = number(pass, "pass"),
            .at = clock_.now(),
            .deep = at(pass, "kind") == Json("deep"),
            .repairs = at(pass, "repair") == Json(true),
            .before = sweep_,
            .goes_on = goes_on_,
            .moved = !knows_ || !taints_.empty()};
  const auto order = ordered_.find(its.pass);
  its.scheduled = order == ordered_.end();
  if (its.repairs != (its.scheduled ? said_.auto_repair : order->second))
    wrong_.push_back("it was said otherwise whether it repairs: " + to_text(pass));
  if (its.scheduled && paused_ && clock_.now() > *paused_ + kDecided)
    wrong_.push_back("a pass began while passes were paused: " + to_text(pass));
  if (its.scheduled && its.deep && said_.window_period > 0) {
    const Microseconds began(static_cast<std::int64_t>(number(pass, "startedMicroseconds")));
    if (began / std::chrono::minutes(1) % said_.window_period >= said_.window_minutes)
      wrong_.push_back("a pass began outside its windows: " + to_text(pass));
  }
  if (!its.repairs) {
    ++judged_.dry_runs;
    dry_.insert(its.pass);
  }
  if (its.deep && !its.scheduled) {  // it reads all, from the beginning
    goes_on_ = false;
    in_a_row_ = 0;
  }
  current_ = std::move(its);
}

void OperatorWitness::ended(const Json& pass) {
  const Begun its = *std::exchange(current_, std::nullopt);
  const bool completed = at(pass, "state") == Json("completed");
  if (!its.repairs && number(pass, "repaired") > 0)
    wrong_.push_back("a dry run repaired: " + to_text(pass));
  check_cut(its, completed);
  if (!its.deep) return;
  if (its.scheduled) check_round(pass, its);
  if (its.scheduled && completed) check_read(pass, its);
  if (at(pass, "whole") == Json(true)) goes_on_ = false;
}

// What ran when passes were paused is cut off.
void OperatorWitness::check_cut(const Begun& its, bool completed) {
  if (!paused_ || its.at >= *paused_) return;
  const Microseconds took = clock_.now() - *paused_;
  ++judged_.cut;
  if (took > kCutOff || (completed && took > kLastRequest))
    wrong_.push_back(fmt::format("pass {} went on for {} ms after passes were paused", its.pass,
                                 took / Milliseconds(1)));
}

// Scheduled deep passes go on with each other's reading, until all is read.
void OperatorWitness::check_round(const Json& pass, const Begun& its) {
  const bool whole = at(pass, "whole") == Json(true);
  const bool completed = at(pass, "state") == Json("completed");
  const std::uint64_t resumes = number(pass, "resumes");
  if (completed && knows_ &&
      (resumes != (its.before ? its.before->pass : 0) || (its.goes_on && resumes == 0)))
    wrong_.push_back(describe(pass) + " does not go on where another was cut off");
  if (completed && resumes != 0) ++judged_.resumed;
  if (!completed) {
    goes_on_ = its.goes_on || has_read_an_index(its);
    return;
  }
  goes_on_ = !whole;
  in_a_row_ = whole ? 0 : in_a_row_ + 1;
  const std::uint32_t shards = topology_.shard_count();
  const std::uint32_t at_once = said_.shards_per_pass == 0 ? shards : said_.shards_per_pass;
  if (in_a_row_ > (shards + at_once - 1) / at_once)
    wrong_.push_back(
        fmt::format("{} is the {}th, and not every shard was read", describe(pass), in_a_row_));
}

// Of nodes that are healed, and of indexes in doubt, all may be read.
void OperatorWitness::check_read(const Json& pass, const Begun& its) {
  const bool all_in_sync = std::ranges::all_of(topology_.nodes(), [&](const NodeConfig& node) {
    return text_at(at(pass, "nodes"), node.id) == "in_sync";
  });
  if (its.moved || !all_in_sync) return;
  for (const auto& [uid, shards] : read_since(its.at)) {
    if (said_.shards_per_pass > 0) {
      ++judged_.limited;
      if (shards.size() > said_.shards_per_pass)
        wrong_.push_back(
            fmt::format("{} reads {} shards of {}", describe(pass), shards.size(), uid));
    }
    const auto index = indexes_.find(uid);
    if (!its.before || index == indexes_.end()) continue;
    const Position incarnation = index->second.incarnation;
    const auto exchanged = exchanged_.find(incarnation);
    const auto done =
        its.before->done.find({incarnation, exchanged == exchanged_.end() ? 0 : exchanged->second});
    for (const ShardId shard : shards) {
      if (done != its.before->done.end() && done->second.contains(shard))
        wrong_.push_back(fmt::format("{} reads shard {} of {} again", describe(pass), shard, uid));
    }
  }
}

std::map<std::string, std::set<ShardId>> OperatorWitness::read_since(Instant since) const {
  std::map<std::string, std::set<ShardId>> read;
  for (const auto& [node, journal] : journals_) {
    for (const ReadJournal::Scan& scan : std::views::reverse(journal.scans)) {
      if (scan.at < since) break;
      for (ShardId shard = 0; shard < topology_.shard_count(); ++shard) {
        const SlotRange its = topology_.slots_of(shard);
        if (std::ranges::any_of(scan.slots, [&](const SlotRange& range) {
              return range.first <= its.last && its.first <= range.last;
            }))
          read[scan.index].insert(shard);
      }
    }
  }
  return read;
}

// It reads one after another, and writes down of each that it was read before the next.
bool OperatorWitness::has_read_an_index(const Begun& its) const {
  return !its.moved && read_since(its.at).size() > 1;
}

}  // namespace miroir::sim
