#include "sim/ledger.h"

#include "log/rows.h"

namespace miroir::sim {
namespace {

Position head_of(const MemoryStore::Tables& tables) {
  const auto& entries = tables[static_cast<std::size_t>(Table::kEntry)];
  return entries.empty() ? 0 : number_of(entries.rbegin()->first);
}

// The index that has what this one had, by their incarnations, once a name was taken back.
Position heir(Position index, const Entry& back) {
  if (back.arguments.find("exchange") == nullptr) return index;
  const Json* with = back.arguments.find("with");
  const Position other = with == nullptr ? back.position : with->as_uint64();
  if (index == back.incarnation) return other;
  return index == other ? back.incarnation : index;
}

}  // namespace

void Ledger::committed(const Batch& batch) {
  for (const Batch::Change& change : batch.changes()) {
    if (change.kind == Batch::Change::Kind::kPut) put(change.table, change.key, change.value);
  }
}

void Ledger::put(Table table, const std::string& key, const std::string& value) {
  if (table == Table::kEntry) add(*decode_entry(value));
  if (table == Table::kTask) ends_[number_of(key)] = *decode_task_end(value);
}

void Ledger::add(Entry entry) {
  const Position position = entry.position;
  entries_[position] = std::make_shared<const Entry>(std::move(entry));
}

Ledger::Entries Ledger::beyond(const MemoryStore::Tables& tables) const {
  return {entries_.upper_bound(head_of(tables)), entries_.end()};
}

Ledger::Entries Ledger::go_back(const MemoryStore::Tables& tables) {
  const auto& entries = tables[static_cast<std::size_t>(Table::kEntry)];
  const Position head = head_of(tables);
  Entries lost = beyond(tables);
  entries_.erase(entries_.upper_bound(head), entries_.end());
  ends_.erase(ends_.upper_bound(head), ends_.end());
  for (const auto& [key, value] : entries) {
    ends_.erase(number_of(key));
    put(Table::kEntry, key, value);
  }
  for (const auto& [key, value] : tables[static_cast<std::size_t>(Table::kTask)])
    put(Table::kTask, key, value);
  left_open_.erase(left_open_.upper_bound(head), left_open_.end());
  for (const auto& [key, value] : entries) {
    const Position position = number_of(key);
    const Entry& entry = *entries_.at(position);
    if (!entry.task_type.empty() && !ends_.contains(entry.task)) left_open_.insert(position);
  }
  return lost;
}

const TaskEnd* Ledger::end_of(Position task) const {
  const auto found = ends_.find(task);
  return found == ends_.end() ? nullptr : &found->second;
}

Position Ledger::taken_back(Position failed) const {
  Position created = failed;
  for (const auto& [position, entry] : entries_) {
    // With a creation goes what came of it: not the name that a rename gave in vain.
    if (entry->kind == EntryKind::kDropIndex && entry->origin == Origin::kSystem &&
        entry->incarnation == created)
      return position;
    if (entry->kind != EntryKind::kTakeBack) continue;
    const Json* what = entry->arguments.find("entry");
    if (what == nullptr) continue;
    if (what->as_uint64() == failed && entry->arguments.find("decidedBy") == nullptr)
      return position;
    if (what->as_uint64() > failed) created = heir(created, *entry);
  }
  return head() + 1;
}

}  // namespace miroir::sim
