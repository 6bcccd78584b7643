#!/usr/bin/env python3
"""What no recording covers: the embedded node and a real Meilisearch must agree on it (run.py starts either).

    beyond.py URL KEY
"""
import http.client, json, sys, time, urllib.parse

failures = []


class Node:
    def __init__(self, url, key):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self.key = key

    def call(self, method, path, body=None, headers=None):
        headers = {"Authorization": "Bearer " + self.key, **(headers or {})}
        if body is not None: headers.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, (str, type(None))) else json.dumps(body)
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def wait(self, uid):
        while True:
            _, task = self.call("GET", f"/tasks/{uid}")
            if task["status"] in ("succeeded", "failed", "canceled"): return task
            time.sleep(0.01)

    def do(self, method, path, body=None, headers=None):
        status, answer = self.call(method, path, body, headers)
        assert status in (200, 202), (method, path, status, answer)
        return self.wait(answer["taskUid"])

    def ids(self, index, **question):
        status, answer = self.call("POST", f"/indexes/{index}/documents/fetch", {"fields": ["id"], "limit": 1000, **question})
        return [document["id"] for document in answer["results"]] if status == 200 else answer["code"]


def check(what, got, want):
    if got != want:
        failures.append(what)
        print(f"FAIL {what}: want {want}, got {got}")


def geography(node):
    node.do("PATCH", "/indexes/geo/settings", {"filterableAttributes": ["_geo"], "sortableAttributes": ["_geo"]})
    places = {1: (48.8566, 2.3522), 2: (45.7640, 4.8357), 3: (51.5074, -0.1278), 4: (-33.8688, 151.2093)}
    node.do("POST", "/indexes/geo/documents?primaryKey=id",
            [{"id": i, "_geo": {"lat": lat, "lng": lng}} for i, (lat, lng) in places.items()] + [{"id": 5}])
    check("documents within a radius", sorted(node.ids("geo", filter="_geoRadius(48.85, 2.35, 400000)")), [1, 2, 3])
    check("documents within a smaller radius", node.ids("geo", filter="_geoRadius(48.85, 2.35, 10000)"), [1])
    check("documents within a box", sorted(node.ids("geo", filter="_geoBoundingBox([50, 10], [40, 0])")), [1, 2])
    check("nearest first", node.ids("geo", sort=["_geoPoint(45.7, 4.8):asc"]), [2, 1, 3, 4, 5])
    check("a latitude out of range", node.ids("geo", filter="_geoRadius(100, 0, 1)"), "invalid_document_filter")
    task = node.do("POST", "/indexes/geo/documents", [{"id": 6, "_geo": "here"}])
    check("a bad _geo fails its task", (task["status"], task["error"]["code"]), ("failed", "invalid_document_geo_field"))
    check("a bad _geo is not stored", node.ids("geo", ids=[6]), [])


