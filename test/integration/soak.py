#!/usr/bin/env python3
"""Long runs on real processes: ./dev soak [--minutes 10] [--seed N], ./dev soak --no-faults [--writes 1000000], ./dev soak --drift

Clients write to several indexes: they add, replace, merge, delete by id, by filter and all. Meanwhile nodes and Miroir are
killed at random moments; then that stops, and after two passes every node must hold what was acknowledged. A seed draws
the same requests and blows, though not the same timing.

--no-faults: nothing is killed, and passes run one after another while so many documents are written: none may find anything.
--drift: 10,000 faults written into nodes behind Miroir's back, and 10,000 variants that change nothing (drift.py).

MIROIR_TEST_NODE=/path/to/meilisearch puts real servers in the nodes' place.
"""
import argparse, http.client, json, os, random, sys, threading, time
from collections import Counter

import drift
from cluster import Cluster, Client, FINAL, KEY, MEILISEARCH, wait_for
from ledger import Change, Ledger

INDEXES = ("ash", "bay", "cob")
WORDS = ("amber", "birch", "cedar", "délta", "ember\n", "fjord", "\"grove\"", "haven")
ASSUMED_DEAD = 30  # seconds that a client waits for an answer
EVERYTHING = 600  # seconds until all that was acknowledged is applied


class Writer(threading.Thread):
    """A client that draws its requests from a seed, and goes on where one was not answered. `kinds`: how often of each."""

    def __init__(self, cluster, ledger, seed, kinds, ids, batch):
        super().__init__()
        self.api, self.ledger, self.random = Client(cluster.miroir.port, KEY), ledger, random.Random(seed)
        self.kinds, self.ids, self.batch = kinds, ids, batch
        self.ended, self.wrong, self.requests, self.refused, self.task = threading.Event(), None, 0, 0, None

    def run(self):
        try:
            while not self.ended.is_set():
                self.step()
                # It writes no faster than the nodes can.
                if self.requests % 8 == 0 and self.task: self.catch_up()
        except Exception as error: self.wrong = error

    def step(self):
        index = self.random.choice(INDEXES)
        kind, = self.random.choices(list(self.kinds), self.kinds.values())
        self.requests += 1
        path = f"/indexes/{index}/documents"
        if kind == "post":
            body = json.dumps([self.document(id) for id in self.draw(self.batch)])
            self.send("POST", path, body, Change(index, kind, body))
        elif kind == "put":
            body = json.dumps([{"id": id, f"part{id % 3}": self.requests, "number": self.random.randrange(1000)} for id in self.draw(self.batch)])
            self.send("PUT", path, body, Change(index, kind, body))
        elif kind == "delete":
            id, = self.draw(1)
            self.send("DELETE", f"{path}/{id}", None, Change(index, "delete", [id]))
        elif kind == "batch":
            ids = self.draw(self.batch)
            self.send("POST", path + "/delete-batch", json.dumps(ids), Change(index, "delete", ids))
        elif kind == "filter":
            low = self.random.randrange(1000)
            self.send("POST", path + "/delete", json.dumps({"filter": f"number {low} TO {low + 9}"}), Change(index, "filter", (low, low + 9)))
        else: self.send("DELETE", path, None, Change(index, "clear"))

    def draw(self, count):
        first, count = self.random.randrange(self.ids), self.random.randint(1, count)
        return [(first + n) % self.ids for n in range(count)]

    def document(self, id):
        one, other = self.random.choice(WORDS), self.random.choice(WORDS)
        return {"id": id, "title": f"{one} {other}", "number": self.random.randrange(1000), "ratio": round(self.random.uniform(-9, 9), 4),
                "nested": {"list": [self.requests, None, one], "by": self.name}}

    def send(self, method, path, body, change):
        asked = self.ledger.ask()
        try: status, answer = self.api.call(method, path, body, timeout=ASSUMED_DEAD)
        except ConnectionRefusedError: return time.sleep(0.05)
        except (OSError, http.client.HTTPException) as error: return self.ledger.given_up(asked, change, isinstance(error, TimeoutError))
        if status == 202:
            self.task = answer["taskUid"]
            self.ledger.answered(asked, self.task, change)
        elif status == 503:  # nothing was written
            self.refused += 1
            time.sleep(0.05)
        else: raise AssertionError(f"{method} {path}: {status} {answer}")

    def catch_up(self):
        def done():
            try: status, answer = self.api.call("GET", f"/tasks/{self.task}", timeout=ASSUMED_DEAD)
            except (OSError, http.client.HTTPException): return self.ended.is_set()
            return status == 200 and answer["status"] in FINAL
        wait_for(f"task {self.task}", done, EVERYTHING)


