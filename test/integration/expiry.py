#!/usr/bin/env python3
"""Documents that expire: swept everywhere, and neither brought back by what is stale nor killed by it."""
import time, unittest

from cluster import Cluster, ClusterTest, MEILISEARCH, wait_for

PATH = "/indexes/sessions/documents"
SOON = 40 if MEILISEARCH else 3  # seconds, enough for the writes of a test: real servers take longer for each task


def from_now(seconds): return int((time.time() + seconds) * 1000)


class ExpiryTest(ClusterTest):
    def cluster(self, interval=1):
        cluster = Cluster(ttl=f"{{enabled: true, sweep_interval_s: {interval}}}")
        self.addCleanup(cluster.stop)
        cluster.api.write("POST", "/indexes", {"uid": "sessions", "primaryKey": "id"})
        return cluster

    def holders(self, cluster, id):
        """{node: its copy, stored fields included}"""
        found = {}
        for node in cluster.nodes:
            for document in node.documents("sessions"):
                if document["id"] == id: found[node.name] = document
        return found

    def gone(self, cluster, id): wait_for(f"{id} is swept", lambda: not self.holders(cluster, id), 30 + SOON)


class Acceptance(ExpiryTest):
    def test_acceptance_2_expired_doc_no_resurrection(self):
        cluster = self.cluster()
        cluster.api.write("POST", PATH, [{"id": "a", "user": "old"}, {"id": "b"}])
        stale = self.holders(cluster, "a")
        cluster.api.write("POST", PATH, [{"id": "a", "user": "new", "_miroir_expires_at": from_now(1)}])
        expired = self.holders(cluster, "a")
        self.assertEqual(set(stale), set(expired))
        self.assertEqual(len(stale), 2)
        self.gone(cluster, "a")

        # A write that was on its way for ever reaches one node: older than what expired, and knows of no expiry.
        for name in stale:
            for copy in (stale[name], expired[name]):
                cluster[name].api.write("POST", PATH, [copy])
                self.assertEqual(set(self.holders(cluster, "a")), {name})
                wait_for("it does not come back", lambda: cluster.miroir.run_pass("light") and not self.holders(cluster, "a"))
        cluster.miroir.run_pass("deep")
        self.check_equal(cluster, "sessions", {"b": {"id": "b"}})
        self.assertEqual(cluster.api.call("GET", PATH + "/a")[0], 404)

        # What is written after it expired is another document.
        cluster.api.write("POST", PATH, [{"id": "a", "user": "newest"}])
        cluster.miroir.run_pass("light")
        self.check_equal(cluster, "sessions", {"a": {"id": "a", "user": "newest"}, "b": {"id": "b"}})