def values(node):
    node.do("PATCH", "/indexes/v/settings", {"filterableAttributes": ["f", "o"], "sortableAttributes": ["f"]})
    node.do("POST", "/indexes/v/documents?primaryKey=id", [
        {"id": 1, "f": ["b", "a"]}, {"id": 2, "f": [3, "x"]}, {"id": 3, "f": "Z"}, {"id": 4, "f": 2}, {"id": 5, "f": None},
        {"id": 6, "f": {"g": 7}}, {"id": 7, "f": [{"g": 8}, {"g": 9}]}, {"id": 8, "f": ""}, {"id": 9}, {"id": 10, "f": True},
        {"id": 11, "o": {}}, {"id": 12, "o": []}, {"id": 13, "o": [None]}])
    expected = {
        "f = a": [1],
        "f = z": [3],
        "f = 3": [2],
        "f.g = 8": [7],
        "f.g EXISTS": [6, 7],
        "f EXISTS": [1, 2, 3, 4, 5, 6, 7, 8, 10],
        "f IS NULL": [5],
        "f IS EMPTY": [8],
        "f > 1": [1, 2, 3, 4, 10],
        "f > a": [1, 2, 3, 10],
        "f = true": [10],
        "f >= 2 AND f <= 3": [2, 4],
        "o IS EMPTY": [11, 12],
        "o IS NULL": [],
        "NOT f EXISTS": [9, 11, 12, 13],
        "f != 3": [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        "f STARTS WITH ''": [1, 2, 3, 4, 5, 6, 7, 8, 10],
        "f NOT IN [a, 2]": [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        "f IN ['B', '2',]": [1, 4],
        "f 1 TO 2": [4],
        "o EXISTS": [11, 12, 13],
    }
    for filter, ids in expected.items(): check(filter, sorted(node.ids("v", filter=filter)), ids)
    check("numbers come before strings", node.ids("v", filter="f != 3", sort=["f:asc"])[:4], [4, 1, 10, 3])
    check("numbers come before strings, falling", node.ids("v", filter="f != 3", sort=["f:desc"])[:4], [4, 3, 10, 1])


def batches(node):
    node.do("POST", "/indexes", {"uid": "b", "primaryKey": "id"})
    node.do("POST", "/indexes/b/documents", [{"id": i} for i in range(5)])
    _, first = node.call("DELETE", "/indexes/b/documents")
    _, second = node.call("POST", "/indexes/b/documents", [{"id": 9}])
    check("a delete-all deletes", node.wait(first["taskUid"])["details"], {"deletedDocuments": 5})
    node.wait(second["taskUid"])
    check("what follows a delete-all stays", node.ids("b"), [9])
    task = node.do("POST", "/indexes/b/documents", [{"id": 1, "n": 1}, {"id": "not an id"}])
    check("one bad document fails its task", (task["status"], node.ids("b")), ("failed", [9]))
    node.do("PUT", "/indexes/b/documents?skipCreation=true", [{"id": 8, "n": 1}, {"id": 9, "n": 2}])
    check("skipCreation creates nothing", node.call("GET", "/indexes/b/documents")[1]["results"], [{"id": 9, "n": 2}])


def names(node):
    node.do("POST", "/indexes", {"uid": "one", "primaryKey": "id"})
    node.do("POST", "/indexes", {"uid": "two", "primaryKey": "id"})
    created = node.call("GET", "/indexes/one")[1]["createdAt"]
    node.do("POST", "/swap-indexes", [{"indexes": ["one", "two"]}])
    check("createdAt travels with a swap", node.call("GET", "/indexes/two")[1]["createdAt"], created)
    check("a rename onto an index fails", node.do("PATCH", "/indexes/one", {"uid": "two"})["status"], "failed")
    check("a swap may rename", node.do("POST", "/swap-indexes", [{"indexes": ["two", "three"], "rename": True}])["status"],
          "succeeded")
    check("the renamed index is there", node.call("GET", "/indexes/three")[1]["createdAt"], created)
    check("its old name is not", node.call("GET", "/indexes/two")[0], 404)
    node.do("POST", "/indexes/three/documents", [{"id": 1}])
    task = node.do("PATCH", "/indexes/three", {"uid": "four", "primaryKey": "sku"})
    check("another key is refused", (task["status"], task["error"]["code"], task["error"]["message"]),
          ("failed", "index_primary_key_already_exists", "Index `four`: Index already has a primary key: `id`."))
    check("but the name is given", (task["indexUid"], node.ids("four"), node.call("GET", "/indexes/three")[0]), ("three", [1], 404))


def tasks(node):
    _, newest = node.call("GET", "/tasks?limit=1")
    uid = newest["results"][0]["uid"] + 100
    status, answer = node.call("POST", "/indexes", {"uid": "t"}, {"TaskId": str(uid)})
    check("a task takes the uid it is given", (status, answer["taskUid"]), (202, uid))
    node.wait(uid)
    check("canceling what ended cancels nothing", node.do("POST", f"/tasks/cancel?uids={uid}")["details"]["canceledTasks"], 0)
    check("tasks of a status", node.call("GET", f"/tasks?uids={uid}&statuses=succeeded,failed")[1]["total"], 1)
    check("tasks before their time", node.call("GET", f"/tasks?uids={uid}&beforeEnqueuedAt=2000-01-01")[1]["total"], 0)
    check("the oldest first", node.call("GET", f"/tasks?from={uid}&reverse=true&limit=1")[1]["results"][0]["uid"], uid)


def vectors(node):
    node.do("PATCH", "/indexes/vec/settings", {"embedders": {"m": {"source": "userProvided", "dimensions": 2}}})
    node.do("POST", "/indexes/vec/documents?primaryKey=id", [{"id": 1, "_vectors": {"m": [0.5, 0.25]}}])
    check("vectors are hidden", node.call("GET", "/indexes/vec/documents/1")[1], {"id": 1})
    node.do("POST", "/indexes/vec/documents", [{"id": 1, "t": "new"}])
    check("vectors outlive a write without them",
          node.call("GET", "/indexes/vec/documents/1?retrieveVectors=true")[1],
          {"id": 1, "t": "new", "_vectors": {"m": {"embeddings": [[0.5, 0.25]], "regenerate": False}}})


def main():
    node = Node(sys.argv[1], sys.argv[2])
    for story in (geography, values, batches, names, tasks, vectors): story(node)
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
