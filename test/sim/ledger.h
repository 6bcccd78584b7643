#pragma once

#include <map>
#include <memory>
#include <set>

#include "log/log.h"
#include "store/memory_store_fake.h"

namespace miroir::sim {

// The log as Miroir's store was told to keep it, with what the store has forgotten since: which
// entries there were, and how clients' tasks ended.
class Ledger {
 public:
  using Entries = std::map<Position, std::shared_ptr<const Entry>>;

  void committed(const Batch& batch);
  void add(Entry entry);
  // What such a store would not know.
  Entries beyond(const MemoryStore::Tables& tables) const;
  // The store is an older copy of itself from here on, or empty. Returns what it knows no more.
  Entries go_back(const MemoryStore::Tables& tables);

  const Entries& entries() const { return entries_; }
  Position head() const { return entries_.empty() ? 0 : entries_.rbegin()->first; }
  // Entries whose tasks had not ended when the store went back: these may end otherwise than they
  // had.
  const std::set<Position>& left_open() const { return left_open_; }
  // nullptr: it has not ended.
  const TaskEnd* end_of(Position task) const;
  // Where it takes back what failed; beyond the head, if it does not.
  Position taken_back(Position failed) const;

 private:
  void put(Table table, const std::string& key, const std::string& value);

  Entries entries_;
  std::map<Position, TaskEnd> ends_;
  std::set<Position> left_open_;
};

}  // namespace miroir::sim
