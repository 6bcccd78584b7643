"""A small cluster of real processes for the tests: nodes, one Miroir before them, and what they say.

Everything listens on loopback, on ports that the system gives; processes are ended by their pid. MIROIR names the
binary; MIROIR_TEST_NODE a Meilisearch binary, which then stands in for the embedded nodes.
"""
import contextlib, http.client, json, os, re, resource, shutil, signal, socket, sqlite3, subprocess, sys, tempfile, time, unittest

MIROIR = os.environ.get("MIROIR", "miroir")
MEILISEARCH = os.environ.get("MIROIR_TEST_NODE")
SANITIZED = bool(os.environ.get("MIROIR_TEST_SANITIZER"))  # slower, and larger by what the sanitizer keeps
KEY, NODE_KEY = "integrationMasterKey", "integrationNodeMasterKey"
FINAL = ("succeeded", "failed", "canceled")
IDLE = 30  # seconds after which a server may have closed a connection

embedded_only = unittest.skipIf(MEILISEARCH, "needs the embedded node's fault switch")


def wait_for(what, condition, seconds=30):
    """Returns condition()'s first true value."""
    seconds *= 4 if SANITIZED else 1
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value: return value
        if time.monotonic() > until: raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stored_number(text):
    """What a stored field holds: octal digits, written as characters that are no words."""
    return int("".join(str("!()*;?[]".index(each)) for each in text), 8)


class Client:
    """Calls one server; one connection at a time, kept open. Nothing is repeated."""

    def __init__(self, port, key):
        self.port, self.key, self.connection, self.used = port, key, None, time.monotonic()

    def call(self, method, path, body=None, headers=None, timeout=60):
        """Status and parsed answer; an OSError or HTTPException where the server does not answer."""
        headers = dict(headers or {})
        if self.key: headers.setdefault("Authorization", "Bearer " + self.key)
        if body is not None: headers.setdefault("Content-Type", "application/json")
        if body is not None and not isinstance(body, (bytes, str)): body = json.dumps(body)
        if isinstance(body, str): body = body.encode()
        if self.connection and time.monotonic() - self.used > IDLE: self.close()
        if self.connection is None: self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.connection.timeout = timeout
        if self.connection.sock: self.connection.sock.settimeout(timeout)
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        self.headers, self.used = answer.headers, time.monotonic()
        if answer.will_close: self.close()
        try: return answer.status, json.loads(text) if text else None
        except ValueError: return answer.status, text.decode("utf-8", "replace")

    def close(self):
        if self.connection: self.connection.close()
        self.connection = None

    def expect(self, status, method, path, body=None, headers=None, timeout=60):
        got, answer = self.call(method, path, body, headers, timeout)
        if got != status: raise AssertionError(f"{method} {path}: want {status}, got {got} {answer}")
        return answer

    def get(self, path): return self.expect(200, "GET", path)

    def write(self, method, path, body=None, seconds=30):
        """Sends a change and waits until its task succeeds."""
        task = self.ended(self.expect(202, method, path, body)["taskUid"], seconds)
        if task["status"] != "succeeded": raise AssertionError(f"{method} {path}: {task}")
        return task

    def ended(self, uid, seconds=30):
        def task():
            found = self.get(f"/tasks/{uid}")
            return found if found["status"] in FINAL else None
        return wait_for(f"task {uid}", task, seconds)

    def answers(self):
        try: return self.call("GET", "/health", timeout=5)[0] == 200
        except (OSError, http.client.HTTPException): return False


