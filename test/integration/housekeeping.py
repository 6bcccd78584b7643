#!/usr/bin/env python3
"""Who runs the nodes looks after them: snapshots are made, and finished tasks deleted, on all of them."""
import unittest

from cluster import MEILISEARCH, Cluster, ClusterTest, wait_for

PATH = "/indexes/things/documents"


class Housekeeping(ClusterTest):
    def setUp(self):
        self.cluster = Cluster(nodes=1)
        self.addCleanup(self.cluster.stop)
        self.model = {}
        for index in ("things", "others"): self.write(range(20), index)
        self.api.write("POST", "/swap-indexes", [{"indexes": ["things", "others"]}])
        self.model = {id: {**document, "of": "others"} for id, document in self.model.items()}
        self.api.write("DELETE", PATH)
        self.model = {}
        self.write(range(10, 30))
        self.cluster.wait_equal()

    @property
    def api(self): return self.cluster.api

    def write(self, ids, index="things"):
        documents = [{"id": id, "of": index} for id in ids]
        self.api.write("POST", f"/indexes/{index}/documents?primaryKey=id", documents)
        self.model.update({str(each["id"]): each for each in documents})

    def on_all_nodes(self, method, path, status):
        for node in self.cluster.nodes:
            task = node.api.ended(node.api.expect(status, method, path)["taskUid"])
            self.assertEqual(task["status"], "succeeded", task)

    def states(self): return {node["id"]: (node["state"], node["stateWhy"]) for node in self.cluster.miroir.nodes().values()}

    def test_snapshots_and_deletions_of_old_tasks_leave_the_nodes_in_sync(self):
        chores = [("DELETE", "/tasks?uids=0,1", 200)]
        if MEILISEARCH: chores += [("POST", "/snapshots", 202), ("POST", "/dumps", 202)]
        for n, chore in enumerate(chores):
            self.on_all_nodes(*chore)
            self.write([100 + n])
            self.cluster.miroir.end()
            self.cluster.miroir.start()
            self.write([200 + n])
            self.assertEqual(set(self.states().values()), {("in_sync", "")}, chore)
        self.check_equal(self.cluster, "things", self.model)

    def test_nothing_is_done_again_where_the_finished_tasks_are_deleted_on_all_nodes(self):
        self.on_all_nodes("DELETE", "/tasks?statuses=succeeded,failed,canceled", 200)
        newest = {node.name: node.api.get("/tasks?limit=1")["results"][0]["uid"] for node in self.cluster.nodes}
        self.write([40])
        wait_for("all is done", lambda: not any(node["lag"] for node in self.cluster.miroir.nodes().values()))
        for name, (state, why) in self.states().items():
            self.assertEqual((state, why.split(":")[0]), ("stale", "its history is not ours"), name)
        for node in self.cluster.nodes:
            tasks = [task["uid"] for task in node.api.get("/tasks?limit=100")["results"]]
            self.assertEqual(tasks, [newest[node.name] + 1, newest[node.name]])
        self.assertEqual(self.cluster.wrong("things", self.model), [])
        # One is right by a person's word, the other is compared with it.
        self.api.expect(200, "POST", "/_miroir/nodes/a1/promote")
        report = self.cluster.miroir.run_pass("light")
        self.assertEqual((report["mismatches"], report["repaired"]), (0, 0), report)
        self.check_equal(self.cluster, "things", self.model)


if __name__ == "__main__": unittest.main()
