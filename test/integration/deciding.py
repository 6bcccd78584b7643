#!/usr/bin/env python3
"""Copies of which nothing tells who is right, and writes that one node alone did not carry out, on real processes."""
import json, re, unittest

from cluster import Cluster, ClusterTest, embedded_only, stored_number, wait_for

PATH = "/indexes/things/documents"
RECONCILER = "/_miroir/anti-entropy/"
QUARANTINED = ([("quarantined", "documents")], [("quarantined", "2 documents")], [("quarantined", "2 documents")])


class DecidingTest(ClusterTest):
    def filled(self, documents, **anti_entropy):
        """Three replicas of one shard. What was merged last has a checksum that no longer counts."""
        settings = {"light_interval": "1h", **anti_entropy}
        cluster = Cluster(groups=3, nodes=1, shards=1, anti_entropy="{" + ", ".join(f"{k}: {v}" for k, v in settings.items()) + "}")
        self.addCleanup(cluster.stop)
        cluster.api.write("POST", PATH + "?primaryKey=id", [{"id": n, "value": "first"} for n in range(documents)])
        cluster.api.write("PUT", PATH, [{"id": n, "merged": True} for n in range(documents)])
        self.model = {str(n): {"id": n, "value": "first", "merged": True} for n in range(documents)}
        self.check_equal(cluster, "things", self.model)
        return cluster

    def contradict(self, cluster, ids):
        """Of these every node holds another content, with the same stamp and base."""
        for name in ("b1", "c1"): self.replace_on_disk(cluster[name], ids, "first", f"changed on {name}")
        cluster.wait_equal()
        for id in ids:
            copies = [self.held(cluster, node.name)[id] for node in cluster.nodes]
            self.assertEqual(len({copy["value"] for copy in copies}), 3, copies)
            for field in ("_miroir_updated_at", "_miroir_base"): self.assertEqual(len({copy[field] for copy in copies}), 1, copies)
            self.assertLess(stored_number(copies[0]["_miroir_base"]), stored_number(copies[0]["_miroir_updated_at"]))

    def replace_on_disk(self, node, ids, old, new):
        node.edit_disk(f"UPDATE documents SET body = replace(body, ?, ?) WHERE json_extract(body, '$.id') IN ({str(ids)[1:-1]})", [old, new])

    def held(self, cluster, name): return {document["id"]: document for document in cluster[name].documents("things")}
    def everything(self, cluster): return {node.name: self.held(cluster, node.name) for node in cluster.nodes}

    def shard_state(self, cluster):
        """What an operator is told of the one shard: by the status, the divergence and `miroir status`."""
        (index,) = cluster.api.get(RECONCILER + "status")["indexes"]
        shards = [shard for index in cluster.api.get(RECONCILER + "divergence")["indexes"] for shard in index["shards"]]
        return ([(each["state"], each["reason"]) for each in index["states"]], [(each["state"], each["why"]) for each in shards],
                re.findall(r"^things +0 +(\w+) +(.*\S)", cluster.miroir.status(), re.MULTILINE))

    def metrics(self, cluster):
        """States and reasons of shards by the metrics, and how many documents are left."""
        labels = re.findall(r"^miroir_antientropy_shard_state\{(.*)\} 1$", cluster.api.get("/_miroir/metrics"), re.MULTILINE)
        states = [tuple(re.search(rf'{label}="(\w+)"', each).group(1) for label in ("state", "reason")) for each in labels]
        return states, cluster.miroir.metric("miroir_antientropy_unresolved_documents")


@embedded_only
class Filters(DecidingTest):
    def test_delete_by_filter_deletes_the_same_documents_where_a_replica_matches_others(self):
        with Cluster(groups=3, nodes=1, shards=1) as cluster:
            cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
            cluster.api.write("PATCH", "/indexes/things/settings", {"filterableAttributes": ["value"]})
            model = {str(n): {"id": n, "value": "first" if n < 20 else "second"} for n in range(30)}
            cluster.api.write("POST", PATH, list(model.values()))
            cluster.wait_equal()
            self.replace_on_disk(cluster["b1"], [0, 1, 2], "first", "second")
            self.replace_on_disk(cluster["b1"], [20, 21], "second", "first")
            self.replace_on_disk(cluster["c1"], [3, 4], "first", "second")
            cluster.wait_equal()
            matching = [{str(each["id"]) for each in self.held(cluster, node.name).values() if each["value"] == "first"} for node in cluster.nodes]
            self.assertEqual([len(each) for each in matching], [20, 19, 18])
            cluster.api.write("POST", PATH + "/delete", {"filter": "value = first"})
            cluster.wait_equal()
            left = [{str(id) for id in self.held(cluster, node.name)} for node in cluster.nodes]
            self.assertEqual(left, [left[0]] * 3)
            self.assertIn(set(model) - left[0], matching)
            self.assertEqual(cluster.miroir.run_pass("deep")["unresolved"], 0)
            self.check_equal(cluster, "things", {id: model[id] for id in left[0]})