class Blows:
    """Kills a process, or starts one that was killed, again and again."""

    def __init__(self, cluster, ledger, seed):
        self.cluster, self.ledger, self.random, self.counts = cluster, ledger, random.Random(seed), Counter()

    def strike(self):
        time.sleep(self.random.uniform(0, 1.5))
        servers = [*self.cluster.nodes, self.cluster.miroir]
        dead = [each for each in servers if each.process is None]
        if dead and (len(dead) > 2 or self.random.random() < 0.5): self.random.choice(dead).start()
        else: self.kill(self.random.choice([each for each in [*servers, self.cluster.miroir] if each.process]))

    def kill(self, server):
        server.end()
        if server is self.cluster.miroir: self.ledger.died()
        self.counts["Miroir" if server is self.cluster.miroir else "a node"] += 1

    def stop(self):
        for server in [*self.cluster.nodes, self.cluster.miroir]:
            if server.process is None: server.start()


class Passes(threading.Thread):
    """Light and deep ones, one after another. None may find anything."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.api, self.ended, self.wrong = cluster, Client(cluster.miroir.port, KEY), threading.Event(), None
        self.counts, self.shards = Counter(), 0

    def run(self):
        try:
            while not self.ended.is_set():
                for kind in ("light", "deep"): self.one(kind)
        except Exception as error: self.wrong = error

    def one(self, kind):
        status, report = self.api.call("POST", "/_miroir/anti-entropy/start", {"kind": kind, "wait": True}, timeout=EVERYTHING)
        if status != 200 or report["state"] != "completed" or report["mismatches"] or report["repaired"] or report["problems"]:
            raise AssertionError(f"a pass that was to find nothing: {status} {report}")
        unknown = {node: state for node, state in report["nodes"].items() if state != "in_sync"}
        self.counts[kind if not unknown else f"{kind}, without a node that was behind"] += 1
        self.shards += sum(index["shardsCompared"] for index in report["indexes"])


class Kept(Cluster):
    """Its files stay where the run failed."""

    def end(self):
        for server in [self.miroir, *self.nodes]: server.end()

    def __exit__(self, error, *_):
        if error: os.environ["MIROIR_TEST_KEEP"] = "1"
        self.stop()


def say(text): print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def start(**blocks):
    cluster = Kept(shards=64, **blocks)
    for index in INDEXES:
        cluster.api.write("POST", "/indexes", {"uid": index, "primaryKey": "id"})
        cluster.api.write("PATCH", f"/indexes/{index}/settings", {"filterableAttributes": ["number"], "searchableAttributes": ["title"]}, 120)
    return cluster


def run(cluster, ledger, writers, helpers, goes_on, beat, end=lambda: None):
    """Until `goes_on` says no. `beat` is called in between, `end` before the last answers are waited for."""
    threads, told = [*writers, *helpers], time.monotonic()
    for each in threads: each.start()
    try:
        while goes_on():
            beat()
            for each in threads:
                if each.wrong: raise each.wrong
            if time.monotonic() - told > 30:
                told = time.monotonic()
                say(f"{len(ledger.changes)} requests acknowledged, {ledger.writes} writes; {len(ledger.unanswered)} requests not answered")
    finally:
        for each in threads: each.ended.set()
        if sys.exc_info()[0]: cluster.end()  # nobody is to wait for what will not come
        else: end()
        for each in threads: each.join()
    for each in threads:
        if each.wrong: raise each.wrong


def prove(cluster, ledger):
    """Every node is read in full."""
    cluster.wait_equal(EVERYTHING)
    failed = cluster.api.get("/tasks?statuses=failed,canceled")
    if failed["total"]: raise AssertionError(f"tasks that did not succeed: {failed}")
    reports = [cluster.miroir.run_pass(kind, EVERYTHING) for kind in ("light", "deep")]
    wrong, copies = [], 0
    for index in INDEXES:
        held = {str(each["id"]): {k: v for k, v in each.items() if not k.startswith("_miroir_")}
                for node in cluster.nodes if node.group == 0 for each in node.documents(index)}
        wrong += [f"{index}: {sentence}" for sentence in cluster.wrong(index, ledger.model(index, held))]
        copies += sum(node.api.get(f"/indexes/{index}/documents?limit=0")["total"] for node in cluster.nodes)
    for sentence in wrong[:20]: say("WRONG: " + sentence)
    for report in reports:
        if report["mismatches"] or not report["clean"]: raise AssertionError(f"a pass found: {report}")
    if wrong: raise AssertionError(f"{len(wrong)} documents are not what was acknowledged")
    repairs = cluster.miroir.repairs()
    if repairs: raise AssertionError(f"the log alone should have been enough: {len(repairs)} repairs, as {repairs[0]}")
    say(f"{copies} copies read from {len(cluster.nodes)} nodes: all equal to what was acknowledged; 0 repairs")


def soak(minutes, seed):
    kinds = {"post": 40, "put": 25, "delete": 15, "batch": 10, "filter": 9, "clear": 1}
    with start(anti_entropy='{light_interval: 2s, schedule: "every 15s"}') as cluster:
        ledger, until = Ledger(), time.monotonic() + minutes * 60
        writers = [Writer(cluster, ledger, seed * 100 + n, kinds, 1500, 12) for n in range(4)]
        blows = Blows(cluster, ledger, seed)
        run(cluster, ledger, writers, [], lambda: time.monotonic() < until, blows.strike, blows.stop)
        say(f"{len(ledger.changes)} requests acknowledged, {ledger.writes} writes; {len(ledger.unanswered)} requests not answered, "
            f"{sum(each.refused for each in writers)} refused; kill -9 of " + ", ".join(f"{who} {n} times" for who, n in blows.counts.items()))
        prove(cluster, ledger)


def steady(writes, seed):
    large = {"post": 60, "put": 20, "batch": 20}
    small = {"post": 40, "put": 30, "delete": 26, "filter": 3.9, "clear": 0.1}
    with start(anti_entropy="{light_interval: 1h}") as cluster:
        ledger, began = Ledger(), time.monotonic()
        writers = [Writer(cluster, ledger, seed * 100 + n, large, 20_000, 1000) for n in range(2)]
        writers += [Writer(cluster, ledger, seed * 100 + n, small, 20_000, 3) for n in range(2, 5)]
        passes = Passes(cluster)
        run(cluster, ledger, writers, [passes], lambda: ledger.writes < writes, lambda: time.sleep(0.2))
        say(f"{ledger.writes} writes in {len(ledger.changes)} requests, {time.monotonic() - began:.0f} s; passes that found nothing: "
            f"{dict(passes.counts)}, {passes.shards} shards compared; "
            f"{cluster.miroir.metric('miroir_antientropy_scanned_bytes_total') / 1e6:.0f} MB read; "
            f"Miroir at most {cluster.miroir.memory() / 2**20:.0f} MiB")
        for name in ("mismatches_found", "docs_repaired", "conflicts"):
            found = cluster.miroir.metric(f"miroir_antientropy_{name}_total")
            if found: raise AssertionError(f"{name}: {found}")
        prove(cluster, ledger)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--writes", type=int, default=1_000_000)
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--drift", action="store_true")
    options = parser.parse_args()
    say(f"seed {options.seed}, nodes are {'real servers' if MEILISEARCH else 'embedded'}")
    if options.drift: drift.drift(faults=10_000, variants=10_000, seed=options.seed, say=say)
    elif options.no_faults: steady(options.writes, options.seed)
    else: soak(options.minutes, options.seed)


if __name__ == "__main__": main()
