#!/usr/bin/env python3
"""Miroir comes back with a wall clock that is hours off, in the one direction and the other; the nodes' are right."""
import os, subprocess, tempfile, time, unittest
from datetime import datetime, timedelta, timezone

from cluster import SANITIZED, Cluster, ClusterTest, embedded_only, stored_number, wait_for

PATH = "/indexes/things/documents"
RECONCILER = "/_miroir/anti-entropy/"


@unittest.skipIf(SANITIZED, "a sanitizer's library is to be the first")
class ClockTest(ClusterTest):
    blocks = {}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="miroir-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.library = os.path.join(folder.name, "skewed_clock.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "skewed_clock.cc")
        subprocess.run([os.environ.get("CXX", "clang++-19"), "-std=c++23", "-shared", "-fPIC", "-o", cls.library, source], check=True)

    def setUp(self):
        self.cluster = Cluster(groups=3, nodes=1, **{"shards": 4, "ttl": "{enabled: true, sweep_interval_s: 1}",
                               "anti_entropy": '{light_interval: 1h, schedule: "every 1s"}', **self.blocks})
        self.addCleanup(self.cluster.stop)
        self.model, self.stamps = {}, []
        self.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})

    @property
    def api(self): return self.cluster.api

    def restart(self, hours):
        miroir = self.cluster.miroir
        miroir.end()
        clock = ["env", f"LD_PRELOAD={self.library}", f"SKEWED_CLOCK_SECONDS={round(hours * 3600)}"]
        miroir.command = lambda: clock + type(miroir).command(miroir)
        miroir.start()
        due = wait_for("it knows when a pass is due", lambda: self.api.get(RECONCILER + "status")["nextLightAt"])
        shown = datetime.fromisoformat(due) - timedelta(hours=1)
        self.assertLess(abs(shown - datetime.now(timezone.utc) - timedelta(hours=hours)), timedelta(minutes=1))

    def copies(self, id):
        """{node: what it holds of that document}"""
        return {node.name: each for node in self.cluster.nodes for each in node.documents("things") if each["id"] == id}

    def write(self, method, *documents):
        task = self.api.write(method, PATH, documents)
        enqueued, started, finished = (datetime.fromisoformat(task[name]) for name in ("enqueuedAt", "startedAt", "finishedAt"))
        self.assertTrue(enqueued <= started <= finished, task)
        for each in documents: self.model[each["id"]] = {**(self.model.get(each["id"], {}) if method == "PUT" else {}), **each}
        copies = [copy for each in documents for copy in self.copies(each["id"]).values()]
        self.assertEqual(len(copies), 3 * len(documents))
        self.stamps += {stored_number(copy["_miroir_updated_at"]) for copy in copies}

    def delete(self, id):
        self.api.write("DELETE", f"{PATH}/{id}")
        del self.model[id]

    def scheduled_pass(self):
        """A deep pass that begins by itself from here on, once it has ended."""
        newest = lambda: (self.api.get(RECONCILER + "status")["lastDeep"] or {"pass": 0})
        before = newest()["pass"] + 1  # it may have begun before
        return wait_for("a scheduled pass", lambda: (found := newest())["pass"] > before and found["state"] == "completed" and found)


