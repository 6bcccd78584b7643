#!/usr/bin/env python3
"""Nodes that fail tasks, lose answers and connections, answer late, or come back empty, under writes."""
import http.client, random, shutil, unittest

from cluster import MEILISEARCH, Cluster, ClusterTest, embedded_only, wait_for

PATH = "/indexes/things/documents"
FAULTS = ({"failTasks": 1}, {"dropAnswers": 2}, {"cutConnections": 2}, {"delayMs": 150}, {"delayMs": 0})


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
