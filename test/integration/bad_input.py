#!/usr/bin/env python3
"""What a careless client, a broken node, a full disk or a typing error does: a clear answer, and nothing is lost."""
import http.client, json, os, signal, socket, subprocess, threading, time, unittest

from cluster import KEY, MIROIR, NODE_KEY, Client, Cluster, ClusterTest, embedded_only, limit_file_size, wait_for

DOCUMENTS = "/indexes/things/documents"
MEGABYTE = 1 << 20


def documents(first, count, **more): return [{"id": n, "title": f"thing {n}", **more} for n in range(first, first + count)]


def model_of(documents): return {str(each["id"]): each for each in documents}


class Clients(ClusterTest):
    """Each request is refused or fails; after all of them the documents are what they were."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        cls.api = cls.cluster.api
        cls.good = documents(0, 20)
        cls.api.write("POST", DOCUMENTS + "?primaryKey=id", cls.good)

    def tearDown(self):
        self.api.write("PUT", DOCUMENTS, [{"id": 0, "title": "thing 0"}])
        self.check_equal(self.cluster, "things", model_of(self.good))

    def failed(self, *request):
        task = self.api.ended(self.api.expect(202, *request)["taskUid"])
        self.assertEqual(task["status"], "failed")
        self.assertEqual(set(task["error"]), {"message", "code", "type", "link"})
        return task["error"]["code"]

    def test_malformed_json(self):
        for body in ('[{"id": 1,]', '[{"id": 1}', '{"id": 1', '[{"id": 1}] and more', '[{"id": "\\ud800"}]', b'[{"id": "\xff"}]', "[" * 100000):
            self.assert_error(self.api.call("POST", DOCUMENTS, body), 400, "malformed_payload")
        for path in ("/indexes/things/search", DOCUMENTS + "/fetch", DOCUMENTS + "/delete-batch", "/multi-search", "/indexes"):
            self.assert_error(self.api.call("POST", path, '{"q": '), 400, "malformed_payload")
        self.assert_error(self.api.call("POST", DOCUMENTS, ""), 400, "missing_payload")
        lines = b'{"id": 100}\n{"id": 101\n'
        self.assert_error(self.api.call("POST", DOCUMENTS, lines, {"Content-Type": "application/x-ndjson"}), 400, "malformed_payload")

    def test_an_unknown_content_type(self):
        self.assert_error(self.api.call("POST", DOCUMENTS, "<id>1</id>", {"Content-Type": "text/xml"}), 415, "invalid_content_type")

    def test_a_compressed_body(self):
        answer = self.api.call("POST", "/swap-indexes", b"\x1f\x8b", {"Content-Encoding": "gzip"})
        self.assertIn("gzip", self.assert_error(answer, 415, "invalid_content_type"))

    def test_a_body_where_nobody_needs_a_key(self):
        self.assert_error(self.api.call("GET", "/health", "x" * 1000), 400, "bad_request")

    def test_an_id_with_a_space_fails_its_whole_request(self):
        self.assertEqual(self.failed("POST", DOCUMENTS, [{"id": 200}, {"id": "a b"}]), "invalid_document_id")

    def test_a_document_without_an_id(self):
        self.assertEqual(self.failed("POST", DOCUMENTS, [{"id": 200}, {"name": "x"}]), "missing_document_id")

    def test_a_reserved_field(self):
        for field in ("_miroir_slot", "_miroir_updated_at", "_miroir_anything"):
            for method in ("POST", "PUT"):
                answer = self.api.call(method, DOCUMENTS, [{"id": 200}, {"id": 1, field: "!"}])
                self.assertIn(field, self.assert_error(answer, 400, "miroir_reserved_field"))
        self.assert_error(self.api.call("POST", DOCUMENTS, '[{"id": 1, "\\u005fmiroir_slot": "!"}]'), 400, "miroir_reserved_field")

    def test_two_gigabytes_that_are_announced(self):
        before = self.cluster.miroir.memory()
        with socket.create_connection(("127.0.0.1", self.cluster.miroir.port), timeout=30) as client:
            client.sendall(f"POST {DOCUMENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
                           f"Content-Length: {2 << 30}\r\n\r\n".encode())
            answer = http.client.HTTPResponse(client)
            answer.begin()
            self.assert_error((answer.status, json.loads(answer.read())), 413, "payload_too_large")
        self.assert_memory(self.cluster.miroir.memory() - before, 10 * MEGABYTE)

    def test_two_gigabytes_in_chunks_are_cut_at_the_limit(self):
        before, sent = self.cluster.miroir.memory(), 0
        chunk = b"100000\r\n" + b" " * MEGABYTE + b"\r\n"
        with socket.create_connection(("127.0.0.1", self.cluster.miroir.port), timeout=30) as client:
            client.sendall(f"POST {DOCUMENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n".encode())
            try:
                while sent < 2 << 30:
                    client.sendall(chunk)
                    sent += MEGABYTE
            except OSError:
                pass  # cut
        self.assertGreaterEqual(sent, 100 * MEGABYTE - len(chunk))
        self.assertLess(sent, 200 * MEGABYTE)
        self.assert_memory(self.cluster.miroir.memory() - before, 250 * MEGABYTE)

    def test_a_wrong_key(self):
        for key, status, code in (("wrong", 403, "invalid_api_key"), ("", 401, "missing_authorization_header"), (NODE_KEY, 403, "invalid_api_key")):
            client = Client(self.cluster.miroir.port, key)
            for method, path, body in (("POST", DOCUMENTS, [{"id": 200}]), ("DELETE", DOCUMENTS, None), ("POST", "/indexes/things/search", {}),
                                       ("GET", "/tasks", None), ("GET", "/keys", None), ("GET", "/indexes", None), ("DELETE", "/indexes/things", None)):
                self.assert_error(client.call(method, path, body), status, code)
            self.assert_error(client.call("GET", "/_miroir/topology"), 401, "miroir_invalid_auth")
            client.close()

    def test_a_key_does_what_it_may_and_nothing_else(self):
        key = self.api.expect(201, "POST", "/keys", {"actions": ["search"], "indexes": ["things"], "expiresAt": None})["key"]
        client = Client(self.cluster.miroir.port, key)
        wait_for("every node knows the key", lambda: all(client.call("POST", "/indexes/things/search", {})[0] == 200 for _ in range(4)))
        self.assert_error(client.call("POST", DOCUMENTS, [{"id": 200}]), 403, "invalid_api_key")
        self.assert_error(client.call("POST", "/indexes/others/search", {}), 403, "invalid_api_key")
        client.close()

    def test_a_key_sees_only_its_indexes_tasks(self):
        self.api.write("POST", "/indexes", {"uid": "secret"})
        secret = self.api.get("/tasks?indexUids=secret")["results"][0]["uid"]
        key = self.api.expect(201, "POST", "/keys", {"actions": ["tasks.*"], "indexes": ["things"], "expiresAt": None})["key"]
        client = Client(self.cluster.miroir.port, key)
        self.assertEqual({task["indexUid"] for task in client.get("/tasks?limit=1000")["results"]}, {"things"})
        self.assert_error(client.call("GET", f"/tasks/{secret}"), 404, "task_not_found")
        client.expect(200, "DELETE", f"/tasks?uids={secret}")
        self.assertEqual(self.api.get(f"/tasks/{secret}")["indexUid"], "secret")
        client.close()

    def test_an_unknown_index(self):
        for method, path, body in (("POST", "/indexes/nowhere/search", {}), ("GET", "/indexes/nowhere", None), ("GET", "/indexes/nowhere/documents", None),
                                   ("GET", "/indexes/nowhere/documents/1", None), ("GET", "/indexes/nowhere/stats", None),
                                   ("GET", "/indexes/nowhere/settings", None), ("POST", "/indexes/nowhere/documents/fetch", {})):
            self.assert_error(self.api.call(method, path, body), 404, "index_not_found")
        self.assertEqual(self.failed("DELETE", "/indexes/nowhere"), "index_not_found")
        self.assert_error(self.api.call("POST", "/indexes/no%20where/documents", [{"id": 1}]), 400, "invalid_index_uid")

    def test_smuggled_requests(self):
        hidden = f"DELETE /indexes/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n"
        for headers in ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: xchunked\r\n", "Content-Length: 0\r\nContent-Length: 5\r\n",
                        "Content-Length : 0\r\n", "Transfer-Encoding: chunked, identity\r\n"):
            with socket.create_connection(("127.0.0.1", self.cluster.miroir.port), timeout=10) as client:
                client.sendall(f"GET /health HTTP/1.1\r\nHost: x\r\n{headers}\r\n{hidden}".encode())
                answer = client.makefile("rb").read().decode()
                self.assertRegex(answer, r"^HTTP/1\.1 (4\d\d|501) ", headers)
                self.assertEqual(answer.count("HTTP/1.1 "), 1, headers)


class FakeNode:
    """Takes connections where a node should be; `answer` is sent for whatever is asked, None never."""

    def __init__(self, answer):
        self.answer, self.sockets = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try: client, _ = self.listener.accept()
            except OSError: return
            self.sockets.append(client)
            if self.answer is not None: threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            while client.recv(65536): client.sendall(self.answer)
        except OSError: pass

    def close(self):
        # shutdown wakes the thread in accept(), which would keep the port.
        self.listener.shutdown(socket.SHUT_RDWR)
        for each in [self.listener, *self.sockets]: each.close()


GARBAGE = {"no HTTP": b"\x00\x01garbage\r\n\r\n" * 100,
           "HTML": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>hi</html>",
           "other JSON": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"what":["is this"]',
           "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 20000}


class BrokenNodes(ClusterTest):
    def survives(self, answer):
        """A group of one good node answers for the other, which stands in a fake's place; a real one in that place catches up."""
        fake = FakeNode(answer)
        with Cluster(nodes=1, addresses={"b1": fake.address}, scatter="{node_timeout_ms: 500}") as cluster:
            stored = documents(0, 30)
            began = time.monotonic()
            cluster.api.write("POST", DOCUMENTS + "?primaryKey=id", stored)
            cluster.api.write("DELETE", DOCUMENTS + "/3")
            for _ in range(6): self.assertEqual(len(cluster.api.get(DOCUMENTS + "?limit=100")["results"]), 29)
            self.assertEqual(cluster.api.expect(200, "POST", "/indexes/things/search", {"q": "thing"})["hits"][0].keys(), {"id", "title"})
            self.assertLess(time.monotonic() - began, 10)
            self.assertFalse(cluster.miroir.nodes()["b1"]["healthy"])
            self.assertNotEqual(cluster.miroir.nodes()["b1"]["unhealthyWhy"], "")
            fake.close()
            cluster["b1"].port = fake.port
            cluster["b1"].start()
            model = model_of(stored)
            del model["3"]
            self.check_equal(cluster, "things", model)

    def test_a_node_that_answers_garbage(self):
        for what, answer in GARBAGE.items():
            with self.subTest(what): self.survives(answer)

    def test_a_node_that_answers_nothing(self):
        self.survives(None)

    def test_a_node_that_stops_in_the_middle(self):
        with Cluster(scatter="{node_timeout_ms: 500}") as cluster:
            stored = documents(0, 30)
            cluster.api.write("POST", DOCUMENTS + "?primaryKey=id", stored)
            cluster["a1"].process.send_signal(signal.SIGSTOP)
            try:
                began = time.monotonic()
                for n in range(4): cluster.api.expect(202, "POST", DOCUMENTS, documents(100 + n, 1))
                for _ in range(4): self.assertGreaterEqual(len(cluster.api.expect(200, "POST", "/indexes/things/search", {"limit": 100})["hits"]), 30)
                self.assertLess(time.monotonic() - began, 10)
            finally:
                cluster["a1"].process.send_signal(signal.SIGCONT)
            self.check_equal(cluster, "things", model_of(stored + documents(100, 4)))

    def test_no_node_at_all(self):
        with Cluster(groups=1, nodes=1) as cluster:
            stored = documents(0, 30)
            cluster.api.write("POST", DOCUMENTS + "?primaryKey=id", stored)
            cluster["a1"].end()
            self.assert_error(cluster.api.call("POST", "/indexes/things/search", {}), 503, "miroir_shard_unavailable")
            self.assert_error(cluster.api.call("GET", DOCUMENTS + "/1"), 503, "miroir_shard_unavailable")
            cluster.api.expect(202, "POST", DOCUMENTS, documents(100, 1))
            cluster["a1"].start()
            self.check_equal(cluster, "things", model_of(stored + documents(100, 1)))

    def test_a_wrong_key_towards_the_nodes(self):
        with Cluster(groups=1, nodes=1) as cluster:
            cluster["a1"].end()
            cluster["a1"].key = "anotherNodeMasterKey"
            cluster["a1"].start()
            wait_for("the node refuses the key", lambda: "key" in cluster.miroir.nodes()["a1"]["unhealthyWhy"])
            self.assertFalse(cluster.miroir.nodes()["a1"]["healthy"])
            task = cluster.api.expect(202, "POST", DOCUMENTS + "?primaryKey=id", documents(0, 3))["taskUid"]
            self.assertEqual(cluster.api.get(f"/tasks/{task}")["status"], "enqueued")
            cluster["a1"].end()
            cluster["a1"].key = NODE_KEY
            cluster["a1"].start()
            self.assertEqual(cluster.api.ended(task)["status"], "succeeded")
            self.check_equal(cluster, "things", model_of(documents(0, 3)))


