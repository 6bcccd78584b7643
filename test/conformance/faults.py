#!/usr/bin/env python3
"""The embedded node under kill -9 and with its fault switch: faults.py SERVER"""
import http.client, json, re, signal, subprocess, sys, tempfile, time

failures = []


def check(what, got, want):
    if got != want:
        failures.append(what)
        print(f"FAIL {what}: want {want}, got {got}")


class Node:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, self.folder + "/data", "key", "--faults"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)\s*$", self.process.stdout.readline()).group(1))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Authorization": "Bearer key", "Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def faults(self, **what): check("faults are set", self.call("POST", "/_node/faults", what)[0], 200)

    def wait(self, uid, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            task = self.call("GET", f"/tasks/{uid}")[1]
            if task["status"] in ("succeeded", "failed", "canceled"): return task
            time.sleep(0.01)
        raise TimeoutError(f"task {uid}")

    def write(self, documents, **headers):
        status, answer = self.call("POST", "/indexes/i/documents?primaryKey=id", documents, headers)
        assert status == 202, answer
        return answer["taskUid"]

    def total(self): return self.call("GET", "/indexes/i/documents?limit=0")[1]["total"]


def kills(node):
    acknowledged, deleted = set(), set()
    for life in range(4):
        last = None
        for n in range(life * 100, life * 100 + 100):
            last = node.write([{"id": n, "text": "word " * 50}])
            acknowledged.add(n)
        swap_before = node.call("POST", "/indexes", {"uid": f"x{life}"})[1]["taskUid"]
        gone = life * 100 + 5
        last = node.call("DELETE", f"/indexes/i/documents/{gone}")[1]["taskUid"]
        deleted.add(gone)
        node.kill()  # while tasks wait and run
        node.start()
        check("an acknowledged task runs after kill -9", node.wait(last)["status"], "succeeded")
        check("a creation runs once", node.wait(swap_before)["status"], "succeeded")
    check("acknowledged documents stay, deleted ones are gone", node.total(), len(acknowledged - deleted))
    found = {d["id"] for d in node.call("GET", "/indexes/i/documents?limit=1000&fields=id")[1]["results"]}
    check("every document is the right one", found, acknowledged - deleted)


def misbehaves(node):
    before = node.total()
    node.faults(failTasks=1)
    check("a task fails on purpose", node.wait(node.write([{"id": 9000}]))["error"]["code"], "internal")
    check("the next does not", node.wait(node.write([{"id": 9001}]))["status"], "succeeded")

    node.faults(delayMs=300)
    started = time.monotonic()
    node.call("GET", "/health")
    check("answers are late", time.monotonic() - started >= 0.3, True)
    node.faults(delayMs=0)

    for fault, happened in (("dropAnswers", True), ("cutConnections", False)):
        newest = node.call("GET", "/tasks?limit=1")[1]["results"][0]["uid"]
        node.faults(**{fault: 1})
        try:
            node.write([{"id": 9100}])
            check(f"{fault} closes the connection", "answered", "closed")
        except (http.client.HTTPException, ConnectionError):
            pass
        now = node.call("GET", "/tasks?limit=1")[1]["results"][0]["uid"]
        check(f"{fault}: whether it happened", now > newest, happened)

    node.faults(diskFull=True)
    status, answer = node.call("POST", "/indexes/i/documents", [{"id": 9200}])
    check("a full disk refuses", (status, answer["code"]), (422, "no_space_left_on_device"))
    check("a full disk is read", node.call("GET", "/indexes/i/documents/9001")[0], 200)
    node.faults(diskFull=False)
    check("a disk with room again accepts", node.wait(node.write([{"id": 9200}]))["status"], "succeeded")
    check("an unknown fault is refused", node.call("POST", "/_node/faults", {"fire": 1})[0], 400)
    check("what was written is there", node.total(), before + 3)


def main():
    with tempfile.TemporaryDirectory() as folder:
        node = Node(sys.argv[1], folder)
        try:
            kills(node)
            misbehaves(node)
        finally:
            node.kill()
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
