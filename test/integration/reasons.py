#!/usr/bin/env python3
"""Why a pass does what it does with a document, reason by reason (docs/deciding.md), on real processes."""
import dataclasses, json, re, time, unittest

from cluster import Cluster, ClusterTest, embedded_only, wait_for
from deciding import PATH, RECONCILER, DecidingTest
from relay import RelayedCluster


HOUR = 3600 * 1000
UNKNOWN = [("unknown", "replica")]
SWAP = "/swap-indexes"
FAILED = "something failed for the index as a whole"


def now(): return int(time.time() * 1000)
def stored(number): return "".join("!()*;?[]"[int(each)] for each in f"{number:018o}")
def with_value(copy, value): return {**copy, "value": value}
def expiring(copy, hours): return {**copy, "_miroir_expires_at": stored(now() + hours * HOUR)}
def of_no_index(request): return dataclasses.replace(request, body=request.body.replace(b"older", b"nothing"))
def done(rows): return {row["id"]: (row["action"], row["reason"], row["winner"], row["repaired"]) for row in rows}


@embedded_only
class Reasons(DecidingTest):
    maxDiff = None
    # {document: (why, who wins, what a1, b1 and c1 hold)}, made of its first version and its second, both whole, and of what a PUT
    # then made of that.
    RESTORED = {
        "lost": ("missing", "a1", lambda first, second, put: (put, None, None)),
        "old": ("highest_stamp", "b1", lambda first, second, put: (first, second, first)),
        "changed": ("checksum", "c1", lambda first, second, put: (with_value(second, "x"), with_value(second, "x"), second)),
        "missed-a-write": ("greater_base", "b1", lambda first, second, put:
                           (old := with_value(put, "one") | {"_miroir_base": first["_miroir_base"]}, put, old)),
        "outvoted": ("majority", "a1", lambda first, second, put: (put, with_value(put, "x"), put)),
        "expires": ("later_expiry", "b1", lambda first, second, put: [expiring(put, hours) for hours in (1, 3, 2)]),
        "expires-on-some": ("later_expiry", "c1", lambda first, second, put: (expiring(put, 1), expiring(put, 3), put)),
    }
    QUARANTINED = {
        "all-corrupt": ("no_good_copy", lambda first, second, put: [with_value(second, value) for value in "xyz"]),
        "corrupt-alike": ("no_good_copy", lambda first, second, put: [with_value(second, "x")] * 3),
        "corrupt-or-lost": ("no_good_copy", lambda first, second, put: (None, with_value(second, "x"), None)),
        "newest-corrupt": ("newer_untrusted", lambda first, second, put: (first, with_value(second, "x"), first)),
        "from-the-future": ("impossible_stamp", lambda first, second, put:
                            (second, second | {"_miroir_updated_at": stored((now() + HOUR) * 1000)}, None)),
    }

    def everything(self, cluster):
        """{document: what a1, b1 and c1 hold}"""
        held = [self.held(cluster, node.name) for node in cluster.nodes]
        return {id: [each.get(id) for each in held] for id in set().union(*held)}

    def versions(self, cluster, ids):
        versions = []
        for method, content in ("POST", {"value": "one"}), ("POST", {"value": "two"}), ("PUT", {"merged": True}):
            cluster.api.write(method, PATH + "?primaryKey=id", [{"id": id, **content} for id in ids])
            cluster.wait_equal()
            versions.append(self.held(cluster, "a1"))
        return {id: [version[id] for version in versions] for id in ids}

    def place(self, cluster, copies):
        for number, node in enumerate(cluster.nodes):
            texts = json.dumps({id: json.dumps(its[number]) for id, its in copies.items() if its[number]})
            gone = json.dumps([id for id, its in copies.items() if not its[number]])
            node.edit_disk("UPDATE documents SET body = (SELECT value FROM json_each(?) WHERE key = json_extract(body, '$.id')) "
                           "WHERE json_extract(body, '$.id') IN (SELECT key FROM json_each(?))", [texts, texts])
            node.edit_disk("DELETE FROM documents WHERE json_extract(body, '$.id') IN (SELECT value FROM json_each(?))", [gone])
        cluster.wait_equal()

    def test_each_reason_does_what_it_says_and_nothing_else(self):
        cluster = Cluster(groups=3, nodes=1, shards=1, ttl="{enabled: true, sweep_interval_s: 86400}")
        self.addCleanup(cluster.stop)
        versions = self.versions(cluster, [*self.RESTORED, *self.QUARANTINED, "untouched"])
        copies = {id: make(*versions[id]) for id, (*_, make) in {**self.RESTORED, **self.QUARANTINED}.items()}
        before = {"untouched": [versions["untouched"][-1]] * 3, **{id: list(its) for id, its in copies.items()}}
        self.place(cluster, copies)
        self.assertEqual(self.everything(cluster), before)

        report = cluster.miroir.run_pass("deep")
        self.assertEqual(done(cluster.miroir.repairs()),
                         {id: ("restore", reason, winner, True) for id, (reason, winner, _) in self.RESTORED.items()} |
                         {id: ("quarantine", reason, None, False) for id, (reason, _) in self.QUARANTINED.items()})
        restored, left = len(self.RESTORED), len(self.QUARANTINED)
        self.assertEqual([report[name] for name in ("mismatches", "repaired", "unresolved", "clean")], [restored + left, restored, left, False])
        names = [node.name for node in cluster.nodes]
        after = before | {id: [before[id][names.index(winner)]] * 3 for id, (_, winner, _) in self.RESTORED.items()}
        self.assertEqual(self.everything(cluster), after)
        for kind in ("light", "deep"):
            self.assertEqual(cluster.miroir.run_pass(kind)["repaired"], 0)
            self.assertEqual(self.everything(cluster), after)
        said = [("quarantined", f"{left} documents")]
        self.assertEqual(self.shard_state(cluster), ([("quarantined", "documents")], said, said))

        cluster.api.write("POST", PATH, [{"id": id, "value": "by a client"} for id in self.QUARANTINED])
        cluster.wait_equal()
        self.assertTrue(cluster.miroir.run_pass("deep")["clean"])
        for its in self.everything(cluster).values(): self.assertEqual(its, [its[0]] * 3)

    def test_copy_on_a_node_that_missed_a_write_is_no_source_for_those_that_lost_it(self):
        cluster = self.filled(4)
        b1 = cluster["b1"]
        b1.faults(failTasks=1)
        cluster.api.write("POST", PATH, [{"id": 2, "value": "second"}])
        cluster.wait_equal()
        for name in ("a1", "c1"): cluster[name].edit_disk("DELETE FROM documents WHERE json_extract(body, '$.id') = 2")
        cluster.wait_equal()
        before = self.everything(cluster)
        self.assertEqual([copy and copy["value"] for copy in before[2]], [None, "first", None])
        for kind in ("light", "deep"):
            report = cluster.miroir.run_pass(kind)
            self.assertEqual([report[name] for name in ("repaired", "unresolved", "clean")], [0, 1, False], report)
            self.assertEqual(self.everything(cluster), before)
            self.assertEqual(cluster.unequal(), [])
        self.assertEqual(done(cluster.miroir.repairs()), {"2": ("report", "no_source", None, False)})
        self.assertEqual(self.shard_state(cluster)[1], [("diverged", "1 document")])
        self.model["2"] = {"id": 2, "value": "by a client"}
        cluster.api.write("POST", PATH, [self.model["2"]])
        self.check_equal(cluster, "things", self.model)
        self.assertTrue(cluster.miroir.run_pass("deep")["clean"])