class Clock(ClockTest):
    def test_stamps_rise_and_later_writes_win_whatever_the_clock_says(self):
        for turn, hours in enumerate((0, -1, 1, 0, -1)):
            self.restart(hours)
            self.write("POST", {"id": "replaced", "by": turn}, {"id": f"new-{turn}"})
            self.write("PUT", {"id": "replaced", "merged": turn}, {"id": "merged", f"in-{turn}": turn})
            self.write("POST", {"id": f"gone-{turn}"}, {"id": "back-and-gone"})
            self.delete(f"gone-{turn}")
            self.delete("back-and-gone")
            report = self.scheduled_pass()
            self.assertEqual((report["clean"], report["mismatches"]), (True, 0), report)
            self.check_equal(self.cluster, "things", self.model)
        self.assertEqual(self.stamps, sorted(set(self.stamps)))
        self.assertGreater(self.stamps[-1] / 1e6, time.time() + 1800)  # it was an hour ahead once, and does not go back
        self.assertEqual(self.cluster.miroir.repairs(), [])

    def test_what_is_put_back_never_wins_over_what_came_later_whatever_the_clock_says(self):
        node = self.cluster["b1"]
        for turn, hours in enumerate((1, -1, 0)):
            self.write("POST", {"id": f"replaced-{turn}", "by": "one"}, {"id": f"deleted-{turn}"})
            self.restart(hours)
            old = [self.copies(id)["b1"] for id in (f"replaced-{turn}", f"deleted-{turn}")]
            self.write("POST", {"id": f"replaced-{turn}", "by": "another"})
            self.delete(f"deleted-{turn}")
            node.api.write("POST", PATH, old)
            wait_for("it is healed", lambda: not self.cluster.wrong("things", self.model))
            self.scheduled_pass()
            self.check_equal(self.cluster, "things", self.model)
        rows = {row["id"]: (row["reason"], row["repaired"]) for row in self.cluster.miroir.repairs()}
        self.assertEqual(rows, {id: (reason, True) for turn in range(3) for id, reason in
                                ((f"replaced-{turn}", "highest_stamp"), (f"deleted-{turn}", "deleted"))})

    def expiring(self, id, hours): return {"id": id, "_miroir_expires_at": int((self.began + hours * 3600) * 1000)}

    def after_sweeps(self):
        """The ids that are left, on all nodes alike, once sweeps that begin from here on have been through."""
        for _ in range(2):
            self.api.write("POST", PATH, [self.expiring("marker", -5)])
            wait_for("a sweep", lambda: not self.copies("marker"))
        held = [{document["id"] for document in node.documents("things")} for node in self.cluster.nodes]
        self.assertEqual(held, [held[0]] * 3)
        return held[0]

    def test_what_has_expired_goes_by_the_clock_of_miroir_and_does_not_come_back(self):
        self.began = time.time()
        self.restart(-1)
        self.write("POST", self.expiring("just-expired", -0.5), self.expiring("soon", 0.5), self.expiring("later", 3))
        old = self.copies("just-expired")["b1"], self.copies("soon")["b1"]
        self.assertEqual(self.after_sweeps(), {"just-expired", "soon", "later"})
        self.restart(0)
        self.assertEqual(self.after_sweeps(), {"soon", "later"})
        self.restart(1)
        self.assertEqual(self.after_sweeps(), {"later"})
        self.assertEqual(self.scheduled_pass()["mismatches"], 0)
        self.assertEqual(self.cluster.miroir.repairs(), [])

        # By the clock that is set back now they have not expired; but they are versions that went.
        self.restart(-1)
        self.cluster["b1"].api.write("POST", PATH, list(old))
        wait_for("they are deleted again", lambda: not self.copies("soon") and not self.copies("just-expired"))
        self.scheduled_pass()
        rows = {row["id"]: (row["action"], row["repaired"]) for row in self.cluster.miroir.repairs()}
        self.assertEqual(rows, {"soon": ("delete", True), "just-expired": ("delete", True)})
        self.write("POST", self.expiring("soon", 0.5))
        self.restart(0)
        self.assertEqual(self.after_sweeps(), {"soon", "later"})
        self.assertTrue(self.scheduled_pass()["clean"])