@embedded_only
class Quarantine(DecidingTest):
    def test_document_that_is_lost_again_and_again_is_left_until_a_client_writes_it(self):
        with Cluster(nodes=1, shards=1) as cluster:
            model = {str(n): {"id": n, "value": "first"} for n in range(6)}
            cluster.api.write("POST", PATH + "?primaryKey=id", list(model.values()))
            cluster.wait_equal()
            node = cluster["b1"]

            def lose(*ids):
                node.edit_disk(f"DELETE FROM documents WHERE json_extract(body, '$.id') IN ({', '.join(map(str, ids))})")
                cluster.wait_equal()
                return cluster.miroir.run_pass("light")

            for _ in range(3): self.assertEqual(lose(3)["repaired"], 1)
            report = lose(3, 4)
            self.assertEqual((report["repaired"], report["unresolved"], report["clean"]), (1, 1, False))
            cluster.miroir.end()
            cluster.miroir.start()
            wait_for("the passes are known", lambda: cluster.api.get(RECONCILER + "status")["indexes"])
            cluster.wait_equal()
            self.assertEqual(cluster.miroir.run_pass("deep")["unresolved"], 1)
            self.assertEqual([(each["index"], each["id"]) for each in cluster.api.get(RECONCILER + "divergence")["quarantined"]], [("things", "3")])
            self.assertRegex(cluster.miroir.status(), "quarantined +1 document")
            self.assertEqual(set(self.held(cluster, "b1")), {0, 1, 2, 4, 5})

            model["3"] = {"id": 3, "value": "by a client"}
            cluster.api.write("POST", PATH, [model["3"]])
            self.check_equal(cluster, "things", model)
            self.assertTrue(cluster.miroir.run_pass("deep")["clean"])
            self.assertEqual(cluster.api.get(RECONCILER + "divergence")["quarantined"], [])


