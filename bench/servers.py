"""Servers of one benchmark: started on a free port, asked over one kept connection, stopped."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import time

KEY = "benchmarkMasterKey"
LOOPBACK = "127.0.0.1"


def free_port():
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


class Server:
    """A process that serves HTTP, and one connection to it."""

    def __init__(self, command, port, log):
        self.port = port
        self.log = open(log, "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.connection = http.client.HTTPConnection(LOOPBACK, port, timeout=120)
        self._await_health()

    def request(self, method, path, body=None, headers=None):
        """The status and the answer's bytes. Bodies are bytes, or values to be sent as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **(headers or {})}
        self.connection.request(method, path, body, sent)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def call(self, method, path, body=None, headers=None):
        status, answer = self.request(method, path, body, headers)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return json.loads(answer)

    def write(self, method, path, body):
        return self.call(method, path, body)["taskUid"]

    def await_task(self, uid):
        while True:
            task = self.call("GET", f"/tasks/{uid}")
            if task["status"] == "succeeded":
                return task
            if task["status"] in ("failed", "canceled"):
                raise RuntimeError(f"task {uid}: {task['status']} {task['error']}")
            time.sleep(0.02)

    def memory(self):
        """Resident MiB: now, and at its highest."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))

    def cpu_seconds(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def stop(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def _await_health(self):
        deadline = time.monotonic() + 60
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args[:2]} ended; see {self.log.name}")
            try:
                self.call("GET", "/health")
                return
            except (OSError, RuntimeError, http.client.HTTPException):
                self.connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def node(miroir, directory):
    """An embedded node, or the server that MIROIR_TEST_NODE names."""
    port = free_port()
    real = os.environ.get("MIROIR_TEST_NODE")
    if real:
        command = [real, "--http-addr", f"{LOOPBACK}:{port}", "--db-path", f"{directory}/data", "--no-analytics"]
        command += ["--master-key", KEY, "--experimental-replication-parameters", "--log-level", "WARN"]
    else:
        command = [miroir, "node", "--port", str(port), "--data-dir", str(directory), "--master-key", KEY]
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    return Server(command, port, f"{directory}.log")