class Server:
    """One process of the cluster, which can be killed and started again on its port and its files."""

    def __init__(self, name, folder, key):
        self.name, self.folder, self.key = name, folder, key
        self.data, self.port, self.process = os.path.join(folder, name), 0, None

    def command(self): raise NotImplementedError

    def launch(self, limits=None):
        self.log = open(os.path.join(self.folder, self.name + ".log"), "ab")
        self.process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.log, preexec_fn=limits)

    def start(self, limits=None):
        self.launch(limits)
        line = self.process.stdout.readline().decode()
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
        if not found: raise AssertionError(f"{self.name} did not start: {line!r} {self.said()}")
        self.port = int(found.group(1))
        self.api = Client(self.port, self.key)
        return self

    def said(self):
        with open(os.path.join(self.folder, self.name + ".log"), errors="replace") as log: return log.read()[-4000:]

    def end(self, how=signal.SIGKILL):
        if self.process is None: return
        self.process.send_signal(how)
        self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        self.process = None
        if hasattr(self, "api"): self.api.close()

    def memory(self, name="VmHWM"):
        """Bytes: VmHWM is the most that was ever resident, VmRSS what is now."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"{name}:\s+(\d+) kB", status.read()).group(1)) * 1024


class Node(Server):
    def __init__(self, name, folder, group):
        super().__init__(name, folder, NODE_KEY)
        self.group = group

    def command(self):
        if MEILISEARCH:
            self.port = self.port or free_port()
            return [MEILISEARCH, "--experimental-replication-parameters", "--no-analytics", "--http-addr", f"127.0.0.1:{self.port}",
                    "--master-key", self.key, "--db-path", self.data, "--dump-dir", self.data + "-dumps",
                    "--snapshot-dir", self.data + "-snapshots"]
        return [MIROIR, "node", "--data-dir", self.data, "--port", str(self.port), "--master-key", self.key, "--faults"]

    def start(self, limits=None):
        if not MEILISEARCH: return super().start(limits)
        self.launch(limits)
        self.process.stdout.close()
        self.api = Client(self.port, self.key)
        wait_for(f"{self.name} answers", self.api.answers)
        return self

    def keep_disk(self):
        """For `put_disk_back`; as it is while the node is not running."""
        self.end()
        shutil.copytree(self.data, self.data + ".copy")
        self.start()

    def put_disk_back(self):
        self.end()
        shutil.rmtree(self.data)
        shutil.move(self.data + ".copy", self.data)
        self.start()

    def edit_disk(self, statement, values=()):
        """Behind everybody's back: who is written to through its API is not trusted."""
        self.end()
        with contextlib.closing(sqlite3.connect(os.path.join(self.data, "data.db"))) as disk, disk: disk.execute(statement, values)
        self.start()

    def faults(self, **what): self.api.expect(200, "POST", "/_node/faults", what)

    def documents(self, index):
        """Every document, stored fields included. Exact while nothing is written."""
        found, total = [], 1
        while len(found) < total:
            page = self.api.get(f"/indexes/{index}/documents?limit=1000&offset={len(found)}")
            found, total = found + page["results"], page["total"]
        return found