class Away(DecidingTest):
    def copies_of_deleted(self, cluster, name, deleted):
        """What that node held of documents that were deleted since."""
        old = [self.held(cluster, name)[id] for id in deleted]
        cluster.api.write("POST", PATH + "/delete-batch", deleted)
        for id in deleted: del self.model[str(id)]
        cluster.wait_equal()
        return old

    def check_healed(self, cluster):
        cluster.heal()
        self.check_equal(cluster, "things", self.model)
        self.assertEqual(self.shard_state(cluster)[1:], ([], []))

    @embedded_only
    def test_replica_that_goes_while_its_copies_are_read_is_unknown_too(self):
        cluster = self.filled(12)
        b1, c1 = cluster["b1"], cluster["c1"]
        old = self.copies_of_deleted(cluster, "c1", [0, 1])
        for kind in ("light", "deep"):
            c1.api.write("POST", PATH, old)
            b1.faults(delayMs=700)
            read = cluster.miroir.metric("miroir_antientropy_scanned_bytes_total")
            cluster.api.expect(202, "POST", RECONCILER + "start", {"kind": kind})
            wait_for("the others' documents are read", lambda: cluster.miroir.metric("miroir_antientropy_scanned_bytes_total") > read)
            b1.end()
            wait_for("the pass ends", lambda: not cluster.api.get(RECONCILER + "status")["running"])
            report = cluster.api.get(RECONCILER + "passes?limit=1")["results"][0]
            self.assertEqual([report[name] for name in ("kind", "repaired", "unresolved", "clean")], [kind, 0, 2, False], report)
            self.assertRegex(report["nodes"]["b1"], r"^unknown: node b1: .*\w")
            why = report["nodes"]["b1"].removeprefix("unknown: ")
            self.assertEqual((self.shard_state(cluster), self.metrics(cluster)), ((UNKNOWN, [("unknown", why)], [("unknown", why)]), (UNKNOWN, 2)))
            self.assertEqual([self.held(cluster, "c1")[id] for id in (0, 1)], old)
            self.assertEqual({done([row])[row["id"]] for row in cluster.miroir.repairs() if row["pass"] == report["pass"]},
                             {("report", "unknown_replica", None, False)})
            b1.start()
            self.check_healed(cluster)

    def test_while_a_replica_is_unknown_what_is_missing_comes_back_and_nothing_is_deleted(self):
        cluster = self.filled(12)
        b1, c1 = cluster["b1"], cluster["c1"]
        deleted, lost = [0, 1], [2, 3]
        old = self.copies_of_deleted(cluster, "c1", deleted)
        b1.end()
        wait_for("b1 is missed", lambda: not cluster.miroir.nodes()["b1"]["healthy"])
        c1.api.write("POST", PATH, old)
        c1.api.write("POST", PATH + "/delete-batch", lost)

        for kind, repaired in (("light", 2), ("deep", 0), ("light", 0)):
            report = cluster.miroir.run_pass(kind)
            self.assertEqual([report[name] for name in ("repaired", "unresolved", "clean")], [repaired, 2, False], report)
            self.assertRegex(report["nodes"]["b1"], r"^unknown: node b1: .*\w")
            why = report["nodes"]["b1"].removeprefix("unknown: ")
            self.assertEqual((self.shard_state(cluster), self.metrics(cluster)), ((UNKNOWN, [("unknown", why)], [("unknown", why)]), (UNKNOWN, 2)))
            held = self.held(cluster, "c1")
            self.assertEqual(set(held), set(range(12)))
            self.assertEqual([held[id] for id in deleted], old)
            self.assertEqual(set(self.held(cluster, "a1")), set(map(int, self.model)))
        rows = cluster.miroir.repairs()
        self.assertEqual(done(rows), {str(id): ("report", "unknown_replica", None, False) for id in deleted} |
                         {str(id): ("restore", "missing", "a1", True) for id in lost})
        for row in rows:
            self.assertEqual({copy["node"]: copy["presence"] for copy in row["copies"]},
                             {"a1": "absent", "b1": "unknown", "c1": "present"} if row["reason"] == "unknown_replica" else
                             {"a1": "present", "b1": "unknown", "c1": "absent"})
        for id in deleted: self.assertEqual(cluster.api.call("GET", f"{PATH}/{id}")[0], 404)

        b1.start()
        self.check_healed(cluster)
        last = done(reversed(cluster.miroir.repairs()))
        self.assertEqual([last[str(id)] for id in deleted], [("delete", "deleted", None, True)] * 2)


