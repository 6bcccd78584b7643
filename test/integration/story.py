#!/usr/bin/env python3
"""The demo's story on small data: one endpoint over four nodes that are killed, damaged, and equal again."""
import http.client, json, signal, threading, time, unittest
from collections import Counter

from cluster import Cluster, ClusterTest, Client, KEY, wait_for

WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven"]


def document(number, **more):
    return {"id": f"d{number}", "title": f"{WORDS[number % 8]} {WORDS[number // 8 % 8]}", "number": number,
            "kind": WORDS[number % 3], "ratio": number / 7, "nested": {"list": [number, None, "é\n"]}, **more}


def load(cluster, count):
    cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
    cluster.api.write("PATCH", "/indexes/things/settings",
                      {"filterableAttributes": ["kind", "number"], "sortableAttributes": ["number"], "searchableAttributes": ["title"]})
    model = {f"d{n}": document(n) for n in range(count)}
    cluster.api.write("POST", "/indexes/things/documents", list(model.values()))
    return model


class OneServer(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        cls.model = load(cls.cluster, 300)

    def search(self, **query): return self.cluster.api.expect(200, "POST", "/indexes/things/search", query)

    def test_every_group_holds_every_document_once(self):
        self.check_equal(self.cluster, "things", self.model)
        for node in self.cluster.nodes: self.assertGreater(len(node.documents("things")), 0, node.name)

    def test_a_document_comes_back_as_it_was_written(self):
        for id in ("d0", "d7", "d299"): self.assertEqual(self.cluster.api.get(f"/indexes/things/documents/{id}"), self.model[id])
        self.assert_error(self.cluster.api.call("GET", "/indexes/things/documents/d300"), 404, "document_not_found")

    def test_listing_walks_over_every_document(self):
        found = []
        for offset in range(0, 300, 70):
            page = self.cluster.api.get(f"/indexes/things/documents?limit=70&offset={offset}")
            self.assertEqual(page["total"], 300)
            found += page["results"]
        self.assertEqual({each["id"]: each for each in found}, self.model)
        self.assertEqual(len(found), 300)

    def test_search_finds_the_matching_documents_and_nothing_stored(self):
        want = {id for id, each in self.model.items() if "cedar" in each["title"].split()}
        answer = self.search(q="cedar", limit=300)
        self.assertEqual({hit["id"] for hit in answer["hits"]}, want)
        self.assertEqual(answer["estimatedTotalHits"], len(want))
        for hit in answer["hits"]: self.assertEqual(hit, self.model[hit["id"]])

    def test_filter_sort_and_page_are_those_of_one_server(self):
        want = sorted((each["number"] for each in self.model.values() if each["kind"] == "birch" and each["number"] >= 50), reverse=True)
        answer = self.search(filter="kind = birch AND number >= 50", sort=["number:desc"], offset=5, limit=20)
        self.assertEqual([hit["number"] for hit in answer["hits"]], want[5:25])

    def test_facets_count_over_all_nodes(self):
        answer = self.search(facets=["kind", "number"], limit=0)
        self.assertEqual(answer["facetDistribution"]["kind"], Counter(each["kind"] for each in self.model.values()))
        self.assertEqual(answer["facetStats"]["number"], {"min": 0, "max": 299})

    def test_pages_of_equally_ranked_documents_neither_repeat_nor_miss_any(self):
        found = [hit["id"] for page in range(1, 31) for hit in self.search(page=page, hitsPerPage=10)["hits"]]
        self.assertEqual(len(found), 300)
        self.assertEqual(set(found), set(self.model))

    def test_a_sorted_listing_is_sorted_over_all_nodes(self):
        body = {"sort": ["number:desc"], "limit": 40, "offset": 30, "fields": ["id"], "filter": "kind = cedar"}
        want = sorted((each["number"] for each in self.model.values() if each["kind"] == "cedar"), reverse=True)[30:70]
        found = self.cluster.api.expect(200, "POST", "/indexes/things/documents/fetch", body)["results"]
        self.assertEqual(found, [{"id": f"d{number}"} for number in want])

    def test_a_browser_may_ask_from_any_page(self):
        api, page = self.cluster.api, {"Origin": "http://shop.example"}
        asked = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization", "Authorization": ""}
        api.expect(200, "OPTIONS", "/indexes/things/search", None, asked)
        self.assertEqual(api.headers["Access-Control-Allow-Origin"], "*")
        self.assertEqual(api.headers["Access-Control-Allow-Headers"], "authorization")
        self.assertIn("POST", api.headers["Access-Control-Allow-Methods"])
        for status, headers in ((200, page), (403, {**page, "Authorization": "Bearer wrong"})):
            api.expect(status, "POST", "/indexes/things/search", {}, headers)
            self.assertEqual(api.headers["Access-Control-Allow-Origin"], "*")
        api.expect(405, "OPTIONS", "/_miroir/topology", None, asked)
        self.assertIsNone(api.headers["Access-Control-Allow-Origin"])

    def test_a_filter_that_needs_a_setting_is_refused_as_by_one_server(self):
        self.assert_error(self.cluster.api.call("POST", "/indexes/things/search", {"filter": "title = x"}), 400, "invalid_search_filter")


class Order(ClusterTest):
    def test_who_waits_for_the_last_task_finds_what_all_did(self):
        """Each last task touches one shard only, and the groups are not equally quick."""
        with Cluster() as cluster:
            for round in range(20):
                index = f"round{round}"
                for n in range(5): cluster.api.expect(202, "POST", f"/indexes/{index}/documents?primaryKey=id", [document(n * 10 + m) for m in range(10)])
                cluster.api.write("DELETE", f"/indexes/{index}/documents/d0")
                for _ in range(4): self.assertEqual(cluster.api.get(f"/indexes/{index}/documents?limit=100")["total"], 49)

    def test_no_task_ends_before_an_earlier_one_though_nodes_hang(self):
        with Cluster() as cluster:
            cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
            hanging = [cluster[name] for name in ("a1", "b1")]  # the only owners of some shards
            for node in hanging:
                node.process.send_signal(signal.SIGSTOP)
                self.addCleanup(node.process.send_signal, signal.SIGCONT)
            for node in hanging: wait_for("it is missed", lambda: not cluster.miroir.nodes()[node.name]["healthy"])
            tasks = [cluster.api.expect(202, "POST", "/indexes/things/documents", document(n))["taskUid"] for n in range(30)]
            until = time.monotonic() + 3
            while time.monotonic() < until:
                statuses = [task["status"] for task in cluster.api.get("/tasks?reverse=true&limit=100")["results"] if task["uid"] in tasks]
                open_from = next((n for n, status in enumerate(statuses) if status != "succeeded"), len(statuses))
                self.assertNotIn("succeeded", statuses[open_from:])
            self.assertLess(open_from, len(tasks), "some shard waits for the nodes that hang")
            for node in hanging: node.process.send_signal(signal.SIGCONT)
            cluster.api.ended(tasks[-1])
            self.assertEqual(cluster.api.get("/indexes/things/documents?limit=100")["total"], 30)


class Writer(threading.Thread):
    """A client that changes and deletes without pause, and repeats what was not acknowledged. The model is its own meanwhile."""

    def __init__(self, cluster, model):
        super().__init__()
        self.api, self.model, self.acknowledged = Client(cluster.miroir.port, KEY), model, 0
        self.ended, self.wrong = threading.Event(), None

    def insist(self, method, path, body=None):
        def accepted():
            try: status, answer = self.api.call(method, path, body, timeout=10)
            except (OSError, http.client.HTTPException): return False
            if status < 500 and status != 202: raise AssertionError(f"{method} {path}: {status} {answer}")
            return status == 202
        wait_for(f"{method} {path} is acknowledged", accepted)
        self.acknowledged += 1

    def run(self):
        try:
            round = 0
            while not self.ended.is_set():
                round += 1
                changed = [document((round * 7 + n) % 400, round=round) for n in range(5)]
                self.insist("POST", "/indexes/things/documents", changed)
                self.model.update((each["id"], each) for each in changed)
                part = {"id": changed[0]["id"], "part": round}
                self.insist("PUT", "/indexes/things/documents", [part])
                self.model[part["id"]] = {**self.model[part["id"]], **part}
                self.insist("DELETE", f"/indexes/things/documents/d{round % 300}")
                self.model.pop(f"d{round % 300}", None)
        except Exception as error:
            self.wrong = error

    def goes_on(self, writes):
        """Waits until so many more writes are acknowledged."""
        target = self.acknowledged + writes
        wait_for("writes go on", lambda: self.wrong or self.acknowledged >= target)

    def stop(self):
        self.ended.set()
        self.join()
        self.api.close()
        if self.wrong: raise self.wrong


class Crashes(ClusterTest):
    def test_what_was_acknowledged_survives_a_killed_node_and_a_killed_miroir(self):
        with Cluster(anti_entropy="{light_interval: 1s}") as cluster:
            model = load(cluster, 300)
            cluster.wait_equal()
            cluster.miroir.run_pass("light")
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_scanned_bytes_total"), 0)
            writer = Writer(cluster, model)
            writer.start()
            try:
                writer.goes_on(60)
                cluster["b1"].end()
                writer.goes_on(60)
                cluster.miroir.end()
                cluster.miroir.start()
                writer.goes_on(60)
                cluster["b1"].start()
                cluster["a2"].end()
                writer.goes_on(60)
                cluster["a2"].start()
            finally:
                writer.stop()
            self.check_equal(cluster, "things", model)
            cluster.miroir.run_pass("light")
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_mismatches_found_total"), 0)
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_docs_repaired_total"), 0)
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_scanned_bytes_total"), 0)
            self.assertEqual(cluster.miroir.run_pass("deep")["repaired"], 0)


class Damage(ClusterTest):
    def test_damage_behind_miroirs_back_is_found_and_repaired(self):
        with Cluster() as cluster:
            model = load(cluster, 300)
            cluster.wait_equal()
            b2, path = cluster["b2"], "/indexes/things/documents"
            cluster["b1"].keep_disk()

            held = b2.documents("things")
            stale, resurrected, changed, deleted = held[0:6], held[6:9], held[9:12], held[12:18]
            newer = [{**model[each["id"]], "mark": "newer"} for each in stale]
            cluster.api.write("POST", path, newer)
            model.update((each["id"], each) for each in newer)
            cluster.api.write("POST", path + "/delete-batch", [each["id"] for each in resurrected])
            for each in resurrected: del model[each["id"]]
            cluster.wait_equal()

            cluster["b1"].put_disk_back()
            b2.api.write("POST", path + "/delete-batch", [each["id"] for each in deleted])
            b2.api.write("POST", path, stale)
            b2.api.write("POST", path, resurrected)
            b2.api.write("POST", path, [{**each, "title": "written behind Miroir's back"} for each in changed])
            self.assertNotEqual(cluster.wrong("things", model), [])

            wait_for("the restored node is in sync", lambda: cluster.miroir.run_pass("light") and not cluster.unequal())
            light = {repair["id"] for repair in cluster.miroir.repairs() if repair["repaired"]}
            self.assertLessEqual({each["id"] for each in stale + resurrected + deleted}, light)
            self.assertLessEqual({each["id"] for each in changed}, light, "a stranger wrote: contents are read")
            named = {repair["id"]: repair for repair in cluster.miroir.repairs()}
            for each in changed:
                bad = [copy for copy in named[each["id"]]["copies"] if copy["node"] == "b2"]
                self.assertEqual([copy["finding"] for copy in bad], ["corrupt"])
            self.check_equal(cluster, "things", model)
            self.assertEqual(cluster.miroir.run_pass("deep")["mismatches"], 0)


if __name__ == "__main__":
    unittest.main()