class FullDisks(ClusterTest):
    @embedded_only
    def test_a_node_with_a_full_disk_catches_up_when_it_has_room(self):
        with Cluster() as cluster:
            stored = documents(0, 30)
            cluster.api.write("POST", DOCUMENTS + "?primaryKey=id", stored)
            cluster["b1"].faults(diskFull=True)
            for n in range(5): cluster.api.expect(202, "POST", DOCUMENTS, documents(100 + 10 * n, 10))
            self.assertEqual(cluster.api.expect(200, "POST", "/indexes/things/search", {"q": "thing", "limit": 0})["query"], "thing")
            wait_for("the others have it", lambda: {id for id, node in cluster.miroir.nodes().items() if node["lag"]} == {"b1"})
            cluster["b1"].faults(diskFull=False)
            self.check_equal(cluster, "things", model_of(stored + documents(100, 50)))
            self.assertEqual(cluster.miroir.metric("miroir_antientropy_docs_repaired_total"), 0)

    def test_a_full_disk_under_the_log_refuses_writes_and_loses_none(self):
        with Cluster(groups=1) as cluster:
            model = model_of(documents(0, 30))
            cluster.api.write("POST", DOCUMENTS + "?primaryKey=id", list(model.values()))
            cluster.miroir.end(signal.SIGTERM)
            size = max(os.path.getsize(os.path.join(cluster.miroir.data, name)) for name in os.listdir(cluster.miroir.data))
            cluster.miroir.start(limit_file_size(size + MEGABYTE))
            refused = None
            for n in range(1000, 3000):
                each = {"id": n, "title": os.urandom(20000).hex()}
                status, answer = cluster.api.call("POST", DOCUMENTS, [each])
                if status != 202:
                    refused = status, answer
                    break
                model[str(n)] = each
            self.assertIsNotNone(refused, "the disk was never full")
            self.assert_error(refused, 503, "miroir_store_unavailable")
            self.assertEqual(cluster.api.get(DOCUMENTS + "/1")["id"], 1)
            self.assertEqual(cluster.api.call("GET", "/health")[0], 200)
            cluster.miroir.end()
            cluster.miroir.start()
            after = {"id": 5000, "title": "there is room again"}
            cluster.api.write("POST", DOCUMENTS, [after])
            model["5000"] = after
            self.check_equal(cluster, "things", model)