class BehindMiroirsBack(DecidingTest):
    def test_what_is_from_before_a_delete_all_or_another_life_of_the_index_does_not_come_back(self):
        with Cluster(nodes=1, shards=4) as cluster:
            reasons = {"emptied": "cleared", "reborn": "before_birth"}
            path = lambda index: f"/indexes/{index}/documents"
            for index in reasons:
                cluster.api.write("POST", "/indexes", {"uid": index, "primaryKey": "id"})
                cluster.api.write("POST", path(index), [{"id": n, "value": "first"} for n in range(10)])
            cluster.wait_equal()
            b1 = cluster["b1"]
            old = {index: b1.documents(index) for index in reasons}
            cluster.api.write("DELETE", path("emptied"))
            cluster.api.write("DELETE", "/indexes/reborn")
            cluster.api.write("POST", "/indexes", {"uid": "reborn", "primaryKey": "id"})
            again = [{"id": n, "value": "again"} for n in (8, 9, 10)]
            for index in reasons: cluster.api.write("POST", path(index), again)
            cluster.wait_equal()
            for index in reasons:
                b1.api.write("POST", path(index), old[index])
                self.assertEqual(len(b1.documents(index)), 11)
            cluster.heal()
            rows = {(row["index"], int(row["id"])): (row["action"], row["reason"], row["repaired"]) for row in cluster.miroir.repairs() if row["id"]}
            self.assertEqual(rows, {(index, n): ("delete", reason, True) if n < 8 else ("restore", "highest_stamp", True)
                                    for index, reason in reasons.items() for n in range(10)})
            for index in reasons: self.check_equal(cluster, index, {str(each["id"]): each for each in again})

    def test_what_a_node_holds_of_another_index_since_a_swap_failed_there_wins_nothing(self):
        with Cluster(groups=3, nodes=1, shards=1) as cluster:
            path = lambda index: f"/indexes/{index}/documents"
            older = {str(n): {"id": n, "value": "older"} for n in range(4)}
            newer = {str(n): {"id": n, "value": "newer"} for n in range(2, 6)}
            cluster.api.write("POST", path("older") + "?primaryKey=id", list(older.values()))
            cluster.api.write("POST", path("things") + "?primaryKey=id", list(newer.values()))
            cluster.wait_equal()
            cluster["b1"].api.write("DELETE", "/indexes/older")
            cluster.api.write("POST", SWAP, [{"indexes": ["older", "things"]}])
            cluster.api.expect(200, "POST", RECONCILER + "start", {"kind": "light", "auto_repair": False, "wait": True})
            states, left = self.metrics(cluster)
            self.assertEqual((sorted(states), left), ([("repair_pending", "repairs_off"), ("unknown", "replica")], 6))
            status = cluster.miroir.status()
            self.assertRegex(status, r"(?m)^older +0 +unknown +node b1: index `older` is missing$")
            self.assertRegex(status, r"(?m)^things +0 +repair_pending +repairs are off: 6 documents$")
            self.assertRegex(status, rf"(?m)^things +all +problem +node b1: {FAILED}, and it has yet to be found equal to its peers$")
            cluster.heal()
            self.check_equal(cluster, "things", older)
            self.check_equal(cluster, "older", newer)
            restored = {str(n): ("restore", "missing" if n < 2 else "in_doubt", "a1", True) for n in range(4)}
            rows = [row for row in cluster.miroir.repairs() if row["index"] == "things" and row["id"]]
            self.assertEqual(done(row for row in rows if row["outcome"] != "reported only: repairs are off"),
                             restored | {str(n): ("delete", "absent_on_peers", None, True) for n in (4, 5)})

    def test_index_of_which_a_swap_failed_where_there_is_no_peer_stays_in_doubt(self):
        with RelayedCluster(groups=1, nodes=2, shards=2) as cluster:
            for index in "older", "things":
                cluster.api.write("POST", f"/indexes/{index}/documents?primaryKey=id", [{"id": n, "value": index} for n in range(10)])
            cluster.wait_equal()
            cluster.between = lambda request, send: send(of_no_index(request) if request.node.name == "a1" and request.path == SWAP else request)
            task = cluster.api.expect(202, "POST", SWAP, [{"indexes": ["older", "things"]}])["taskUid"]
            self.assertEqual(cluster.api.ended(task)["status"], "failed")
            before = self.everything(cluster)
            self.assertEqual([{each["value"] for each in held.values()} for held in before.values()], [{"things"}, {"older"}])
            both = [("in_sync", "equal"), ("unknown", "in_doubt")]
            why = f"node a1: {FAILED}, and not every shard has a replica in sync, and without such a failure, to compare it with"
            for kind in ("light", "deep"):
                report = cluster.miroir.run_pass(kind)
                self.assertEqual([report[name] for name in ("mismatches", "clean")], [0, False], report)
                self.assertEqual(self.everything(cluster), before)
                for index in cluster.api.get(RECONCILER + "status")["indexes"]:
                    self.assertEqual(sorted((each["state"], each["reason"]) for each in index["states"]), both)
                self.assertEqual((sorted(self.metrics(cluster)[0]), self.metrics(cluster)[1]), (sorted(2 * both), 0))
                self.assertEqual(re.findall(r"^(older|things) +\d +(\w+) +(.*\S)", cluster.miroir.status(), re.MULTILINE),
                                 [(index, "unknown", why) for index in ("older", "things")])

    def test_document_and_key_of_a_stranger_are_left_where_they_are(self):
        with Cluster(nodes=1, shards=1) as cluster:
            model = {str(n): {"id": n, "value": "ours"} for n in range(6)}
            cluster.api.write("POST", PATH + "?primaryKey=id", list(model.values()))
            cluster.wait_equal()
            b1, theirs = cluster["b1"], {"id": "theirs", "value": "a stranger's"}
            b1.api.write("POST", PATH, [theirs, {"id": 3, "value": "a stranger's"}])
            key = b1.api.expect(201, "POST", "/keys", {"actions": ["*"], "indexes": ["*"], "expiresAt": None})
            for kind in ("light", "deep", "light"):
                report = cluster.miroir.run_pass(kind)
                self.assertEqual([report[name] for name in ("unresolved", "clean")], [1, False], report)
                self.assertEqual(cluster.wrong("things", model), ["theirs on b1 was deleted, or never written", "theirs on b1 has no slot"])
                self.assertEqual(self.held(cluster, "b1")["theirs"], theirs)
                self.assertEqual({node["id"]: node["state"] for node in cluster.unequal()}, {"b1": "stale"})
                said = [("diverged", "1 document")]
                self.assertEqual(self.shard_state(cluster), ([("diverged", "documents")], said, said))
            rows = cluster.miroir.repairs()
            self.assertEqual({row["id"]: (row["action"], row["reason"], row["repaired"]) for row in rows},
                             {"theirs": ("report", "foreign", False), "3": ("restore", "highest_stamp", True)})
            self.assertEqual(len(rows), 2, "what stays as it is has one row")
            self.assertRegex(cluster.miroir.status(), "theirs.*foreign")
            self.assertEqual(cluster.api.call("GET", PATH + "/theirs")[0], 404)
            self.assertEqual(cluster.api.expect(200, "POST", "/indexes/things/search", {"q": "stranger"})["hits"], [])

            # Nobody else takes the key, and nobody takes it away: every node has some of its own.
            self.assertEqual(b1.api.get("/keys/" + key["uid"])["key"], key["key"])
            self.assertEqual(cluster["a1"].api.call("GET", "/keys/" + key["uid"])[0], 404)
            self.assert_error(cluster.api.call("GET", PATH, headers={"Authorization": "Bearer " + key["key"]}), 403, "invalid_api_key")

            model["theirs"] = {"id": "theirs", "value": "a client's"}
            cluster.api.write("POST", PATH, [model["theirs"]])
            cluster.heal()
            self.check_equal(cluster, "things", model)


if __name__ == "__main__": unittest.main()
