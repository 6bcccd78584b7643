#!/usr/bin/env python3
"""Two acceptance tests of the original, on real processes. The others of its nine are where their subject is."""
import json, time, unittest

from cluster import Cluster, ClusterTest, stored_number, wait_for

PATH = "/indexes/things/documents"
SCHEDULE = 5  # seconds


class Acceptance(ClusterTest):
    def assert_audited(self, copy, held):
        """What is overwritten is in the audit, with what it was judged by."""
        self.assertEqual(json.loads(copy["document"]), {**held, "_vectors": {}})
        self.assertEqual(copy["stamp"], stored_number(held["_miroir_updated_at"]))
        self.assertRegex(copy["content"], "^[0-9a-f]{32}$")

    def test_acceptance_1_detect_and_repair_divergence(self):
        with Cluster(nodes=1, shards=1, anti_entropy=f'{{light_interval: 1h, schedule: "every {SCHEDULE}s"}}') as cluster:
            model = {str(n): {"id": n, "value": "old"} for n in range(100)}
            cluster.api.write("POST", PATH + "?primaryKey=id", list(model.values()))
            node = cluster["b1"]
            held = {document["id"]: document for document in node.documents("things")}
            model["1"] = {"id": 1, "value": "new"}
            cluster.api.write("POST", PATH, [model["1"]])
            cluster.wait_equal()

            damage = {"1": held[1], "2": {**held[2], "value": "written behind Miroir's back"}}
            node.api.write("POST", PATH, list(damage.values()))
            node.api.write("DELETE", PATH + "/3")
            self.assertEqual(len(cluster.wrong("things", model)), 3)
            damaged = time.time()
            wait_for("repairs that nobody asked for", lambda: sum(row["repaired"] for row in cluster.miroir.repairs()) >= 3, 60)
            repairs = cluster.miroir.repairs()

            self.assertEqual({row["id"]: (row["reason"], row["winner"], row["repaired"]) for row in repairs},
                             {"1": ("highest_stamp", "a1", True), "2": ("checksum", "a1", True), "3": ("missing", "a1", True)})
            for row in repairs:
                winner, loser = row["copies"]
                self.assertEqual((winner["node"], loser["node"]), ("a1", "b1"))
                if row["id"] in damage: self.assert_audited(loser, damage[row["id"]])
                else: self.assertEqual(loser["presence"], "absent")
            def read_passes():
                return {report["pass"]: report for report in cluster.api.get("/_miroir/anti-entropy/passes?limit=100")["results"]}
            wait_for("their ends", lambda: all(read_passes()[row["pass"]]["state"] != "running" for row in repairs), 60)
            passes = read_passes()
            for row in repairs:
                report = passes[row["pass"]]
                self.assertLess(report["startedMicroseconds"] / 1e6, damaged + SCHEDULE + 1)
                self.assertLess(report["endedMicroseconds"] / 1e6, damaged + 2 * SCHEDULE + 1)
                self.assertEqual((report["state"], report["unresolved"]), ("completed", 0), report)
            self.assertEqual(sum(passes[number]["repaired"] for number in {row["pass"] for row in repairs}), 3)
            self.check_equal(cluster, "things", model)
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_mismatches_found_total"), 3)
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_docs_repaired_total"), 3)


class Metrics(ClusterTest):
    def test_metrics_tracking(self):
        """What the metrics say, pass by pass, of documents that really differ."""
        with Cluster(nodes=1, shards=4) as cluster:
            def check(**expected):
                got = {name: cluster.miroir.metric("miroir_antientropy_" + name) for name in expected}
                self.assertEqual(got, expected)
            def run_pass(kind, repair=True):
                before = int(time.time())
                order = {"kind": kind, "auto_repair": repair, "wait": True}
                report = cluster.api.expect(200, "POST", "/_miroir/anti-entropy/start", order)
                self.assertEqual(report["state"], "completed", report)
                self.assertTrue(before <= cluster.miroir.metric("miroir_antientropy_last_scan_completed_seconds") <= time.time())
                return before

            model = {str(n): {"id": n, "value": "right"} for n in range(100)}
            cluster.api.write("POST", PATH + "?primaryKey=id", list(model.values()))
            cluster.wait_equal()
            check(shards_scanned_total=0, mismatches_found_total=0, docs_repaired_total=0, last_scan_completed_seconds=0)

            run_pass("light")
            check(shards_scanned_total=4, mismatches_found_total=0, docs_repaired_total=0, scanned_bytes_total=0,
                  last_deep_scan_completed_seconds=0)

            node = cluster["b1"]
            node.api.write("POST", PATH, [{**held, "value": "wrong"} for held in node.documents("things") if held["id"] < 3])
            for id in (3, 4): node.api.write("DELETE", f"{PATH}/{id}")
            run_pass("deep", repair=False)
            check(shards_scanned_total=8, mismatches_found_total=5, docs_repaired_total=0, unresolved_documents=5)
            run_pass("deep")
            check(shards_scanned_total=12, mismatches_found_total=10, docs_repaired_total=5, unresolved_documents=0)
            self.check_equal(cluster, "things", model)

            read, began = cluster.miroir.metric("miroir_antientropy_scanned_bytes_total"), run_pass("deep")
            check(shards_scanned_total=16, mismatches_found_total=10, docs_repaired_total=5)
            self.assertGreater(cluster.miroir.metric("miroir_antientropy_scanned_bytes_total"), read)
            self.assertGreaterEqual(cluster.miroir.metric("miroir_antientropy_last_deep_scan_completed_seconds"), began)


if __name__ == "__main__":
    unittest.main()
