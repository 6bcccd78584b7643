#!/usr/bin/env python3
"""Miroir is killed in the midst of its passes: the next process goes on where they were, and does nothing twice."""
import unittest

from cluster import Cluster, ClusterTest, embedded_only, wait_for

PATH = "/indexes/things/documents"
RECONCILER = "/_miroir/anti-entropy/"
SENT = "being sent, and not read again yet"


class CutOff(ClusterTest):
    KINDS = ("deleted", "stale", "put back", "changed")  # the last is seen by content only
    OF_A_KIND = 100
    SLOW = 40  # milliseconds that each answer of a node is late

    def setUp(self):
        self.cluster = Cluster(groups=3, nodes=1, shards=32)  # eight are read at a time
        self.addCleanup(self.cluster.stop)
        self.damaged = [self.cluster["b1"], self.cluster["c1"]]
        self.model = {str(n): {"id": n, "value": "first"} for n in range(1500)}
        self.api.write("POST", PATH + "?primaryKey=id", list(self.model.values()))
        self.cluster.wait_equal()

    @property
    def api(self): return self.cluster.api

    def damage(self):
        """On one of two nodes each. {kind: ids}; the third knows what is right."""
        ids = {kind: list(range(n * self.OF_A_KIND, (n + 1) * self.OF_A_KIND)) for n, kind in enumerate(self.KINDS)}
        old = {node.name: {each["id"]: each for each in node.documents("things")} for node in self.damaged}
        for id in ids["stale"]: self.model[str(id)] = {"id": id, "value": "second"}
        for id in ids["put back"]: del self.model[str(id)]
        self.api.write("POST", PATH, [self.model[str(id)] for id in ids["stale"]])
        self.api.write("POST", PATH + "/delete-batch", ids["put back"])
        self.cluster.wait_equal()
        self.assertTrue(self.cluster.miroir.run_pass("deep")["clean"])
        for n, node in enumerate(self.damaged):
            here = {kind: ids[kind][n::2] for kind in ids}
            node.api.write("POST", PATH + "/delete-batch", here["deleted"])
            node.api.write("POST", PATH, [old[node.name][id] for id in here["stale"] + here["put back"]]
                           + [{**old[node.name][id], "value": "changed"} for id in here["changed"]])
        self.all = {str(id) for kind in ids for id in ids[kind]}
        self.newest_task = {node.name: node.api.get("/tasks?limit=1")["results"][0]["uid"] for node in self.damaged}
        self.assertEqual(self.wrong(), self.all)

    def wrong(self):
        """Ids of the documents that are not right on all nodes, once these have done all that they were sent."""
        for node in self.cluster.nodes:
            wait_for("the node is idle", lambda: not node.api.get("/tasks?statuses=enqueued,processing")["results"])
        found = set()
        for node in self.cluster.nodes:
            held = {str(document["id"]): document for document in node.documents("things")}
            for id in self.model.keys() | held.keys():
                plain = {k: v for k, v in held.get(id, {}).items() if not k.startswith("_miroir_")}
                if plain != self.model.get(id, {}): found.add(id)
        return found

    def rows(self, of=None):
        rows = self.api.get(RECONCILER + "repairs?limit=1000000" + (f"&pass={of}" if of else ""))["results"]
        return [row for row in rows if row["id"]]

    def running(self):
        """The number of the pass that runs."""
        return (self.api.get(RECONCILER + "status")["running"] or {}).get("pass")

    def set_faults(self, **what):
        for node in self.cluster.nodes: node.faults(**what)

    def kill_when(self, what, condition, full_next=False):
        """Kills Miroir as soon as its pass has come that far, and starts it again, before full disks. The pass, and what was wrong in between."""
        number = wait_for("a pass runs", self.running)
        wait_for(what, lambda: condition(number))
        self.cluster.miroir.end()
        self.set_faults(delayMs=0, diskFull=False)
        wrong = self.wrong()
        self.set_faults(delayMs=self.SLOW, diskFull=full_next)
        self.cluster.miroir.start()
        return number, wrong

    @embedded_only
    def test_pass_that_a_crash_cuts_off_goes_on_and_nothing_is_repaired_twice(self):
        self.damage()
        self.set_faults(delayMs=self.SLOW)
        outstanding = lambda number: [row for row in self.rows(number) if row["outcome"] == SENT]
        repaired = lambda number: [row for row in self.rows(number) if row["repaired"]]
        begun = lambda number: [each for each in self.api.get(RECONCILER + "passes?limit=1")["results"] if each["pass"] == number]
        moments = [("it has begun", begun),
                   ("it reads", lambda _: self.cluster.miroir.metric("miroir_antientropy_scanned_bytes_total") > 0, True),
                   ("repairs are outstanding, and no node takes them", outstanding),
                   ("repairs of what was found by content are on their way", outstanding),
                   ("some shards are done, and repairs of others are on their way", lambda number: repaired(number) and outstanding(number))]
        self.api.expect(202, "POST", RECONCILER + "start", {"kind": "deep"})
        killed = [self.kill_when(*moment) for moment in moments]
        self.set_faults(delayMs=0)
        wait_for("nobody is told to begin, and it ends", lambda: not self.cluster.unequal() and not self.running(), 60)
        last, *cut_off, first = self.api.get(RECONCILER + "passes?limit=100")["results"]
        self.assertEqual((last["state"], last["resumes"], last["whole"], last["unresolved"]), ("completed", killed[-1][0], True, 0), last)
        self.assertGreater(last["repaired"], 0)
        self.assertEqual([(each["pass"], each["state"]) for each in reversed(cut_off)], [(number, "cut_off") for number, _ in killed])
        self.assertEqual(self.wrong(), set())
        self.check_equal(self.cluster, "things", self.model)

        # Each has its row, which says what was true.
        rows = self.rows()
        self.assertEqual({row["id"] for row in rows}, self.all)
        self.assertEqual({row["outcome"] == SENT for row in rows if not row["repaired"]}, {True})
        refused, still_wrong = killed[2]
        self.assertEqual({row["id"] for row in self.rows(refused)}, {str(id) for id in range(3 * self.OF_A_KIND)})
        self.assertEqual(still_wrong, self.all)
        wrong_before = self.all
        for number, wrong in killed:
            its = [row for row in rows if row["pass"] == number]
            self.assertEqual({row["id"] for row in its if row["repaired"]} & wrong, set(), "said to be repaired, and it was not")
            self.assertLessEqual(wrong_before - wrong, {row["id"] for row in rows if row["pass"] <= number}, "repaired, and no row says so")
            self.assertLessEqual({row["id"] for row in its}, wrong_before)
            wrong_before = wrong

        # Nothing was sent twice; a row may be, where the crash came before the sending.
        repaired = [row["id"] for row in rows if row["repaired"]]
        self.assertEqual(len(repaired), len(set(repaired)))
        changed = 0
        for node in self.damaged:
            for task in node.api.get("/tasks?limit=1000")["results"]:
                if task["uid"] > self.newest_task[node.name]:
                    changed += task["details"].get("receivedDocuments") or task["details"].get("deletedDocuments")
        self.assertEqual(changed, len(self.all))
        report = self.cluster.miroir.run_pass("deep")
        self.assertEqual((report["clean"], report["mismatches"]), (True, 0), report)

    @embedded_only
    def test_settings_that_were_being_healed_have_their_row(self):
        self.cluster.miroir.run_pass("light")  # learns how they are read back
        damaged = self.damaged[0]
        damaged.api.write("PUT", "/indexes/things/settings/stop-words", ["the"])
        self.set_faults(diskFull=True)
        self.api.expect(202, "POST", RECONCILER + "start", {"kind": "light"})
        rows = lambda: self.api.get(RECONCILER + "repairs")["results"]
        wait_for("it is outstanding, and the node does not take it", rows)
        self.cluster.miroir.end()
        self.set_faults(diskFull=False)
        self.cluster.miroir.start()
        wait_for("it is healed", lambda: damaged.api.get("/indexes/things/settings/stop-words") == [])
        row = rows()[-1]
        self.assertEqual((row["node"], row["reason"], row["held"], row["outcome"]),
                         (damaged.name, "settings", {"stopWords": ["the"]}, SENT), row)


if __name__ == "__main__": unittest.main()
