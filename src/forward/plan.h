#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/topology.h"
#include "log/entry.h"
#include "node_api/node_write.h"

namespace miroir {

// What a node gets of an entry. Pure.

// Whether the entry is a list of documents or ids, each of which has owners; the others concern
// every node.
bool has_records(EntryKind kind);
bool is_key(EntryKind kind);
// Whether any node is to be sent something of it: not what was born failed, is about tasks, or only
// what nodes hold already.
bool reaches_nodes(const Entry& entry);
// A delete by filter whose documents nobody has looked up yet.
bool unresolved(const Entry& entry);
// An index's new key, with a new name as the next part of its task. It is decided after that: what
// takes the key back gives settings to the index by its name.
bool comes_with_a_name(const Entry& entry);

// The shards that the entry touches, rising. All of them where that is not known.
std::vector<ShardId> touched_shards(const Entry& entry, const Topology& topology);
// Whether the node is sent anything of it. Entries for one node concern only that one; entries born
// failed, nobody.
bool concerns(const Entry& entry, const std::string& node, const Topology& topology);
// Whether the record of an entry that concerns the node is the node's.
bool is_for(const Entry& entry, const BodyRecord& record, const std::string& node,
            const Topology& topology);

// The request of an entry without records, for a node with that offset. Keys are none.
Result<NodeWrite> write_of(const Entry& entry, std::int64_t offset);

// Collects a node's records of an entry into one request.
class PartBuilder {
 public:
  PartBuilder(const Entry& entry, FieldNames names, std::uint64_t bytes_max);
  // kTooLarge: the request would exceed what a node takes.
  Result<void> add(const BodyRecord& record);
  // Nothing where no record was added.
  std::optional<NodeWrite> take();

 private:
  const Entry& entry_;
  FieldNames names_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::string ndjson_;
  std::vector<std::string> ids_;
  std::vector<DeleteExactCopies::Copy> copies_;
};

}  // namespace miroir