class Configurations(unittest.TestCase):
    NODES = "  nodes:\n    - {id: a, address: \"http://127.0.0.1:1\", replica_group: 0}\n"
    REFUSED = {
        "an unknown key": ("miroir:\n  sharts: 64\n" + NODES, 2, "miroir.sharts", "did you mean `shards`?"),
        "an unknown key in a block": ("miroir:\n" + NODES + "  server:\n    prot: 7700\n", 5, "miroir.server.prot", "did you mean `port`?"),
        "a wrong type": ("miroir:\n  shards: many\n" + NODES, 2, "miroir.shards", "expected a whole number"),
        "an impossible value": ("miroir:\n  shards: 0\n" + NODES, 2, "miroir.shards", "from 1 to 65536"),
        "a key given twice": ("miroir:\n  shards: 8\n" + NODES + "  shards: 9\n", 5, "shards", "twice"),
        "a schedule that does not parse": ("miroir:\n" + NODES + "  anti_entropy: {schedule: \"every now and then\"}\n", 4, "anti_entropy.schedule", "every 6h"),
        "a duration without a unit": ("miroir:\n" + NODES + "  anti_entropy: {light_interval: 60}\n", 4, "anti_entropy.light_interval", "60s"),
        "replicas inside a group": ("miroir:\n  replication_factor: 2\n" + NODES, 2, "replication_factor", "replica_group"),
        "no YAML": ("miroir: [\n", 2, "", ""),
    }

    def test_a_configuration_that_is_wrong_stops_the_start_and_says_where(self):
        with Cluster(groups=1, nodes=1) as cluster:
            path = os.path.join(cluster.folder, "wrong.yaml")
            for what, (text, line, key, expected) in self.REFUSED.items():
                with self.subTest(what):
                    with open(path, "w") as file: file.write(text)
                    for command in ("serve", "check-config"):
                        ended = subprocess.run([MIROIR, command, "--config", path, "--data-dir", os.path.join(cluster.folder, "unused"), "--port", "0",
                                                "--metrics-port", "0"], capture_output=True, text=True, timeout=20)
                        self.assertNotEqual(ended.returncode, 0)
                        self.assertIn(f"{path}:{line}", ended.stderr)
                        self.assertIn(key, ended.stderr)
                        self.assertIn(expected, ended.stderr)
            self.assertFalse(os.path.exists(os.path.join(cluster.folder, "unused")), "a refused start leaves nothing behind")

    def test_a_configuration_that_is_right_is_called_so(self):
        with Cluster(groups=1, nodes=1) as cluster:
            ended = subprocess.run([MIROIR, "check-config", "--config", os.path.join(cluster.folder, "miroir.yaml")], capture_output=True, timeout=20)
            self.assertEqual(ended.returncode, 0)

    def test_a_missing_configuration(self):
        ended = subprocess.run([MIROIR, "serve", "--config", "/nowhere/miroir.yaml"], capture_output=True, text=True, timeout=20)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("/nowhere/miroir.yaml", ended.stderr)


if __name__ == "__main__":
    unittest.main()
