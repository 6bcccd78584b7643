#!/usr/bin/env python3
"""Miroir comes back with a wall clock that is hours off, in the one direction and the other; the nodes' are right."""
import os, subprocess, tempfile, time, unittest
from datetime import datetime, timedelta, timezone

from cluster import SANITIZED, Cluster, ClusterTest, stored_number, wait_for

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
        self.cluster = Cluster(groups=3, nodes=1, shards=4, ttl="{enabled: true, sweep_interval_s: 1}",
                               anti_entropy='{light_interval: 1h, schedule: "every 1s"}', **self.blocks)
        self.addCleanup(self.cluster.stop)
        self.model, self.stamps = {}, []
        self.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})

    @property
    def api(self): return self.cluster.api

    def restart(self, hours):
        miroir = self.cluster.miroir
        miroir.end()
        clock = ["env", f"LD_PRELOAD={self.library}", f"SKEWED_CLOCK_SECONDS={hours * 3600}"]
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


class Horizon(ClockTest):
    blocks = {"log": "{retention: {age: 1s}, tasks_kept: 1}"}

    def test_what_was_deleted_and_forgotten_does_not_come_back_with_an_old_disk(self):
        self.write("POST", {"id": "deleted"}, {"id": "replaced", "by": "one"})
        node = self.cluster["b1"]
        node.keep_disk()
        self.cluster.wait_equal()
        self.delete("deleted")
        self.write("POST", {"id": "replaced", "by": "another"})
        self.scheduled_pass()
        self.assertEqual(self.cluster.miroir.metric("miroir_tombstones"), 1)
        self.restart(2)
        wait_for("the delete is forgotten", lambda: self.cluster.miroir.metric("miroir_tombstones") == 0)
        wait_for("the log keeps none of it", lambda: self.cluster.miroir.metric("miroir_log_bytes") == 0)

        node.put_disk_back()
        wait_for("it is healed", lambda: not self.cluster.wrong("things", self.model) and not self.cluster.unequal(), 60)
        self.assertTrue(self.scheduled_pass()["clean"])
        rows = {row["id"]: (row["action"], row["reason"], row["repaired"]) for row in self.cluster.miroir.repairs() if row["id"]}
        self.assertEqual(rows, {"deleted": ("delete", "absent_on_peers", True), "replaced": ("restore", "highest_stamp", True)})


if __name__ == "__main__": unittest.main()
