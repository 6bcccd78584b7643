#!/usr/bin/env python3
"""Operations of every kind, drawn from a seed, while nodes and Miroir are killed: every node ends as the model says.

operations.py [SEED…] runs these seeds; a failing one replays the same operations, though not the same timing.
"""
import random, sys

from cluster import MEILISEARCH, Cluster, ClusterTest

# Real servers take many times as long to start.
SEEDS = [int(seed) for seed in sys.argv[1:]] or ([4] if MEILISEARCH else [1, 2, 3, 4, 5, 6, 7, 8])
STEPS = 90
NAMES = ["ash", "bay", "cob"]


class Model:
    """What clients were told would happen: documents by id, for each index."""

    def __init__(self): self.indexes = {}

    def post(self, index, documents): self.indexes.setdefault(index, {}).update((str(each["id"]), each) for each in documents)

    def put(self, index, documents):
        kept = self.indexes.setdefault(index, {})
        for each in documents: kept[str(each["id"])] = {**kept.get(str(each["id"]), {}), **each}

    def delete(self, index, ids):
        for id in ids: self.indexes[index].pop(str(id), None)


class Operator:
    """Draws operations; each is acknowledged, and done to the model."""

    def __init__(self, cluster, seed):
        self.cluster, self.random, self.model, self.tasks = cluster, random.Random(seed), Model(), {}

    def send(self, method, path, body=None):
        task = self.cluster.api.expect(202, method, path, body)["taskUid"]
        self.tasks[task] = f"{method} {path} {body}"

    def draw(self, count):
        return [{"id": n, "number": n, "text": f"{self.random.choice(NAMES)} {n}", "round": len(self.tasks)}
                for n in self.random.sample(range(60), count)]

    def step(self):
        missing = [name for name in NAMES if name not in self.model.indexes]
        there = sorted(self.model.indexes)
        choices = ["create"] * len(missing) + (["post", "put", "delete", "batch", "filter"] * 4 + ["clear", "drop", "settings"]) * bool(there)
        choices += ["swap"] * (len(there) > 1) + ["rename"] * bool(missing and there)
        getattr(self, self.random.choice(choices))(self.random.choice(missing or [None]), self.random.choice(there or [None]))

    def create(self, missing, _):
        self.send("POST", "/indexes", {"uid": missing, "primaryKey": "id"})
        self.send("PATCH", f"/indexes/{missing}/settings", {"filterableAttributes": ["number"], "sortableAttributes": ["number"]})
        self.model.indexes[missing] = {}

    def post(self, _, index):
        documents = self.draw(15)
        self.send("POST", f"/indexes/{index}/documents", documents)
        self.model.post(index, documents)

    def put(self, _, index):
        documents = [{"id": each["id"], f"extra{each['id'] % 3}": each["round"]} for each in self.draw(8)]
        self.send("PUT", f"/indexes/{index}/documents", documents)
        self.model.put(index, documents)

    def delete(self, _, index):
        id = self.random.randrange(60)
        self.send("DELETE", f"/indexes/{index}/documents/{id}")
        self.model.delete(index, [id])

    def batch(self, _, index):
        ids = self.random.sample(range(60), 5)
        self.send("POST", f"/indexes/{index}/documents/delete-batch", ids)
        self.model.delete(index, ids)

    def filter(self, _, index):
        low = self.random.randrange(60)
        self.send("POST", f"/indexes/{index}/documents/delete", {"filter": f"number {low} TO {low + 5}"})
        self.model.delete(index, [id for id, each in self.model.indexes[index].items() if low <= each.get("number", -1) <= low + 5])

    def clear(self, _, index):
        self.send("DELETE", f"/indexes/{index}/documents")
        self.model.indexes[index] = {}

    def drop(self, _, index):
        self.send("DELETE", f"/indexes/{index}")
        del self.model.indexes[index]

    def settings(self, _, index): self.send("PUT", f"/indexes/{index}/settings/stop-words", self.random.sample(NAMES, 2))

    def swap(self, _, __):
        one, other = self.random.sample(sorted(self.model.indexes), 2)
        self.send("POST", "/swap-indexes", [{"indexes": [one, other]}])
        indexes = self.model.indexes
        indexes[one], indexes[other] = indexes[other], indexes[one]

    def rename(self, missing, index):
        self.send("PATCH", f"/indexes/{index}", {"uid": missing})
        self.model.indexes[missing] = self.model.indexes.pop(index)


class Operations(ClusterTest):
    def run_seed(self, seed):
        with Cluster() as cluster:
            operator, dead = Operator(cluster, seed), None
            for step in range(STEPS):
                operator.step()
                if step % 9 == 4 and dead is None:
                    dead = operator.random.choice(cluster.nodes)
                    dead.end()
                elif step % 9 == 8 and dead is not None:
                    dead.start()
                    dead = None
                if step % 13 == 6:
                    cluster.miroir.end()
                    cluster.miroir.start()
            if dead is not None: dead.start()
            for task, what in operator.tasks.items():
                ended = cluster.api.ended(task, 40)
                self.assertEqual(ended["status"], "succeeded", f"{what}: {ended}")
            cluster.wait_equal()
            for node in cluster.nodes:
                self.assertEqual({index["uid"] for index in node.api.get("/indexes")["results"]}, set(operator.model.indexes), node.name)
            for index, documents in operator.model.indexes.items():
                self.assertEqual(cluster.wrong(index, documents)[:10], [], index)
                self.assertEqual(len({str(node.api.get(f"/indexes/{index}/settings")) for node in cluster.nodes}), 1, index)
            report = cluster.miroir.run_pass("deep")
            self.assertEqual((report["clean"], report["mismatches"], report["repaired"]), (True, 0, 0), report)

    def test_every_node_ends_as_the_model(self):
        for seed in SEEDS:
            with self.subTest(seed=seed): self.run_seed(seed)


if __name__ == "__main__":
    import unittest
    unittest.main(argv=sys.argv[:1])