class Audit(ClockTest):
    blocks = {"anti_entropy": '{light_interval: 1h, schedule: "every 300d"}'}

    def test_passes_and_repairs_can_be_read_for_a_month_and_go_with_the_pass_that_ends_then(self):
        self.write("POST", {"id": "lost"}, {"id": "kept"})
        self.cluster["b1"].api.write("DELETE", PATH + "/lost")
        first = self.cluster.miroir.run_pass("deep")
        self.assertEqual(first["repaired"], 1)
        row = self.cluster.miroir.repairs()
        self.assertEqual([(each["pass"], each["id"]) for each in row], [(first["pass"], "lost")])
        passes = lambda: [each["pass"] for each in self.api.get(RECONCILER + "passes?limit=1000")["results"]]
        month, seen = 30 * 24, passes()
        self.assertEqual(seen, [first["pass"]])
        self.restart(month - 1)
        second = self.cluster.miroir.run_pass("deep")
        self.assertEqual((self.cluster.miroir.repairs(), passes()), (row, [second["pass"], *seen]))
        self.restart(month + 1)
        self.assertEqual((self.cluster.miroir.repairs(), passes()), (row, [second["pass"], *seen]))
        third = self.cluster.miroir.run_pass("deep")
        self.assertEqual((self.cluster.miroir.repairs(), passes()), ([], [third["pass"], second["pass"]]))
        self.assertEqual(self.api.get(f"{RECONCILER}repairs?pass={first['pass']}")["results"], [])
        self.check_equal(self.cluster, "things", {id: {"id": id} for id in ("lost", "kept")})


class HorizonTest(ClockTest):
    def forget_deletes(self):
        """The one that was made: the log knows nothing of it but the horizon."""
        self.scheduled_pass()
        self.assertEqual(self.cluster.miroir.metric("miroir_tombstones"), 1)
        self.restart(2)
        wait_for("the delete is forgotten", lambda: self.cluster.miroir.metric("miroir_tombstones") == 0)

    def forget_bodies(self):
        wait_for("the log keeps none of it", lambda: self.cluster.miroir.metric("miroir_log_bytes") == 0)

    def repairs(self):
        return {row["id"]: (row["action"], row["reason"], row["repaired"]) for row in self.cluster.miroir.repairs() if row["id"]}


class Forgotten(HorizonTest):
    blocks = {"log": "{retention: {age: 1s}, tasks_kept: 1}"}

    def test_what_was_deleted_and_forgotten_does_not_come_back_with_an_old_disk(self):
        self.write("POST", {"id": "deleted"}, {"id": "replaced", "by": "one"})
        node = self.cluster["b1"]
        node.keep_disk()
        self.cluster.wait_equal()
        self.delete("deleted")
        self.write("POST", {"id": "replaced", "by": "another"})
        self.forget_deletes()
        self.forget_bodies()

        node.put_disk_back()
        wait_for("it is healed", lambda: not self.cluster.wrong("things", self.model) and not self.cluster.unequal(), 60)
        self.assertTrue(self.scheduled_pass()["clean"])
        self.assertEqual(self.repairs(), {"deleted": ("delete", "absent_on_peers", True), "replaced": ("restore", "highest_stamp", True)})


