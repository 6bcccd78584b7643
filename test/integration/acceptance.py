#!/usr/bin/env python3
"""The first acceptance test of the original, on real processes. The others of its nine are where their subject is."""
import time, unittest

from cluster import Cluster, ClusterTest, wait_for

PATH = "/indexes/things/documents"
SCHEDULE = 5  # seconds


class Acceptance(ClusterTest):
    def test_acceptance_1_detect_and_repair_divergence(self):
        with Cluster(nodes=1, shards=1, anti_entropy=f'{{light_interval: 1h, schedule: "every {SCHEDULE}s"}}') as cluster:
            model = {str(n): {"id": n, "value": "old"} for n in range(100)}
            cluster.api.write("POST", PATH + "?primaryKey=id", list(model.values()))
            node = cluster["b1"]
            held = {document["id"]: document for document in node.documents("things")}
            model["1"] = {"id": 1, "value": "new"}
            cluster.api.write("POST", PATH, [model["1"]])
            cluster.wait_equal()

            node.api.write("POST", PATH, [held[1], {**held[2], "value": "written behind Miroir's back"}])
            node.api.write("DELETE", PATH + "/3")
            self.assertEqual(len(cluster.wrong("things", model)), 3)
            damaged = time.time()
            repairs = wait_for("repairs that nobody asked for", lambda: len(cluster.miroir.repairs()) >= 3 and cluster.miroir.repairs(), 60)

            self.assertEqual({row["id"]: (row["reason"], row["winner"], row["repaired"]) for row in repairs},
                             {"1": ("highest_stamp", "a1", True), "2": ("checksum", "a1", True), "3": ("missing", "a1", True)})
            passes = {report["pass"]: report for report in cluster.api.get("/_miroir/anti-entropy/passes?limit=100")["results"]}
            for row in repairs:
                self.assertLess(passes[row["pass"]]["startedMicroseconds"] / 1e6, damaged + SCHEDULE + 1)
            self.check_equal(cluster, "things", model)
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_mismatches_found_total"), 3)
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_docs_repaired_total"), 3)


if __name__ == "__main__":
    unittest.main()
