#!/usr/bin/env python3
"""Miroir's store is lost, or an older copy of it is put back, while the nodes went on."""
import os, shutil, unittest

from cluster import Cluster, ClusterTest, wait_for

PATH = "/indexes/things/documents"


def things(first, end, value): return [{"id": n, "value": value, "nested": {"n": [n, None]}} for n in range(first, end)]


class Recovery(ClusterTest):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.stop)
        self.api.write("POST", PATH + "?primaryKey=id", things(0, 200, "first"))
        self.api.write("PATCH", "/indexes/things/settings", {"filterableAttributes": ["value"], "stopWords": ["the"]})
        self.key = self.api.expect(201, "POST", "/keys", {"actions": ["search"], "indexes": ["things"], "expiresAt": None})["key"]
        self.model = {str(d["id"]): d for d in things(0, 200, "first")}
        self.cluster.wait_equal()

    @property
    def api(self): return self.cluster.api

    def in_sync(self): return all(node["state"] == "in_sync" for node in self.cluster.miroir.nodes().values())

    def check_everything(self):
        wait_for("the nodes are taken as they are", self.in_sync, 60)
        found = self.api.expect(200, "POST", "/indexes/things/search", {"q": "", "filter": "value = first", "limit": 1000})
        self.assertGreater(len(found["hits"]), 0)
        self.assertEqual(self.api.get("/indexes/things/settings")["stopWords"], ["the"])
        self.assertEqual(self.api.get("/indexes/things/settings")["filterableAttributes"], ["value"])
        self.assertEqual(self.api.get("/indexes/things")["primaryKey"], "id")
        status, _ = self.api.call("POST", "/indexes/things/search", {"q": ""}, {"Authorization": f"Bearer {self.key}"})[:2]
        self.assertEqual(status, 200, "a client's key is still good")
        self.cluster.miroir.run_pass("deep")
        self.check_equal(self.cluster, "things", self.model)
        self.assertEqual([row for row in self.cluster.miroir.repairs() if row["action"] == "delete"], [])

        # And it goes on from there.
        self.api.write("POST", PATH, things(5, 8, "afterwards"))
        self.api.write("DELETE", PATH + "/9")
        self.model.update({str(d["id"]): d for d in things(5, 8, "afterwards")})
        del self.model["9"]
        self.check_equal(self.cluster, "things", self.model)

    def test_a_store_that_is_lost(self):
        self.cluster.miroir.end()
        shutil.rmtree(self.cluster.miroir.data)
        self.cluster.miroir.start()
        self.check_everything()

    def keep_store(self):
        """Of a Miroir that is down meanwhile."""
        self.cluster.miroir.end()
        self.kept = self.cluster.miroir.data + "-yesterday"
        shutil.copytree(self.cluster.miroir.data, self.kept)
        self.cluster.miroir.start()

    def put_store_back(self):
        self.cluster.miroir.end()
        shutil.rmtree(self.cluster.miroir.data)
        os.rename(self.kept, self.cluster.miroir.data)
        self.cluster.miroir.start()

    def test_yesterdays_store(self):
        self.keep_store()
        self.api.write("POST", PATH, things(100, 300, "second"))
        self.api.write("DELETE", PATH + "/1")
        self.api.write("POST", "/indexes", {"uid": "newer", "primaryKey": "id"})
        self.api.write("POST", "/indexes/newer/documents", [{"id": 1}])
        self.model.update({str(d["id"]): d for d in things(100, 300, "second")})
        del self.model["1"]
        self.cluster.wait_equal()

        self.put_store_back()
        self.check_everything()
        self.check_equal(self.cluster, "newer", {"1": {"id": 1}})

    def test_numbers_that_are_given_twice(self):
        """Clients write before any node can tell that the log went back, and Miroir dies once more."""
        self.keep_store()
        for n in range(200, 220): self.api.write("POST", PATH, things(n, n + 1, "second"))
        self.model.update({str(d["id"]): d for d in things(200, 220, "second")})
        self.cluster.wait_equal()
        for node in self.cluster.nodes: node.end()
        self.put_store_back()
        tasks = [self.api.expect(202, "POST", PATH, things(n, n + 1, "between"))["taskUid"] for n in range(400, 410)]
        self.model.update({str(d["id"]): d for d in things(400, 410, "between")})
        self.cluster.miroir.end()
        self.cluster.miroir.start()
        for node in self.cluster.nodes: node.start()
        for task in tasks: self.assertEqual(self.api.ended(task, 120)["status"], "succeeded")
        self.check_everything()

    def test_a_node_that_is_away_and_one_that_is_damaged(self):
        self.keep_store()
        self.cluster["b1"].end()
        self.api.write("POST", PATH, things(100, 300, "second"))
        self.model.update({str(d["id"]): d for d in things(100, 300, "second")})
        self.put_store_back()
        wait_for("the node that is away is waited for", lambda: not self.cluster.miroir.nodes()["a1"]["state"] == "in_sync", 60)
        lost = self.cluster["b2"].documents("things")[:7]
        self.cluster["b2"].api.call("POST", PATH + "/delete-batch", [document["id"] for document in lost])
        self.cluster["b1"].start()
        self.check_everything()


if __name__ == "__main__": unittest.main()
