#!/usr/bin/env python3
"""The recordings of test/conformance against a Miroir before four nodes: for clients it is one Meilisearch.

conformance.py [FILE…] takes these recordings only. What differs must be excepted, with the reason, in through_miroir.json.
"""
import os, subprocess, sys

from cluster import Cluster, KEY

RECORDINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance")
FILES = ("contract", "documents", "filters", "indexes", "keys", "multi_search", "search", "settings", "tasks")
# Ranking depends on what else a node holds; `node` tags what concerns one server.
SKIPPED = ("ranking", "typo", "node")


def main():
    with Cluster() as cluster:
        files = [os.path.join(RECORDINGS, name + ".json") for name in sys.argv[1:] or FILES]
        command = [sys.executable, os.path.join(RECORDINGS, "replay.py"), f"http://127.0.0.1:{cluster.miroir.port}", *files,
                   "--key", KEY, "--exceptions", os.path.join(RECORDINGS, "through_miroir.json")]
        for tag in SKIPPED: command += ["--skip", tag]
        return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
