#!/usr/bin/env python3
"""Nodes that fail tasks, lose answers and connections, answer late, are sent requests twice, or come back empty, under writes."""
import http.client, random, shutil, unittest

from cluster import MEILISEARCH, Cluster, ClusterTest, embedded_only, wait_for
from relay import RelayedCluster

PATH = "/indexes/things/documents"
SWAP = [{"indexes": ["things", "others"]}]
FAULTS = ({"failTasks": 1}, {"dropAnswers": 2}, {"cutConnections": 2}, {"delayMs": 150}, {"delayMs": 0})


class TwiceCluster(RelayedCluster):
    """Some writes come to their node twice. Miroir is told the one answer or the other; or the second comes late, after other writes."""
    NEVER, FIRST, SECOND, LATE = range(4)

    def __init__(self):
        self.random, self.of_node = random.Random(20261130), {}
        super().__init__()

    def between(self, request, send):
        if "TaskId" not in request.headers or "DryRun" in request.headers: return send(request)
        late, answers = self.of_node.setdefault(request.node.name, ([], []))  # a lane sends one at a time
        how = self.random.choice((self.NEVER, self.FIRST, self.SECOND, self.LATE))
        first = send(request)
        if how == self.NEVER and late: answers.append(send(late.pop(0)))
        if how == self.LATE: late.append(request)
        if how not in (self.FIRST, self.SECOND): return first
        answers.append(send(request))
        return answers[-1] if how == self.SECOND else first


class KeepingCluster(RelayedCluster):
    """Keeps what the nodes are sent."""

    def __init__(self, **what):
        self.kept = []
        super().__init__(**what)

    def between(self, request, send):
        self.kept.append(request)
        return send(request)


