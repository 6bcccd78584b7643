#include "anti_entropy/merkle.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "anti_entropy/copies.h"

namespace miroir::anti_entropy {
namespace {

constexpr SlotRange kShard{1'024, 2'047};  // the second of 64

StoredFields stamped(Stamp stamp) {
  StoredFields stored;
  stored.stamp = stamp;
  stored.base = stamp;
  return stored;
}

MerkleTree tree_of_hundred(int changed = -1) {
  MerkleTree tree(kShard);
  for (int i = 0; i < 100; ++i) {
    const std::string id = std::to_string(i);
    const Hash128 content = xxh3_128(i == changed ? "changed" : "content");
    tree.add(static_cast<Slot>(kShard.first + i * 10), fingerprint(id, content, stamped(7)));
  }
  return tree;
}

TEST(AntiEntropyAcceptance, test_bucket_isolation) {
  const MerkleTree right = tree_of_hundred();
  const MerkleTree damaged = tree_of_hundred(42);
  EXPECT_NE(right.root(), damaged.root());
  const std::size_t hit = right.bucket_of(static_cast<Slot>(kShard.first + 420));
  for (std::size_t i = 0; i < right.bucket_count(); ++i) {
    EXPECT_EQ(right.bucket(i) == damaged.bucket(i), i != hit) << i;
  }
  EXPECT_EQ(unequal_slots({&right, &damaged}, 1'000),
            (std::vector<SlotRanges>{{right.slots_of(hit)}}));
}

TEST(AntiEntropyAcceptance, test_content_hash_excludes_internal_fields) {
  const FieldNames names;
  auto hash = [&](const std::string& stored) {
    return content_of(R"({"id":1,"name":"a")" + stored + "}", names).value();
  };
  const Hash128 bare = hash("");
  EXPECT_EQ(bare, hash(R"(,"_miroir_slot":"!!!!!!")"));
  EXPECT_EQ(bare,
            hash(R"(,"_miroir_updated_at":"!!!","_miroir_base":"!!","_miroir_checksum":"!")"));
  EXPECT_EQ(bare,
            hash(R"(,"_miroir_digest_0":"!!!","_miroir_digest_1":"!!!","_miroir_digest_2":"!!!")"));
  EXPECT_EQ(bare, hash(R"(,"_miroir_expires_at":1752000000000)"));
  EXPECT_NE(bare, hash(R"(,"miroir_slot":"!!!!!!")"));
  EXPECT_NE(bare, hash(R"(,"nested":{"_miroir_slot":"!"})"));
}

TEST(MerkleTest, AnotherExpiryUnderTheSameStampIsAnotherFingerprint) {
  StoredFields expiring = stamped(1);
  const Hash128 never = fingerprint("a", xxh3_128("x"), expiring);
  expiring.expires_at = 5;
  const Hash128 soon = fingerprint("a", xxh3_128("x"), expiring);
  expiring.expires_at = 6;
  EXPECT_NE(never, soon);
  EXPECT_NE(soon, fingerprint("a", xxh3_128("x"), expiring));
}

TEST(MerkleTest, OrderDoesNotMatterAndTwiceIsNotNever) {
  const Hash128 a = fingerprint("a", xxh3_128("x"), stamped(1));
  const Hash128 b = fingerprint("b", xxh3_128("x"), stamped(1));
  MerkleTree one(kShard);
  MerkleTree other(kShard);
  one.add(1'030, a);
  one.add(1'030, b);
  other.add(1'030, b);
  other.add(1'030, a);
  EXPECT_EQ(one.root(), other.root());
  other.add(1'030, a);
  other.add(1'030, a);
  EXPECT_NE(one.root(), other.root());
}

TEST(MerkleTest, FingerprintTellsIdContentStampAndBaseApart) {
  const Hash128 content = xxh3_128("x");
  const Hash128 first = fingerprint("a", content, stamped(1));
  StoredFields other_base = stamped(1);
  other_base.base = 0;
  EXPECT_NE(first, fingerprint("b", content, stamped(1)));
  EXPECT_NE(first, fingerprint("a", xxh3_128("y"), stamped(1)));
  EXPECT_NE(first, fingerprint("a", content, stamped(2)));
  EXPECT_NE(first, fingerprint("a", content, other_base));
}

TEST(MerkleTest, TreesOfOwnersAddUp) {
  MerkleTree left(kShard);
  MerkleTree right(kShard);
  MerkleTree whole(kShard);
  for (int i = 0; i < 50; ++i) {
    const Hash128 print = fingerprint(std::to_string(i), xxh3_128("x"), stamped(1));
    const auto slot = static_cast<Slot>(kShard.first + i * 20);
    (i % 2 == 0 ? left : right).add(slot, print);
    whole.add(slot, print);
  }
  left += right;
  EXPECT_EQ(left.root(), whole.root());
  EXPECT_EQ(left.documents(), 50U);
}

TEST(MerkleTest, DoubtedBucketIsLookedAtThoughAllAreEqual) {
  const MerkleTree sure = tree_of_hundred();
  MerkleTree doubted = tree_of_hundred();
  EXPECT_TRUE(unequal_slots({&sure, &doubted}, 1'000).empty());
  doubted.doubt(1'500);
  EXPECT_EQ(unequal_slots({&sure, &doubted}, 1'000),
            (std::vector<SlotRanges>{{sure.slots_of(sure.bucket_of(1'500))}}));
}

// So that what is held of a portion does not grow with the shard.
RC_GTEST_PROP(MerkleProperties, UnequalPortionsAreSmallAndExactlyWhatDiffers, ()) {
  constexpr std::uint64_t kMax = 100;
  const SlotRange shard{0, static_cast<Slot>(*rc::gen::inRange(1, 4'000))};
  MerkleTree one(shard);
  MerkleTree other(shard);
  for (int i = *rc::gen::inRange(0, 400); i > 0; --i) {
    const auto slot = static_cast<Slot>(*rc::gen::inRange(0, shard.last + 1));
    const int copies = *rc::gen::inRange(1, 40);
    for (int copy = 0; copy < copies; ++copy) one.add(slot, xxh3_128(std::to_string(i)));
    if (*rc::gen::arbitrary<bool>()) continue;
    for (int copy = 0; copy < copies; ++copy) other.add(slot, xxh3_128(std::to_string(i)));
  }
  SlotRanges differs;
  for (std::size_t bucket = 0; bucket < one.bucket_count(); ++bucket)
    if (one.bucket(bucket) != other.bucket(bucket)) differs.push_back(one.slots_of(bucket));
  std::uint32_t next = 0;
  std::uint32_t slots = 0;
  for (const SlotRanges& portion : unequal_slots({&one, &other}, kMax)) {
    slots += size(portion);
    std::uint64_t whole = 0;  // documents of the buckets that lie in it altogether
    for (const SlotRange& range : portion) {
      RC_ASSERT(range.first >= next);
      next = range.last + 1U;
      RC_ASSERT(size(intersection(differs, {range})) == size(range));
      for (std::size_t bucket = 0; bucket < one.bucket_count(); ++bucket) {
        const SlotRange its = one.slots_of(bucket);
        if (range.first <= its.first && its.last <= range.last)
          whole += std::max(one.bucket(bucket).documents, other.bucket(bucket).documents);
      }
    }
    RC_ASSERT(whole <= kMax ||
              size(portion) <= 16U);  // …but for a bucket that cannot be cut further
  }
  RC_ASSERT(slots == size(differs));
}

RC_GTEST_PROP(MerkleProperties, BucketsTileTheShard, ()) {
  const Slot first = *rc::gen::arbitrary<Slot>();
  const auto last = static_cast<Slot>(*rc::gen::inRange<std::uint32_t>(first, 65'536));
  const MerkleTree tree(SlotRange{first, last});
  std::uint32_t next = first;
  for (std::size_t i = 0; i < tree.bucket_count(); ++i) {
    const SlotRange slots = tree.slots_of(i);
    RC_ASSERT(slots.first == next);
    RC_ASSERT(slots.last >= slots.first);
    RC_ASSERT(tree.bucket_of(slots.first) == i);
    RC_ASSERT(tree.bucket_of(slots.last) == i);
    next = slots.last + 1U;
  }
  RC_ASSERT(next == last + 1U);
}

}  // namespace
}  // namespace miroir::anti_entropy
