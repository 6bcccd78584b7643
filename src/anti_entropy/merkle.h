#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "anti_entropy/slot_ranges.h"
#include "base/hash.h"
#include "node_api/stored_fields.h"

namespace miroir::anti_entropy {

// What one document adds to its bucket: who it is, what it says, and which version it claims to be.
Hash128 fingerprint(std::string_view id, const Hash128& content, const StoredFields& stored);

// A set of documents: the sum mod 2^128 of their fingerprints, and how many there are. Order does
// not matter, and a document that is there twice does not cancel itself, as it would with XOR.
struct Bucket {
  Hash128 sum;
  std::uint64_t documents = 0;
  Bucket& operator+=(const Bucket& other);
  bool operator==(const Bucket&) const = default;
};

// The fingerprint of one replica of a shard: a root over at most 256 buckets, each a run of the
// shard's slots, so that an unequal bucket can be read again by its slots. 6 KiB whatever the shard
// holds.
inline constexpr std::uint32_t kBuckets = 256;
class MerkleTree {
 public:
  explicit MerkleTree(SlotRange shard);

  void add(Slot slot, const Hash128& fingerprint);
  // Its bucket holds a document that must be looked at, whatever the other replicas hold.
  void doubt(Slot slot) { doubted_[bucket_of(slot)] = true; }
  bool doubted(std::size_t bucket) const { return doubted_[bucket]; }
  MerkleTree& operator+=(const MerkleTree& other);  // of the same shard

  Hash128 root() const;
  std::uint64_t documents() const;
  const Bucket& bucket(std::size_t number) const { return buckets_[number]; }
  std::size_t bucket_count() const { return buckets_.size(); }
  std::size_t bucket_of(Slot slot) const;
  SlotRange slots_of(std::size_t bucket) const;

 private:
  SlotRange shard_;
  std::vector<Bucket> buckets_;
  std::vector<bool> doubted_;
};

// The slots of the buckets that are doubted in a tree, or not the same in all, in portions of about
// `documents_max` documents at most: large buckets are cut. Trees of one shard.
std::vector<SlotRanges> unequal_slots(const std::vector<const MerkleTree*>& trees,
                                      std::uint64_t documents_max);

}  // namespace miroir::anti_entropy
