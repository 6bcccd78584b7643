"""Miroir before some nodes, for one benchmark."""

import pathlib
import re
import time

import servers

ADMIN = "/_miroir/anti-entropy"


class Cluster:
    """`groups` groups of `size` nodes with one Miroir before them. Passes run only when asked for."""

    def __init__(self, miroir, directory, groups, size):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True)
        self.nodes = {}
        lines = []
        for group in range(groups):
            for place in range(size):
                name = f"{'abcdefgh'[group]}{place + 1}"
                node = self.nodes[name] = servers.node(miroir, directory / name)
                address = f"http://{servers.LOOPBACK}:{node.port}"
                lines.append(f"    - {{id: {name}, address: '{address}', replica_group: {group}}}")
        port = servers.free_port()
        config = directory / "miroir.yaml"
        config.write_text(
            "miroir:\n  nodes:\n" + "\n".join(lines) + "\n"
            "  anti_entropy: {light_interval: 24h, schedule: every 24h}\n"
            "  health: {interval_ms: 500}\n"
            f"  server: {{bind: {servers.LOOPBACK}, port: {port}}}\n"
            f"  metrics: {{bind: {servers.LOOPBACK}, port: 0}}\n"
        )
        command = [miroir, "serve", "--config", str(config), "--data-dir", str(directory / "miroir")]
        command += ["--master-key", servers.KEY, "--node-master-key", servers.KEY]
        self.miroir = servers.Server(command, port, directory / "miroir.log")
        while self.miroir.request("GET", "/_miroir/ready")[0] != 200:
            time.sleep(0.05)

    def run_pass(self, kind):
        """One pass from end to end: seconds, bytes of documents read, its report."""
        before = self._scanned_bytes()
        start = time.monotonic()
        report = self.miroir.call("POST", f"{ADMIN}/start", {"kind": kind, "wait": True})
        seconds = time.monotonic() - start
        return seconds, self._scanned_bytes() - before, report

    def await_all(self, task):
        """Until the task has ended and every node has applied everything."""
        self.miroir.await_task(task)
        while any(node["lag"] for node in self.miroir.call("GET", "/_miroir/topology")["nodes"]):
            time.sleep(0.02)

    def cpu_seconds(self):
        return sum(server.cpu_seconds() for server in [self.miroir, *self.nodes.values()])

    def stop(self):
        for server in [self.miroir, *self.nodes.values()]:
            server.stop()

    def _scanned_bytes(self):
        text = self.miroir.request("GET", "/_miroir/metrics")[1].decode()
        values = re.findall(r"^miroir_antientropy_scanned_bytes_total\S* (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in values)
