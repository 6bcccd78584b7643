#!/usr/bin/env python3
"""Start a node, run a check against it, and stop it.

    run.py SERVER FILE.json [--skip TAG]…    the recordings of one file
    run.py SERVER beyond.py                  what no recording covers
    run.py SERVER PROGRAM [ARGUMENT]…        tests that find the node in MIROIR_TEST_NODE_URL and _KEY

SERVER is node_conformance_server; the environment's MIROIR_TEST_NODE names a Meilisearch binary to use instead.
"""
import os, re, signal, socket, subprocess, sys, tempfile, time, urllib.request

KEY = "conformanceMasterKey"


def start_embedded(program, folder):
    server = subprocess.Popen([program, folder + "/data", KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    found = re.search(r"http://\S+", line)
    if not found: sys.exit(f"the node did not start: {line!r}")
    return server, found.group(0)


def start_meilisearch(program, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    server = subprocess.Popen([program, "--experimental-replication-parameters", "--no-analytics", "--http-addr", address,
                               "--master-key", KEY, "--db-path", folder + "/data"], cwd=folder,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://{address}/health", timeout=1)
            return server, "http://" + address
        except OSError:
            time.sleep(0.1)
    sys.exit("Meilisearch did not start")


def main():
    program, recordings, options = sys.argv[1], sys.argv[2], sys.argv[3:]
    real = os.environ.get("MIROIR_TEST_NODE")
    replay = os.path.join(os.path.dirname(os.path.abspath(__file__)), "replay.py")
    with tempfile.TemporaryDirectory() as folder:
        server, url = start_meilisearch(real, folder) if real else start_embedded(program, folder)
        try:
            environment = dict(os.environ, MIROIR_TEST_NODE_URL=url, MIROIR_TEST_NODE_KEY=KEY)
            command = [recordings, *options]
            if recordings.endswith(".py"): command = [sys.executable, recordings, url, KEY]
            if recordings.endswith(".json"): command = [sys.executable, replay, url, recordings, "--key", KEY, *options]
            result = subprocess.run(command, env=environment)
        finally:
            if real: server.send_signal(signal.SIGTERM)
            else: server.stdin.close()
            server.wait(timeout=30)
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