@embedded_only
class Ties(DecidingTest):
    def test_document_of_which_nothing_tells_who_is_right_is_quarantined_until_a_client_writes_it(self):
        cluster = self.filled(20)
        all_differ, one_lacks_it = 0, 1
        self.contradict(cluster, [all_differ, one_lacks_it])
        before = self.everything(cluster)
        report = cluster.miroir.run_pass("deep")
        self.assertEqual((report["mismatches"], report["repaired"], report["unresolved"], report["clean"]), (2, 0, 2, False))
        self.assertEqual(self.everything(cluster), before)
        self.assertEqual((self.shard_state(cluster), self.metrics(cluster)), (QUARANTINED, ([("quarantined", "documents")], 2)))
        rows = {row["id"]: row for row in cluster.miroir.repairs()}
        self.assertEqual({id: (row["action"], row["reason"], row["winner"], row["repaired"]) for id, row in rows.items()},
                         {str(id): ("quarantine", "tie", None, False) for id in (all_differ, one_lacks_it)})
        self.assertEqual([copy["inSync"] for row in rows.values() for copy in row["copies"]], [True] * 6)

        # What is missing of the shard comes back, but for a copy of which nobody knows what it was.
        lost = [one_lacks_it, 5, 6]
        cluster["c1"].api.write("POST", PATH + "/delete-batch", lost)
        del before["c1"][one_lacks_it]
        report = cluster.miroir.run_pass("light")
        self.assertEqual((report["repaired"], report["unresolved"]), (2, 2))
        self.assertEqual(self.everything(cluster), before)

        cluster.miroir.end()
        cluster.miroir.start()
        wait_for("the passes are known", lambda: cluster.api.get(RECONCILER + "status")["indexes"])
        self.assertEqual(self.shard_state(cluster), QUARANTINED)
        cluster.miroir.run_pass("deep")
        self.assertEqual(self.everything(cluster), before)
        self.assertEqual((self.shard_state(cluster), self.metrics(cluster)), (QUARANTINED, ([("quarantined", "documents")], 2)))
        self.assertEqual({node["id"]: node["state"] for node in cluster.unequal()}, {"c1": "stale"})

        self.model |= {str(id): {"id": id, "value": "by a client"} for id in (all_differ, one_lacks_it)}
        cluster.api.write("POST", PATH, [self.model["0"], self.model["1"]])
        report = cluster.miroir.run_pass("deep")
        self.assertEqual((report["mismatches"], report["unresolved"]), (0, 0), report)
        self.check_equal(cluster, "things", self.model)
        self.assertTrue(cluster.miroir.run_pass("deep")["clean"])
        self.assertEqual((self.shard_state(cluster), self.metrics(cluster)), (([("in_sync", "equal")], [], []), ([("in_sync", "equal")], 0)))

    def test_greater_hash_wins_where_it_is_told_to_and_the_losers_stay_in_the_audit(self):
        cluster = self.filled(20, tie="hash")
        tied = list(range(9))
        self.contradict(cluster, tied)
        before = self.everything(cluster)
        report = cluster.miroir.run_pass("deep")
        self.assertEqual((report["mismatches"], report["repaired"], report["unresolved"]), (9, 9, 0))
        self.check_greater_hash_won(cluster, report["pass"], tied, before)

    def test_more_ties_than_the_breaker_lets_through_wait_for_a_person(self):
        cluster = self.filled(300, tie="hash")
        tied = list(range(101))
        self.contradict(cluster, tied)
        before = self.everything(cluster)
        report = cluster.miroir.run_pass("deep")
        self.assertEqual((report["mismatches"], report["repaired"], report["unresolved"], report["clean"]), (101, 0, 101, False))
        self.assertEqual(self.everything(cluster), before)
        waiting = [("repair_pending", "breaker: 101 documents")]
        self.assertEqual((self.shard_state(cluster), self.metrics(cluster)),
                         (([("repair_pending", "breaker")], waiting, waiting), ([("repair_pending", "breaker")], 101)))
        self.assertEqual({(row["reason"], row["repaired"]) for row in cluster.miroir.repairs()}, {("tie_hash", False)})

        agreed = cluster.api.expect(202, "POST", RECONCILER + "approve", {"pass": report["pass"]})
        self.assertEqual(agreed["approved"], 101)
        wait_for("they are equal", lambda: self.shard_state(cluster) == ([("in_sync", "repaired")], [], []))
        self.check_greater_hash_won(cluster, agreed["pass"], tied, before)

    def check_greater_hash_won(self, cluster, number, tied, before):
        """In that pass, of these; what the others were is in the audit."""
        rows = {int(row["id"]): row for row in cluster.miroir.repairs() if row["pass"] == number}
        self.assertEqual(set(rows), set(tied))
        after = self.everything(cluster)
        for id, row in rows.items():
            self.assertEqual((row["action"], row["reason"], row["repaired"]), ("restore", "tie_hash", True))
            copies = {copy["node"]: copy for copy in row["copies"]}
            self.assertEqual(row["winner"], max(copies, key=lambda node: copies[node]["content"]))
            bodies = {node: json.loads(copy["document"]) for node, copy in copies.items() if "document" in copy}
            for body in bodies.values(): body.pop("_vectors", None)
            self.assertEqual(bodies, {node: held[id] for node, held in before.items() if node != row["winner"]})
            for held in after.values(): self.assertEqual(held[id], before[row["winner"]][id])
            self.model[str(id)] |= {"value": before[row["winner"]][id]["value"]}
        self.assertGreater(len({row["winner"] for row in rows.values()}), 1, "it was the node that told, not the hash")
        self.check_equal(cluster, "things", self.model)
        self.assertTrue(cluster.miroir.run_pass("deep")["clean"])