class Faulty(ClusterTest):
    def setUp(self):
        self.random = random.Random(20261129)
        self.model = {}

    def write(self, cluster, mark):
        """One request that replaces, merges into or deletes a few documents; its task, not waited for."""
        numbers = self.random.sample(range(60), 4)
        act = self.random.choice(("POST", "PUT", "DELETE"))
        if act == "DELETE":
            for n in numbers: self.model.pop(str(n), None)
            return cluster.api.expect(202, "POST", PATH + "/delete-batch", numbers)["taskUid"]
        documents = [{"id": n, mark: mark, "value": mark} for n in numbers]
        for each in documents:
            before = self.model.get(str(each["id"]), {}) if act == "PUT" else {}
            self.model[str(each["id"])] = {**before, **each}
        return cluster.api.expect(202, act, PATH, documents)["taskUid"]

    def settle(self, cluster):
        wait_for("nothing is on its way", lambda: all(node["healthy"] and not node["lag"] for node in cluster.miroir.nodes().values()), 60)

    def heal(self, cluster):
        self.settle(cluster)
        repaired = 0
        for _ in range(2):
            report = cluster.miroir.run_pass("deep")
            repaired += report["repaired"]
        self.assertTrue(report["clean"], report)
        self.check_equal(cluster, "things", self.model)
        return repaired

    @embedded_only
    def test_what_fails_on_one_replica_or_is_lost_on_its_way_is_made_good(self):
        with Cluster() as cluster:
            cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
            faulty = [node for node in cluster.nodes if node.group == 1]
            tasks = []
            for n in range(150):
                node, fault = self.random.choice(faulty), self.random.choice(FAULTS)
                wait_for("the node listens", lambda: self.set_faults(node, **fault))
                tasks.append(self.write(cluster, f"m{n}"))
                if n % 10 == 0: cluster.api.ended(tasks[-1], 60)
            for node in faulty:
                wait_for("the node listens", lambda: self.set_faults(node, failTasks=0, dropAnswers=0, cutConnections=0, delayMs=0))
            self.settle(cluster)
            for node in faulty: node.faults(failTasks=1)  # the last that is written of these
            self.model.update({str(n): {"id": n, "value": "last"} for n in range(30)})
            tasks.append(cluster.api.expect(202, "POST", PATH, [self.model[str(n)] for n in range(30)])["taskUid"])
            for task in tasks: self.assertEqual(cluster.api.ended(task, 60)["status"], "succeeded")
            self.settle(cluster)
            self.assertGreater(len(cluster.wrong("things", self.model)), 0, "nothing failed")
            self.assertGreater(self.heal(cluster), 0)

    def test_requests_that_arrive_twice_are_carried_out_once(self):
        cluster = TwiceCluster()
        self.addCleanup(cluster.stop)
        others = {"0": {"id": 0, "value": "other"}}
        for uid, documents in ("things", []), ("others", list(others.values())):
            cluster.api.write("POST", "/indexes", {"uid": uid, "primaryKey": "id"})
            if documents: cluster.api.write("POST", f"/indexes/{uid}/documents", documents)
        tasks = []
        for n in range(120):
            tasks.append(self.write(cluster, f"m{n}"))
            if n % 10 == 5:
                tasks.append(cluster.api.expect(202, "POST", "/swap-indexes", SWAP)["taskUid"])
                self.model, others = others, self.model
            if n % 5 == 0: cluster.api.ended(tasks[-1], 60)
        self.assertEqual([cluster.api.ended(task, 60)["status"] for task in tasks], ["succeeded"] * len(tasks))
        self.settle(cluster)
        for node in cluster.nodes:
            late, answers = cluster.of_node[node.name]
            self.assertGreater(len(answers), 20)
            for each in answers: self.assert_error((each.status, each.json), 400, "bad_request")
            for each in answers: self.assertRegex(each.json["message"], r"^Received bad task id: \d+ should be >= to \d+")
            done = [task["customMetadata"] for task in node.api.get("/tasks?limit=1000")["results"] if task.get("customMetadata")]
            self.assertEqual(len(done), len(set(done)))
        self.check_equal(cluster, "things", self.model)
        self.check_equal(cluster, "others", others)
        report = cluster.miroir.run_pass("deep")
        self.assertEqual((report["clean"], report["mismatches"], cluster.miroir.repairs()), (True, 0, []), report)

    def test_request_that_lost_its_number_and_is_carried_out_again_is_noticed_and_undone(self):
        cluster = KeepingCluster(groups=3, nodes=1, shards=1)
        self.addCleanup(cluster.stop)
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        for value in "first", "second": cluster.api.write("POST", PATH, [{"id": n, "value": value} for n in range(10)])
        cluster.api.write("POST", PATH + "/delete-batch", [8, 9])
        self.model = {str(n): {"id": n, "value": "second"} for n in range(8)}
        self.check_equal(cluster, "things", self.model)

        node, first = cluster["b1"].api, next(each for each in cluster.kept if each.node.name == "b1" and b"first" in each.body)
        headers = {name: first.headers[name] for name in ("Content-Type", "Authorization")}
        again = node.ended(node.expect(202, first.method, first.path, first.body, headers)["taskUid"])
        self.assertEqual({sentence.split(" ", 1)[1] for sentence in cluster.wrong("things", self.model)},
                         {f"on b1 is {{'id': {n}, 'value': 'first'}}, not {self.model[str(n)]}" for n in range(8)} | {"on b1 was deleted, or never written"})

        # Its number is the one that the next write would have had there.
        self.model["10"] = {"id": 10, "value": "next"}
        position = cluster.api.write("POST", PATH, [self.model["10"]])["uid"]
        stale = wait_for("it is noticed", lambda: [each for each in cluster.unequal() if each["state"] == "stale"])
        self.assertEqual([(each["id"], each["stateWhy"]) for each in stale],
                         [("b1", f"somebody else wrote to it: its task {again['uid']} (documentAdditionOrUpdate of index things) is not Miroir's")])
        for _ in range(6): self.assertEqual(cluster.api.get(PATH + "/0"), self.model["0"], "it was read")
        self.settle(cluster)
        self.assertEqual([task["uid"] for task in node.get("/tasks?limit=1000")["results"] if f":{position}:" in (task.get("customMetadata") or "")],
                         [again["uid"] + 1])
        self.heal(cluster)
        self.assertEqual({row["id"]: (row["action"], row["reason"], row["repaired"]) for row in cluster.miroir.repairs()},
                         {str(n): ("restore", "highest_stamp", True) if n < 8 else ("delete", "deleted", True) for n in range(10)})

    @unittest.skipUnless(MEILISEARCH, "the embedded node computes no vectors when settings change")
    def test_settings_that_failed_everywhere_are_not_in_the_way_of_the_next(self):
        with Cluster(nodes=1) as cluster:
            cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
            cluster.api.write("POST", PATH, [{"id": 1, "_vectors": {"short": [1, 2]}}])
            path = "/indexes/things/settings"
            cluster.api.write("PATCH", path, {"stopWords": ["a"]})
            wrong = {"embedders": {"short": {"source": "userProvided", "dimensions": 3}}, "stopWords": ["wrong"]}
            failed = cluster.api.ended(cluster.api.expect(202, "PATCH", path, wrong)["taskUid"], 60)
            self.assertEqual(failed["status"], "failed", failed)
            self.settle(cluster)
            cluster.api.write("PATCH", path, {"synonyms": {"b": ["c"]}})
            settings = cluster.api.get(path)
            self.assertEqual((settings["stopWords"], settings["synonyms"]), (["a"], {"b": ["c"]}))
            self.assertEqual(settings.get("embedders", {}), {})
            self.assertTrue(cluster.miroir.run_pass("light")["clean"])

    def test_a_primary_key_that_failed_everywhere_is_not_the_indexs(self):
        with Cluster() as cluster:
            cluster.api.write("POST", "/indexes", {"uid": "things"})
            self.settle(cluster)  # they will not take it, for they hold a document under another
            for node in cluster.nodes: node.api.write("POST", PATH + "?primaryKey=own", [{"own": 1}])
            task = cluster.api.expect(202, "PATCH", "/indexes/things", {"primaryKey": "sku"})["taskUid"]
            self.assertEqual(cluster.api.ended(task, 60)["status"], "failed")
            self.assertEqual([(each["uid"], each["primaryKey"]) for each in cluster.api.get("/indexes")["results"]], [("things", None)])
            self.settle(cluster)
            cluster.miroir.run_pass("deep")
            for node in cluster.nodes:
                self.assertEqual([(each["uid"], each["primaryKey"]) for each in node.api.get("/indexes")["results"]], [("things", "own")])
            # A new name is given all the same, as a Meilisearch does.
            task = cluster.api.expect(202, "PATCH", "/indexes/things", {"primaryKey": "sku", "uid": "renamed"})
            self.assertEqual(task["indexUid"], "things")
            ended = cluster.api.ended(task["taskUid"], 60)
            self.assertEqual((ended["status"], ended["error"]["code"], ended["indexUid"], ended["details"]),
                             ("failed", "index_primary_key_already_exists", "things", {"primaryKey": "sku", "oldIndexUid": "things", "newIndexUid": "renamed"}))
            self.assertEqual([(each["uid"], each["primaryKey"]) for each in cluster.api.get("/indexes")["results"]], [("renamed", None)])
            self.settle(cluster)
            for node in cluster.nodes:
                self.assertEqual([(each["uid"], each["primaryKey"]) for each in node.api.get("/indexes")["results"]], [("renamed", "own")])
                self.assertEqual(node.api.get("/indexes/renamed/documents")["total"], 1)

    def set_faults(self, node, **what):
        try: node.faults(**what)
        except (OSError, http.client.HTTPException): return False  # it was told to cut connections
        return True

    def test_a_node_that_was_replaced_by_an_empty_one_is_not_read_and_is_filled(self):
        with Cluster() as cluster:
            cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
            for n in range(30): task = self.write(cluster, f"m{n}")
            cluster.api.ended(task)
            cluster.wait_equal()
            node = cluster["b1"]
            node.end()
            shutil.rmtree(node.data)
            node.start()
            for n in range(30):
                found = cluster.api.expect(200, "POST", "/indexes/things/search", {"q": "", "limit": 1000, "page": 1, "hitsPerPage": 1000})
                self.assertEqual(found["totalHits"], len(self.model), "it was read while it was empty")
            for n in range(30): task = self.write(cluster, f"n{n}")
            self.assertEqual(cluster.api.ended(task)["status"], "succeeded")
            self.heal(cluster)
            self.assertTrue(node.documents("things"))


if __name__ == "__main__":
    unittest.main()
