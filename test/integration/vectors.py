#!/usr/bin/env python3
"""Repairs of documents with vectors: the copy ends as its source is, vectors and whose they are (`regenerate`) included."""
import http.server, json, os, threading, unittest

from cluster import Cluster, ClusterTest, MEILISEARCH

PATH = "/indexes/things/documents"
DOCUMENTS = [{"id": 1, "text": "a"},
             {"id": 2, "text": "bb", "_vectors": {"m": [0.5, 0.25]}},
             {"id": 3, "text": "ccc", "_vectors": {"m": {"embeddings": [0.5, 0.125], "regenerate": True}}},
             {"id": 4, "text": "dddd", "_vectors": {"m": {"embeddings": [[0.5, 0.75], [0.25, 1]], "regenerate": False}}},
             {"id": 5, "text": "eeeee", "_vectors": {"m": None}}]
OTHER = ([9, 8], {"embeddings": [7, 6], "regenerate": False}, {"embeddings": [5, 4], "regenerate": True}, None)


def stored(node):
    """{id: document}, as a node holds it."""
    return {each["id"]: each for each in node.api.get(PATH + "?limit=1000&retrieveVectors=true")["results"]}


class Embedder(http.server.BaseHTTPRequestHandler):
    """Answers a text with its length."""

    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        body = json.dumps({"vector": [len(text), 1]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): pass


class Vectors(ClusterTest):
    def heal(self, cluster, documents):
        """Each document twice: one copy is lost, and as many are overwritten, each with every other kind of vectors."""
        documents = [{**each, "id": each["id"] + 10 * n} for each in documents for n in range(len(OTHER) + 1)]
        cluster.api.write("POST", PATH, documents)
        cluster.wait_equal()
        right, node = stored(cluster["a1"]), cluster["b1"]
        self.assertEqual(stored(node), right)

        wrong = [{**each, "text": "wrong", "_vectors": {"m": OTHER[id // 10 - 1]}} for id, each in right.items() if id >= 10]
        node.api.write("POST", PATH, wrong)
        lost = [id for id in right if id < 10]
        node.api.write("POST", PATH + "/delete-batch", lost)
        self.assertEqual(len(stored(node)), len(wrong))
        report = cluster.miroir.run_pass("deep")
        self.assertEqual((report["repaired"], report["unresolved"]), (len(right), 0), report)
        self.assertEqual({row["id"]: row["reason"] for row in cluster.miroir.repairs()},
                         {str(id): "missing" if id in lost else "checksum" for id in right})
        for name in ("a1", "b1"): self.assertEqual(stored(cluster[name]), right, name)
        self.assertTrue(cluster.miroir.run_pass("deep")["clean"])
        self.assertEqual(cluster.unequal(), [])

    def use(self, cluster, embedder): cluster.api.write("PATCH", "/indexes/things/settings", {"embedders": {"m": embedder}})

    def test_provided_by_users(self):
        with Cluster(nodes=1, shards=4) as cluster:
            self.use(cluster, {"source": "userProvided", "dimensions": 2})
            self.heal(cluster, DOCUMENTS[1:])

    def test_provided_before_there_is_an_embedder(self):
        with Cluster(nodes=1, shards=4) as cluster:
            self.heal(cluster, DOCUMENTS)
            cluster.api.write("DELETE", PATH + "/1")
            for n in range(len(OTHER)): cluster.api.write("DELETE", f"{PATH}/{11 + 10 * n}")
            self.use(cluster, {"source": "userProvided", "dimensions": 2})
            cluster.wait_equal()
            self.assertEqual(stored(cluster["a1"]), stored(cluster["b1"]))

    @unittest.skipUnless(MEILISEARCH, "the embedded node embeds nothing itself")
    def test_made_by_the_nodes(self):
        os.environ["MEILI_EXPERIMENTAL_ALLOWED_IP_NETWORKS"] = "127.0.0.0/8"
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Embedder)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        with Cluster(nodes=1, shards=4) as cluster:
            self.use(cluster, {"source": "rest", "dimensions": 2, "url": f"http://127.0.0.1:{server.server_port}/",
                               "request": {"text": "{{text}}"}, "response": {"vector": "{{embedding}}"},
                               "documentTemplate": "{{doc.text}}"})
            self.heal(cluster, DOCUMENTS)
            cluster.api.write("PUT", PATH, [{"id": each["id"], "text": "longer than before"} for each in DOCUMENTS])
            cluster.wait_equal()
            self.assertEqual(stored(cluster["a1"]), stored(cluster["b1"]))
            self.assertEqual(stored(cluster["b1"])[3]["_vectors"]["m"]["embeddings"], [[18, 1]])


if __name__ == "__main__":
    unittest.main()
