#!/usr/bin/env python3
"""What an operator says to the reconciler: dry runs, pause and resume, approval, windows and shards that take turns."""
import time, unittest
from datetime import datetime, timedelta, timezone

from cluster import Cluster, ClusterTest, wait_for

PATH = "/indexes/things/documents"
RECONCILER = "/_miroir/anti-entropy/"


def passes(cluster, kind):
    """Those that have ended, the oldest first."""
    found = cluster.api.get(RECONCILER + "passes?limit=1000")["results"]
    return [each for each in reversed(found) if each["kind"] == kind and each["state"] != "running"]


def filled(documents=10, **anti_entropy):
    settings = {"light_interval": "1h", **anti_entropy}
    cluster = Cluster(nodes=1, shards=4, anti_entropy="{" + ", ".join(f"{key}: {value}" for key, value in settings.items()) + "}")
    cluster.api.write("POST", PATH + "?primaryKey=id", [{"id": n, "value": "first"} for n in range(documents)])
    cluster.wait_equal()
    return cluster


class Controls(ClusterTest):
    def ids(self, cluster, name): return {document["id"] for document in cluster[name].documents("things")}

    def test_a_dry_run_tells_and_changes_nothing(self):
        with filled() as cluster:
            cluster["b1"].api.write("DELETE", PATH + "/3")
            report = cluster.api.expect(200, "POST", RECONCILER + "start", {"kind": "light", "auto_repair": False, "wait": True})
            self.assertEqual((report["repair"], report["unresolved"], report["repaired"], report["clean"]), (False, 1, 0, False))
            self.assertNotIn(3, self.ids(cluster, "b1"))
            (index,) = cluster.api.get(RECONCILER + "divergence")["indexes"]
            self.assertEqual([(shard["state"], shard["reason"]) for shard in index["shards"]], [("repair_pending", "repairs_off")])
            self.assertIn("repairs are off: 1 document", cluster.miroir.status())
            self.assertEqual(cluster.miroir.run_pass("light")["repaired"], 1)
            self.assertIn(3, self.ids(cluster, "b1"))

    def test_what_is_found_is_left_where_repairs_are_off(self):
        with filled(light_interval="1s", auto_repair="false") as cluster:
            cluster["b1"].api.write("DELETE", PATH + "/3")
            wait_for("it is found", lambda: "repairs are off: 1 document" in cluster.miroir.status())
            seen = len(passes(cluster, "light"))
            wait_for("more passes", lambda: len(passes(cluster, "light")) > seen + 1)
            self.assertNotIn(3, self.ids(cluster, "b1"))
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_docs_repaired_total"), 0)

    def test_nothing_is_healed_while_passes_are_paused_over_a_restart_too(self):
        with filled(light_interval="1s") as cluster:
            cluster.api.expect(200, "POST", RECONCILER + "pause")
            cluster.miroir.end()
            cluster.miroir.start()
            wait_for("Miroir answers", cluster.api.answers)
            wait_for("it has read that passes are paused", lambda: cluster.api.get(RECONCILER + "status")["paused"])
            def states(): return [each["state"] for each in cluster.api.get(RECONCILER + "passes?limit=1000")["results"]]
            wait_for("what was cut off has ended", lambda: "running" not in states())
            before = len(passes(cluster, "light"))
            cluster["b1"].api.write("DELETE", PATH + "/3")
            time.sleep(4)
            self.assertEqual(len(passes(cluster, "light")), before)
            self.assertNotIn(3, self.ids(cluster, "b1"))
            cluster.api.expect(200, "POST", RECONCILER + "resume")
            wait_for("the document is back", lambda: 3 in self.ids(cluster, "b1"))
            self.assertFalse(cluster.api.get(RECONCILER + "status")["paused"])

    def test_what_the_breaker_stopped_is_done_once_a_person_agrees(self):
        with filled(40, breaker="{share: 0, min_documents: 2}") as cluster:
            node = cluster["b1"]
            held = node.documents("things")
            cluster.api.write("POST", PATH + "/delete-batch", list(range(40)))
            cluster.wait_equal()
            node.api.write("POST", PATH, held)  # as from an older disk
            report = cluster.miroir.run_pass("light")
            self.assertEqual((report["repaired"], report["unresolved"]), (0, 40))
            divergence = cluster.api.get(RECONCILER + "divergence")
            self.assertEqual({trip["pass"] for trip in divergence["breaker"]}, {report["pass"]})
            self.assertEqual({shard["reason"] for index in divergence["indexes"] for shard in index["shards"]}, {"breaker"})
            self.assertEqual(len(self.ids(cluster, "b1")), 40)
            self.assert_error(cluster.api.call("POST", RECONCILER + "approve", {"pass": report["pass"] + 7}), 400, "bad_request")
            agreed = cluster.api.expect(202, "POST", RECONCILER + "approve", {"pass": report["pass"]})
            self.assertEqual(agreed["approved"], 40)
            wait_for("what was deleted is gone", lambda: not self.ids(cluster, "b1"))
            self.assertTrue(wait_for("a clean pass", lambda: cluster.miroir.run_pass("light")["clean"]))

    def test_breaker_lets_a_twentieth_of_a_shard_through_and_never_fewer_than_a_hundred(self):
        documents = lambda index: f"/indexes/{index}/documents"
        with Cluster(nodes=1, shards=1) as cluster:
            held = {"large": 4000, "small": 600}
            for index, count in held.items(): cluster.api.write("POST", documents(index) + "?primaryKey=id", [{"id": n} for n in range(count)])
            cluster.wait_equal()
            node = cluster["b1"]

            def put_back(counts):
                """Deleted by a client, and then on one node again, as from an older disk."""
                for index, count in counts.items():
                    copies = node.documents(index)[:count]
                    cluster.api.write("POST", documents(index) + "/delete-batch", [each["id"] for each in copies])
                    wait_for("they are deleted", lambda: len(node.documents(index)) == held[index] - count)
                    node.api.write("POST", documents(index), copies)
            def on_node(): return {index: len(node.documents(index)) for index in held}
            def shards(): return [(index["index"], shard["state"], shard["reason"], shard["why"])
                                  for index in cluster.api.get(RECONCILER + "divergence")["indexes"] for shard in index["shards"]]

            put_back({"large": 200, "small": 100})
            self.assertEqual(on_node(), held)
            report = cluster.miroir.run_pass("light")
            self.assertEqual((report["repaired"], report["unresolved"]), (300, 0), report)
            held = {"large": 3800, "small": 500}
            self.assertEqual((on_node(), shards()), (held, []))

            put_back({"large": 191, "small": 101})
            report = cluster.miroir.run_pass("light")
            self.assertEqual((report["repaired"], report["unresolved"], report["clean"]), (0, 292, False), report)
            self.assertEqual(on_node(), held)
            waiting = [("large", "191 documents"), ("small", "101 documents")]
            self.assertEqual(shards(), [(index, "repair_pending", "breaker", "breaker: " + count) for index, count in waiting])
            for index, count in waiting: self.assertRegex(cluster.miroir.status(), f"(?m)^{index} +0 +repair_pending +breaker: {count}$")
            states = {each["index"]: each["states"] for each in cluster.api.get(RECONCILER + "status")["indexes"]}
            self.assertEqual(states, {index: [{"state": "repair_pending", "reason": "breaker", "shards": 1}] for index in held})
            trips = cluster.api.get(RECONCILER + "divergence")["breaker"]
            self.assertEqual([(trip["index"], trip["pass"], trip["documents"], trip["limit"]) for trip in trips],
                             [("large", report["pass"], 191, 190), ("small", report["pass"], 101, 100)])

            self.assertEqual(cluster.api.expect(202, "POST", RECONCILER + "approve", {"pass": report["pass"]})["approved"], 292)
            left = {"large": 3609, "small": 399}
            wait_for("what was deleted is gone", lambda: on_node() == left)
            self.assertTrue(wait_for("a clean pass", lambda: cluster.miroir.run_pass("light")["clean"]))
            self.assertEqual(shards(), [])

    def test_scheduled_deep_passes_wait_for_their_window(self):
        opens = datetime.now(timezone.utc) + timedelta(hours=6)
        window = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M} UTC"
        with filled(schedule='"every 1s"', windows=f'["{window}"]') as cluster:
            time.sleep(4)
            self.assertEqual(passes(cluster, "deep"), [])
            due = cluster.api.get(RECONCILER + "status")["nextDeepAt"]
            self.assertEqual(due[11:16], f"{opens:%H:%M}")
            self.assertTrue(cluster.miroir.run_pass("deep")["clean"], "by hand it runs")

    def test_a_window_is_open_by_the_clock_of_its_place(self):
        there = datetime.now(timezone(timedelta(hours=5, minutes=30)))
        window = f"{there - timedelta(hours=1):%H:%M}-{there + timedelta(hours=1):%H:%M}"
        with filled(schedule='"every 1s"', windows=f'["{window} Asia/Kolkata"]') as cluster:
            wait_for("a deep pass", lambda: passes(cluster, "deep"))
        with filled(schedule='"every 1s"', windows=f'["{window}"]') as cluster:
            time.sleep(3)
            self.assertEqual(passes(cluster, "deep"), [])

    def test_shards_take_turns(self):
        with filled(schedule='"every 1s"', shards_per_pass=2) as cluster:
            def goes_on():
                """A pass that read a half of the shards, and the one that read the other."""
                deep = passes(cluster, "deep")
                return [pair for pair in zip(deep, deep[1:])
                        if not pair[0]["whole"] and pair[1]["resumes"] == pair[0]["pass"] and pair[1]["whole"]]
            wait_for("a deep pass in two turns", goes_on, 60)


if __name__ == "__main__":
    unittest.main()