class Canceled(DecidingTest):
    BUSY = 6000  # documents of a write during whose task those after it wait
    ROUND = 40
    REASONS = {"merge": "highest_stamp", "replace": "highest_stamp", "delete": "deleted", "create": "highest_stamp"}

    def kind(self, id): return list(self.REASONS)[id % 4]

    def write(self, cluster, ids):
        """A request for each document, of four kinds, and what they make of the model. {position: id}"""
        sent = {}
        for id in ids:
            method, path, body = {"merge": ("PUT", PATH, [{"id": id, "second": id}]), "replace": ("POST", PATH, [{"id": id, "value": "second"}]),
                                  "delete": ("DELETE", f"{PATH}/{id}", None), "create": ("POST", PATH, [{"id": id, "new": True}])}[self.kind(id)]
            sent[cluster.api.expect(202, method, path, body)["taskUid"]] = id
            if method == "DELETE": del self.model[str(id)]
            else: self.model[str(id)] = {**(self.model[str(id)] if method == "PUT" else {}), **body[0]}
        return sent

    def cancel(self, cluster, node, ids):
        """Cancels on that node what waits behind a long task: of which documents, and what was written by all."""
        long = [{"id": f"long-{n}", "text": " ".join(f"w{m}" for m in range(300))} for n in range(self.BUSY)]
        self.model |= {each["id"]: each for each in long}
        position = cluster.api.expect(202, "POST", PATH, long)["taskUid"]
        sent = self.write(cluster, ids)
        waiting = lambda: self.tasks(node, "succeeded", {position}) or len(self.tasks(node, "enqueued", sent)) >= self.ROUND // 2
        wait_for("tasks wait on the node", waiting)
        uids = sorted(self.tasks(node, "enqueued", sent).values())
        if uids: node.api.ended(node.api.expect(200, "POST", "/tasks/cancel?uids=" + ",".join(map(str, uids)))["taskUid"])
        return {sent[each] for each in self.tasks(node, "canceled", sent)}, [position, *sent]

    def tasks(self, node, status, positions):
        """{position: uid} of those that have that status on that node. They differ, once a stranger's task took a number."""
        tasks = node.api.get(f"/tasks?statuses={status}&limit=1000")["results"]
        found = {int(each["customMetadata"].split(":")[1]): each["uid"] for each in tasks if each.get("customMetadata")}
        return {position: found[position] for position in positions if position in found}

    def test_what_was_canceled_on_one_node_is_repaired_from_its_peers(self):
        cluster = self.filled(1000)
        cluster.api.write("POST", PATH + "/delete-batch", [id for id in range(1000) if self.kind(id) == "create"])
        self.model = {id: each for id, each in self.model.items() if self.kind(int(id)) != "create"}
        node, rounds = cluster["b1"], (range(first, first + self.ROUND) for first in range(0, 1000, self.ROUND))
        canceled, positions = set(), []
        while len({self.kind(id) for id in canceled}) < len(self.REASONS):  # the machine may be quick, or slow
            ids, written = self.cancel(cluster, node, next(rounds))
            canceled, positions = canceled | ids, positions + written
        self.assertEqual({cluster.api.ended(position)["status"] for position in positions}, {"succeeded"})

        # What is merged now lands there on what the others do not have, or on nothing: with the stamp of the others.
        merged = [{"id": id, "third": id} for id in sorted(canceled) if str(id) in self.model]
        for each in merged: self.model[str(each["id"])] |= each
        cluster.api.write("PUT", PATH, merged)
        wait_for("the node has done all", lambda: not cluster.miroir.nodes()["b1"]["lag"])
        before, right = self.held(cluster, "b1"), self.held(cluster, "a1")
        self.assertEqual({sentence.split(" on ")[0] for sentence in cluster.wrong("things", self.model)}, {str(id) for id in canceled})
        for each in merged: self.assertEqual(before[each["id"]]["_miroir_updated_at"], right[each["id"]]["_miroir_updated_at"])
        self.assertEqual(cluster.miroir.repairs(), [])

        report = cluster.miroir.run_pass("light")
        self.assertEqual((report["mismatches"], report["repaired"], report["unresolved"]), (len(canceled), len(canceled), 0))
        rows = {int(row["id"]): row for row in cluster.miroir.repairs()}
        self.assertEqual((set(rows), len(cluster.miroir.repairs())), (canceled, len(canceled)))
        for id, row in rows.items():
            copies = {copy["node"]: copy for copy in row["copies"]}
            self.assertEqual((row["reason"], row["repaired"]), (self.REASONS[self.kind(id)], True), row)
            self.assertEqual([name for name, copy in copies.items() if copy.get("tainted")], ["b1"])
            if self.kind(id) != "delete":
                lost = json.loads(copies["b1"]["document"])
                self.assertEqual({key: lost[key] for key in before[id]}, before[id])
        self.check_equal(cluster, "things", self.model)
        report = cluster.miroir.run_pass("deep")
        self.assertEqual((report["clean"], report["mismatches"]), (True, 0), report)


if __name__ == "__main__": unittest.main()