@embedded_only
class OnlyOnAnOldDisk(HorizonTest):
    blocks = {"log": "{retention: {age: 1s}}"}

    def test_what_is_newer_than_the_horizon_is_harvested_and_what_is_not_is_deleted(self):
        miroir, node = self.cluster.miroir, self.cluster["b1"]
        self.write("POST", {"id": "deleted"}, {"id": "before"}, {"id": "merged"}, {"id": "replaced", "by": "one"})
        self.delete("deleted")
        self.forget_deletes()
        self.write("POST", {"id": "after"}, {"id": "after-and-merged"})
        self.write("PUT", {"id": "after-and-merged", "and": 1}, {"id": "merged", "and": 1})
        node.keep_disk()
        self.cluster.wait_equal()
        self.write("POST", {"id": "replaced", "by": "another"})
        self.forget_bodies()

        self.api.expect(200, "POST", RECONCILER + "pause")
        lost = ["before", "merged", "after", "after-and-merged"]
        for name in ("a1", "c1"): self.cluster[name].edit_disk(f"DELETE FROM documents WHERE json_extract(body, '$.id') IN ({str(lost)[1:-1]})")
        node.put_disk_back()
        def found_stale():
            """By those who read; none of them is told what it holds."""
            self.assertEqual(self.api.call("GET", PATH + "/before")[0], 404)
            self.assertEqual(self.api.get(PATH + "/replaced")["by"], "another")
            return {name: each["state"] for name, each in miroir.nodes().items()} == {"a1": "in_sync", "b1": "stale", "c1": "in_sync"}
        wait_for("b1 alone is stale", found_stale)
        for _ in range(6): self.assertTrue(found_stale())
        self.assertEqual(set(self.copies("after")), {"b1"})

        held = self.copies("merged")
        report = miroir.run_pass("light")
        self.assertEqual((report["repaired"], report["unresolved"], report["clean"]), (4, 1, False), report)
        harvested = ("restore", "harvested", True)
        self.assertEqual(self.repairs(), {"after": harvested, "after-and-merged": harvested, "before": ("delete", "absent_on_peers", True),
                                          "merged": ("quarantine", "maybe_deleted", False), "replaced": ("restore", "highest_stamp", True)})
        self.assertEqual({row["winner"] for row in miroir.repairs() if row["reason"] == "harvested"}, {"b1"})
        self.assertEqual(self.cluster.unequal(), [])
        del self.model["before"]
        for state in "quarantined", "diverged":
            (shard,) = (shard for index in self.api.get(RECONCILER + "divergence")["indexes"] for shard in index["shards"])
            self.assertEqual((shard["state"], shard["reason"], shard["documents"]), (state, "documents", 1))
            self.assertEqual(miroir.run_pass("deep")["unresolved"], 1)
            self.assertEqual(self.cluster.wrong("things", self.model), [f"merged is missing from group {group}" for group in (0, 2)])
            self.assertEqual(self.copies("merged"), held)

        self.write("POST", {"id": "merged", "by": "a client"})
        self.assertTrue(miroir.run_pass("deep")["clean"])
        self.check_equal(self.cluster, "things", self.model)


@embedded_only
class Windows(ClockTest):
    def setUp(self):
        opens = datetime.now(timezone.utc).replace(second=0, microsecond=0) + timedelta(hours=6)
        self.closes = opens + timedelta(hours=1)
        self.opening = f"{opens:%H:%M}"
        self.blocks = {"shards": 128, "anti_entropy": f'{{light_interval: 1h, schedule: "every 1h", windows: ["{opens:%H:%M}-{self.closes:%H:%M}"]}}'}
        super().setUp()

    def deep(self): return [each for each in self.api.get(RECONCILER + "passes")["results"] if each["kind"] == "deep" and each["state"] != "running"]
    def read(self): return self.cluster.miroir.metric("miroir_antientropy_scanned_bytes_total")

    def test_pass_that_its_window_closes_on_goes_on_in_the_next(self):
        self.write("POST", *({"id": f"id-{n}", "text": "word " * 100} for n in range(400)))
        self.assertTrue(self.cluster.miroir.run_pass("deep")["clean"])
        everything, by_hand = self.read(), self.deep()
        for node in self.cluster.nodes: node.faults(delayMs=100)
        left = (self.closes - datetime.now(timezone.utc)).total_seconds()
        self.restart((left - 7) / 3600)
        began = wait_for("a pass", lambda: self.api.get(RECONCILER + "status")["running"])
        wait_for("it ends", lambda: not self.api.get(RECONCILER + "status")["running"])
        cut, *others = self.deep()
        self.assertEqual(others, by_hand)
        self.assertEqual((cut["pass"], cut["state"], cut.get("error")), (began["pass"], "cut_off", "its window closed"))
        before = self.read()
        self.assertTrue(0 < before < everything, (before, everything))
        due = self.api.get(RECONCILER + "status")["nextDeepAt"]
        self.assertEqual(due[11:16], self.opening)
        for node in self.cluster.nodes: node.faults(delayMs=0)
        self.assertEqual(self.deep(), [cut, *by_hand])

        self.restart((left - 600) / 3600 + 24)
        resumed = wait_for("another pass", lambda: (found := self.deep()[0])["pass"] > cut["pass"] and found)
        self.assertEqual([resumed[name] for name in ("state", "clean", "whole", "resumes")], ["completed", True, True, cut["pass"]])
        self.assertTrue(everything - before <= self.read() < everything, (self.read(), before, everything))


if __name__ == "__main__": unittest.main()