class Miroir(Server):
    def __init__(self, folder):
        super().__init__("miroir", folder, KEY)
        self.metrics_port = 0

    def command(self):
        return [MIROIR, "serve", "--config", os.path.join(self.folder, "miroir.yaml"), "--data-dir", self.data,
                "--port", str(self.port), "--metrics-port", str(self.metrics_port), "--master-key", KEY, "--node-master-key", NODE_KEY]

    def start(self, limits=None):
        super().start(limits)
        line = self.process.stdout.readline().decode()
        self.metrics_port = int(re.search(r"metrics on http://127\.0\.0\.1:(\d+)", line).group(1))
        return self

    def metric(self, name):
        """The sum over all labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        if not found: raise AssertionError(f"no metric {name}")
        return sum(float(value) for value in found)

    def nodes(self): return {node["id"]: node for node in self.api.get("/_miroir/topology")["nodes"]}

    def run_pass(self, kind, seconds=180 if MEILISEARCH else 60):
        return self.api.expect(200, "POST", "/_miroir/anti-entropy/start", {"kind": kind, "wait": True}, timeout=seconds)

    def status(self):
        """What `miroir status` prints."""
        environment = dict(os.environ, MIROIR_ADMIN_API_KEY=KEY)
        return subprocess.run([MIROIR, "status", "--url", f"http://127.0.0.1:{self.port}"], env=environment, check=True,
                              capture_output=True, text=True, timeout=60).stdout

    def repairs(self): return self.api.get("/_miroir/anti-entropy/repairs?limit=10000")["results"]


class Cluster:
    """`groups` groups of `nodes` nodes and a Miroir before them; `blocks` are more of its configuration."""

    def __init__(self, groups=2, nodes=2, shards=16, addresses=None, **blocks):
        self.folder = tempfile.mkdtemp(prefix="miroir-test-")
        self.nodes, self.miroir = [], Miroir(self.folder)
        self.shards, self.addresses = shards, addresses or {}
        self.blocks = {"health": "{interval_ms: 200, timeout_ms: 1000, unhealthy_threshold: 2, recovery_threshold: 1}",
                       "anti_entropy": "{light_interval: 1h}", "server": "{bind: 127.0.0.1}", "metrics": "{bind: 127.0.0.1}", **blocks}
        try:
            for group in range(groups):
                for number in range(nodes):
                    name = f"{'abcdefgh'[group]}{number + 1}"
                    self.nodes.append(Node(name, self.folder, group))
                    if name not in self.addresses: self.nodes[-1].start()
            self.configure()
            self.miroir.start()
            # A node that joins after another's first write is brought up from the log, and not read until then.
            if not addresses: self.wait_equal()
        except BaseException:
            self.stop()
            raise

    def __enter__(self): return self
    def __exit__(self, *_): self.stop()
    def __getitem__(self, name): return next(node for node in self.nodes if node.name == name)

    @property
    def api(self): return self.miroir.api

    def configure(self):
        """`addresses` puts something else where a node should be."""
        with open(os.path.join(self.folder, "miroir.yaml"), "w") as file:
            file.write(f"miroir:\n  shards: {self.shards}\n  nodes:\n")
            for node in self.nodes:
                address = self.addresses.get(node.name) or f"http://127.0.0.1:{node.port}"
                file.write(f"    - {{id: {node.name}, address: \"{address}\", replica_group: {node.group}}}\n")
            for name, text in self.blocks.items(): file.write(f"  {name}: {text}\n")

    def stop(self):
        for server in [self.miroir, *self.nodes]: server.end()
        if os.environ.get("MIROIR_TEST_KEEP"): print("kept", self.folder, file=sys.stderr)
        else: shutil.rmtree(self.folder, ignore_errors=True)

    def unequal(self):
        return [node for node in self.miroir.nodes().values() if node["state"] != "in_sync" or node["lag"] or not node["healthy"]]

    def wait_equal(self, seconds=30):
        try: wait_for("all nodes in sync", lambda: not self.unequal(), seconds)
        except TimeoutError as error: raise AssertionError(f"{error}: {self.unequal()}\n{self.miroir.said()}") from None

    def heal(self, seconds=30, clean=True):
        """Whoever writes to a node makes it stale: one pass notices, another proves. The last one's report."""
        def healed():
            report = self.miroir.run_pass("light")
            return report if (report["clean"] or not clean) and not self.unequal() else None
        return wait_for("everything is healed", healed, seconds)

    def wrong(self, index, model):
        """Compares every document of every node, read directly, with a model {id: document}; what is wrong, as sentences."""
        wrong = []
        for group in sorted({node.group for node in self.nodes}):
            seen = {}
            for node in self.nodes:
                if node.group != group: continue
                for document in node.documents(index):
                    id = str(document["id"])
                    if id in seen: wrong.append(f"{id} is on {seen[id]} and on {node.name}")
                    seen[id] = node.name
                    plain = {k: v for k, v in document.items() if not k.startswith("_miroir_")}
                    if id not in model: wrong.append(f"{id} on {node.name} was deleted, or never written")
                    elif plain != model[id]: wrong.append(f"{id} on {node.name} is {plain}, not {model[id]}")
                    if "_miroir_slot" not in document: wrong.append(f"{id} on {node.name} has no slot")
            wrong += [f"{id} is missing from group {group}" for id in model if id not in seen]
        return wrong


class ClusterTest(unittest.TestCase):
    def check_equal(self, cluster, index, model, seconds=30):
        """Every node holds exactly what was acknowledged."""
        cluster.wait_equal(seconds)
        self.assertEqual(cluster.wrong(index, model)[:20], [])

    def assert_memory(self, bytes, most):
        if not SANITIZED: self.assertLess(bytes, most)

    def assert_error(self, answer, status, code):
        """Meilisearch's error shape."""
        got, body = answer
        self.assertEqual((got, body.get("code") if isinstance(body, dict) else body), (status, code), body)
        self.assertEqual(set(body), {"message", "code", "type", "link"})
        return body["message"]


def limit_file_size(size):
    """For `start`: no file of the process grows beyond that, as on a full disk."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return limit
