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
  EXPECT_EQ(unequal_slots({&right, &damaged}), SlotRanges{right.slots_of(hit)});
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
