#include "sim/origins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace miroir::sim {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

void add(Ledger& ledger, Position position, Origin origin, EntryKind kind,
         std::uint64_t records = 0) {
  Entry entry;
  entry.position = position;
  entry.origin = origin;
  entry.kind = kind;
  entry.records = records;
  ledger.add(std::move(entry));
}

TEST(OriginsTest, WhatIsLeftOutIsCountedByWhoMadeIt) {
  Ledger ledger;
  add(ledger, 1, Origin::kTtlExpire, EntryKind::kDeleteDocuments, 7);
  add(ledger, 2, Origin::kTtlExpire, EntryKind::kDeleteDocuments, 2);
  add(ledger, 3, Origin::kAntiEntropy, EntryKind::kRepairDocuments, 3);
  add(ledger, 4, Origin::kSystem, EntryKind::kCreateIndex);
  add(ledger, 5, Origin::kSystem, EntryKind::kTaskOperation);
  add(ledger, 6, Origin::kAntiEntropy, EntryKind::kPutKey);
  add(ledger, 7, Origin::kClient, EntryKind::kClearDocuments);
  Plan plan;
  EXPECT_THAT(left_out(plan, ledger, 1),
              UnorderedElementsAre(Pair("ttl_expire", 2), Pair("antientropy", 3), Pair("system", 1),
                                   Pair("move", 0)));
  plan.emit_ttl_deletes = plan.emit_internal_writes = true;
  EXPECT_THAT(left_out(plan, ledger, 1),
              UnorderedElementsAre(Pair("ttl_expire", 0), Pair("antientropy", 3), Pair("system", 0),
                                   Pair("move", 0)));
}

}  // namespace
}  // namespace miroir::sim
