#include "anti_entropy/merkle.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"

namespace miroir::anti_entropy {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
}

}  // namespace

Hash128 fingerprint(std::string_view id, const Hash128& content, const StoredFields& stored) {
  std::string bytes(id);
  bytes += '\0';  // ids hold no zero byte
  append_number(bytes, content.high);
  append_number(bytes, content.low);
  // A missing stamp is 0: no entry has it.
  append_number(bytes, stored.stamp.value_or(0));
  append_number(bytes, stored.base.value_or(0));
  append_number(bytes, static_cast<std::uint64_t>(stored.expires_at.value_or(-1)));
  return xxh3_128(bytes);
}

Bucket& Bucket::operator+=(const Bucket& other) {
  sum += other.sum;
  documents += other.documents;
  return *this;
}

MerkleTree::MerkleTree(SlotRange shard)
    : shard_(shard), buckets_(std::min(kBuckets, size(shard))), doubted_(buckets_.size()) {}

std::size_t MerkleTree::bucket_of(Slot slot) const {
  MIROIR_ASSERT(shard_.contains(slot));
  return static_cast<std::size_t>(std::uint64_t{slot} - shard_.first) * buckets_.size() /
         size(shard_);
}

SlotRange MerkleTree::slots_of(std::size_t bucket) const {
  // The first slot of bucket b is the lowest s with s·count/size ≥ b.
  auto first = [&](std::size_t b) {
    return shard_.first + (b * size(shard_) + buckets_.size() - 1) / buckets_.size();
  };
  return {static_cast<Slot>(first(bucket)), static_cast<Slot>(first(bucket + 1) - 1)};
}

void MerkleTree::add(Slot slot, const Hash128& fingerprint) {
  buckets_[bucket_of(slot)] += Bucket{fingerprint, 1};
}

MerkleTree& MerkleTree::operator+=(const MerkleTree& other) {
  MIROIR_ASSERT(shard_ == other.shard_);
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    buckets_[i] += other.buckets_[i];
    doubted_[i] = doubted_[i] || other.doubted_[i];
  }
  return *this;
}

Hash128 MerkleTree::root() const {
  std::string bytes;
  for (const Bucket& bucket : buckets_) {
    append_number(bytes, bucket.sum.high);
    append_number(bytes, bucket.sum.low);
    append_number(bytes, bucket.documents);
  }
  return xxh3_128(bytes);
}

std::uint64_t MerkleTree::documents() const {
  std::uint64_t documents = 0;
  for (const Bucket& bucket : buckets_) documents += bucket.documents;
  return documents;
}

std::vector<SlotRanges> unequal_slots(const std::vector<const MerkleTree*>& trees,
                                      std::uint64_t documents_max) {
  std::vector<SlotRanges> unequal;
  std::uint64_t in_last = 0;  // documents of the last portion
  for (std::size_t i = 0; !trees.empty() && i < trees.front()->bucket_count(); ++i) {
    const bool looked_at = std::ranges::any_of(trees, [&](const MerkleTree* tree) {
      return tree->doubted(i) || tree->bucket(i) != trees.front()->bucket(i);
    });
    if (!looked_at) continue;
    std::uint64_t documents = 0;
    for (const MerkleTree* tree : trees) documents = std::max(documents, tree->bucket(i).documents);
    const SlotRange slots = trees.front()->slots_of(i);
    if (unequal.empty() || in_last + documents > documents_max) {
      const auto parts = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(size(slots), documents / documents_max + 1));
      std::ranges::copy(split({slots}, parts), std::back_inserter(unequal));
      in_last = documents / parts;
    } else {
      SlotRanges& last = unequal.back();
      const bool neighbour = last.back().last + 1 == slots.first;
      if (neighbour) last.back().last = slots.last;
      if (!neighbour) last.push_back(slots);
      in_last += documents;
    }
  }
  return unequal;
}

}  // namespace miroir::anti_entropy
