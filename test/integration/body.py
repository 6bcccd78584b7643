#!/usr/bin/env python3
"""A body of 100 MB, as large as a Meilisearch takes, passes through Miroir with at most three times its size in memory."""
import json, sys, unittest

from cluster import Cluster, ClusterTest

LIMIT = 104_857_600  # server.max_body_bytes, and Meilisearch's own default
DOCUMENT_BYTES = 1_000
TIMES = 3


def lines():
    """Documents' texts; a bit less than LIMIT in all."""
    filler = "lorem ipsum dolor sit amet " * 40
    for number in range(LIMIT // DOCUMENT_BYTES):
        text = json.dumps({"id": number, "title": f"thing {number}", "ratio": number / 7, "text": ""})
        yield text[:-2] + filler[:DOCUMENT_BYTES - len(text) - 2] + '"}'


class LargeBody(ClusterTest):
    def passes(self, what, body, content_type):
        self.assertGreater(len(body), 0.99 * LIMIT)
        self.assertLessEqual(len(body), LIMIT)
        with Cluster(server="{bind: 127.0.0.1, request_timeout_ms: 60000}") as cluster:
            cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
            cluster.api.write("PATCH", "/indexes/things/settings", {"searchableAttributes": ["title"]})
            before = cluster.miroir.memory("VmRSS")
            task = cluster.api.expect(202, "POST", "/indexes/things/documents", body, {"Content-Type": content_type})["taskUid"]
            received = cluster.miroir.memory() - before
            self.assertEqual(cluster.api.ended(task, 120)["details"]["indexedDocuments"], LIMIT // DOCUMENT_BYTES)
            cluster.wait_equal()
            most = cluster.miroir.memory() - before
            print(f"{what}: {len(body) / 1e6:.1f} MB; memory {received / len(body):.2f} times that when acknowledged, "
                  f"{most / len(body):.2f} times when on all nodes", file=sys.stderr)
            self.assert_memory(most, TIMES * len(body))
            for group in (0, 1):
                totals = [node.api.get("/indexes/things/documents?limit=0")["total"] for node in cluster.nodes if node.group == group]
                self.assertEqual(sum(totals), LIMIT // DOCUMENT_BYTES)
            for id in (0, 77, LIMIT // DOCUMENT_BYTES - 1):
                self.assertEqual(cluster.api.get(f"/indexes/things/documents/{id}")["ratio"], id / 7)

    def test_one_array(self): self.passes("one array", ("[" + ",".join(lines()) + "]").encode(), "application/json")
    def test_ndjson(self): self.passes("NDJSON", "\n".join(lines()).encode(), "application/x-ndjson")


if __name__ == "__main__":
    unittest.main()
