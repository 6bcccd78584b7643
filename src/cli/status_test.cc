#include "cli/status.h"

#include <gtest/gtest.h>

#include "base/parsed_json_fake.h"

namespace miroir {
namespace {

TEST(StatusTest, NodesShardsAndPassesAreShownToPeople) {
  const Json topology = parsed(R"({"nodes":[
      {"id":"a1","replicaGroup":0,"healthy":true,"state":"in_sync","stateWhy":"","done":7,"lag":0},
      {"id":"b1","replicaGroup":1,"healthy":false,"unhealthyWhy":"refused:\nnobody there","state":"stale",
       "stateWhy":"x","done":3,"lag":4},
      {"id":"b2","replicaGroup":1,"healthy":true,"state":"in_sync","stateWhy":"y","stopped":true,
       "done":3,"lag":4}]})");
  const Json passes = parsed(R"({"enabled":true,"autoRepair":true,"leader":true,"paused":false,
      "running":{"pass":9,"kind":"deep"},"waiting":[{"pass":null,"kind":"light"}],
      "nextLightAt":"2026-01-02T03:04:05.000000Z","nextDeepAt":null,
      "indexes":[{"index":"books","states":[{"state":"in_sync","reason":"equal","shards":63},
                                            {"state":"diverged","reason":"documents","shards":1}]}],
      "lastLight":{"pass":8,"endedAt":"2026-01-02T03:03:05.000000Z","state":"completed",
                   "clean":false,"mismatches":2,"repaired":1,"unresolved":1,
                   "problems":["node b1 holds an index `x` that the log does not know"]},
      "lastDeep":null})");
  const Json divergence = parsed(R"({"indexes":[{"index":"books","problems":[],
      "shards":[{"shard":5,"state":"diverged","why":"1 document"}]}]})");
  const Json repairs = parsed(R"({"results":[
      {"at":"2026-01-02T03:03:05.000000Z","index":"books","id":"42","action":"restore",
       "reason":"missing","outcome":"copied from node a1, verified"},
      {"at":"2026-01-02T03:03:04.000000Z","index":"books","id":null,"key":null,"node":"b1",
       "action":"heal","reason":"settings","outcome":"settings set, verified"},
      {"at":"2026-01-02T03:03:03.000000Z","index":null,"id":null,"key":"k1","node":"b1",
       "action":"heal","reason":"key","outcome":"made anew, verified"}]})");
  EXPECT_EQ(status_text(topology, passes, divergence, repairs),
            R"(NODE       GROUP  HEALTH    STATE           DONE      LAG  WHY
a1             0  healthy   in_sync            7        0  
b1             1  unhealthy stale              3        4  refused: nobody there
b2             1  healthy   in_sync            3        4  its lane is stopped: it refused several writes; y

INDEX                     SHARD  STATE           REASON
books                         5  diverged        1 document
books                      (63)  in_sync         equal
books                       (1)  diverged        documents

reconciler  on, repairs
running     deep pass 9
waiting     light
next light  2026-01-02T03:04:05.000000Z
next deep   -

LAST PASS NUMBER  ENDED                        STATE      CLEAN DIFFERED REPAIRED   LEFT
light          8  2026-01-02T03:03:05.000000Z  completed  no           2        1      1
          node b1 holds an index `x` that the log does not know

NEWEST REPAIRS               OF                       ACTION     REASON           OUTCOME
2026-01-02T03:03:05.000000Z  books/42                 restore    missing          copied from node a1, verified
2026-01-02T03:03:04.000000Z  books on b1              heal       settings         settings set, verified
2026-01-02T03:03:03.000000Z  key k1 on b1             heal       key              made anew, verified
)");
}

TEST(StatusTest, AReconcilerThatDoesNotWorkSaysSo) {
  const Json nothing = Json::object();
  auto line = [&](const char* status) {
    const std::string text = status_text(nothing, parsed(status), nothing, nothing);
    const std::size_t at = text.find("reconciler");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(line("{}"), "reconciler  off, reports only");
  EXPECT_EQ(line(R"({"enabled":true,"paused":true,"leader":true,"autoRepair":true})"),
            "reconciler  paused, repairs");
  EXPECT_EQ(line(R"({"enabled":true,"leader":false,"autoRepair":true})"),
            "reconciler  on, in another process, repairs");
}

}  // namespace
}  // namespace miroir