class Expiry(ExpiryTest):
    def test_from_write_to_sweep(self):
        cluster = self.cluster()
        later = from_now(3600)
        cluster.api.write("PATCH", "/indexes/sessions/settings", {"filterableAttributes": ["user"]})
        cluster.api.write("POST", PATH, [{"id": "later", "user": "u", "_miroir_expires_at": later},
                                         {"id": "soon", "_miroir_expires_at": from_now(SOON)},
                                         {"id": "extended", "_miroir_expires_at": from_now(SOON)},
                                         {"id": "kept", "_miroir_expires_at": from_now(SOON)},
                                         {"id": "replaced", "_miroir_expires_at": from_now(SOON)},
                                         {"id": "removed", "_miroir_expires_at": from_now(SOON)}])
        cluster.api.write("PUT", PATH, [{"id": "extended", "_miroir_expires_at": later}])
        cluster.api.write("PUT", PATH, [{"id": "kept", "user": "v"}])
        cluster.api.write("POST", PATH, [{"id": "replaced"}])
        cluster.api.write("PUT", PATH, [{"id": "removed", "_miroir_expires_at": None}])

        shown = {"id": "later", "user": "u", "_miroir_expires_at": later}
        self.assertEqual(cluster.api.get(PATH + "/later"), shown)
        hits = cluster.api.expect(200, "POST", "/indexes/sessions/search", {"q": "u", "attributesToHighlight": ["*"]})["hits"]
        self.assertEqual([{k: v for k, v in hit.items() if k != "_formatted"} for hit in hits], [shown])
        self.assertEqual(hits[0]["_formatted"]["_miroir_expires_at"], str(later))
        self.assertNotIn("_miroir_slot", hits[0]["_formatted"])
        page = cluster.api.get(PATH + "?fields=_miroir_expires_at&ids=later")["results"]
        self.assertEqual(page, [{"_miroir_expires_at": later}])
        for q in (str(later), str(later)[:4]):
            self.assertEqual(cluster.api.expect(200, "POST", "/indexes/sessions/search", {"q": q})["hits"], [], q)
        self.assert_error(cluster.api.call("POST", "/indexes/sessions/search", {"filter": f"_miroir_expires_at > {later}"}), 400, "invalid_search_filter")
        words = self.assert_error(cluster.api.call("POST", PATH, [{"id": "x"}, {"id": "y", "_miroir_expires_at": "2030-01-01"}]), 400,
                                  "miroir_reserved_field")
        self.assertIn("milliseconds", words)

        for id in ("soon", "kept"): self.gone(cluster, id)
        left = {"later": {"id": "later", "user": "u"}, "extended": {"id": "extended"}, "replaced": {"id": "replaced"}, "removed": {"id": "removed"}}
        self.check_equal(cluster, "sessions", left)
        self.assertEqual(cluster.miroir.metric("miroir_ttl_documents_expired_total"), 2)
        report = cluster.miroir.run_pass("deep")
        self.assertEqual(report["mismatches"], 0)
        self.check_equal(cluster, "sessions", left)

    def test_an_extension_that_one_replica_missed_does_not_kill_the_live_one(self):
        cluster = self.cluster(interval=600)
        cluster.api.write("POST", PATH, [{"id": "a", "_miroir_expires_at": from_now(1)}])
        before = self.holders(cluster, "a")
        later = from_now(3600)
        cluster.api.write("PUT", PATH, [{"id": "a", "_miroir_expires_at": later}])
        name = sorted(before)[0]
        cluster[name].api.write("POST", PATH, [before[name]])
        time.sleep(1)  # it expires there
        self.assertEqual(cluster.api.expect(200, "POST", "/_miroir/indexes/sessions/ttl-policy", {"sweep_interval_s": 1}),
                         {"index": "sessions", "sweep_interval_s": 1, "max_deletes_per_sweep": 10000})
        cluster.api.write("POST", PATH, [{"id": "b", "_miroir_expires_at": from_now(0)}])
        self.gone(cluster, "b")  # so it was swept
        self.assertEqual(len(self.holders(cluster, "a")), 2)
        cluster.miroir.run_pass("light")
        self.assertEqual({copy["_miroir_updated_at"] for copy in self.holders(cluster, "a").values()},
                         {max(copy["_miroir_updated_at"] for copy in self.holders(cluster, "a").values())})
        self.assertEqual(cluster.api.get(PATH + "/a"), {"id": "a", "_miroir_expires_at": later})

    def test_what_the_reconciler_found_expired_does_not_come_back_either(self):
        cluster = self.cluster(interval=600)
        cluster.api.write("POST", PATH, [{"id": "a", "user": "old"}, {"id": "b"}])
        stale = self.holders(cluster, "a")
        cluster.api.write("POST", PATH, [{"id": "a", "user": "new", "_miroir_expires_at": from_now(1)}])
        first, second = sorted(stale)
        cluster[first].api.write("DELETE", PATH + "/a")
        time.sleep(1)
        wait_for("the last copy goes", lambda: cluster.miroir.run_pass("light") and not self.holders(cluster, "a"))
        self.assertIn("expired", {repair["reason"] for repair in cluster.miroir.repairs()})
        cluster[first].api.write("POST", PATH, [stale[first]])
        wait_for("it does not come back", lambda: cluster.miroir.run_pass("light") and not self.holders(cluster, "a"))
        self.check_equal(cluster, "sessions", {"b": {"id": "b"}})

    def test_a_sweep_deletes_no_more_than_its_index_allows(self):
        override = "{index: sessions, sweep_interval_s: 4, max_deletes_per_sweep: 10}"
        with Cluster(ttl=f"{{enabled: true, sweep_interval_s: 600, per_index_overrides: [{override}]}}",
                     cdc="{enabled: true, emit_ttl_deletes: true}") as cluster:
            expired = from_now(0)
            cluster.api.write("POST", PATH + "?primaryKey=id", [{"id": n, "_miroir_expires_at": expired} for n in range(35)])
            def swept(): return [event for event in cluster.api.get("/_miroir/changes?since=0&wait=0")["events"] if event["kind"] == "delete"]
            wait_for("all are swept", lambda: len(swept()) == 35, 120)
            sweeps, begun = [], 0
            for event in swept():
                if event["stamp"] > begun + 3_000_000:
                    sweeps.append(0)
                    begun = event["stamp"]
                sweeps[-1] += 1
            self.assertEqual(sweeps, [10, 10, 10, 5])
            self.check_equal(cluster, "sessions", {})

    def test_a_policy_outlives_the_process_and_is_checked(self):
        cluster, route = self.cluster(), "/_miroir/indexes/sessions/ttl-policy"
        said = cluster.api.expect(200, "POST", route, {"max_deletes_per_sweep": 7})
        cluster.miroir.end()
        cluster.miroir.start()
        self.assertEqual(cluster.api.expect(200, "POST", route, {"max_deletes_per_sweep": 7}), said)
        self.assertEqual(said, {"index": "sessions", "sweep_interval_s": 1, "max_deletes_per_sweep": 7})
        for wrong in ({"sweep_interval_s": 0}, {"sweep_interval_s": "1"}, {"interval": 1}):
            self.assert_error(cluster.api.call("POST", route, wrong), 400, "bad_request")


if __name__ == "__main__": unittest.main()
