#!/usr/bin/env python3
"""How much of the nodes passes and sweeps take, as the nodes see it: how many are read at a time, and how long one that is slow is
left alone."""
import collections, dataclasses, re, statistics, threading, time, unittest

from cluster import ClusterTest, wait_for
from relay import RelayedCluster

PATH = "/indexes/things/documents"
RECONCILER = "/_miroir/anti-entropy/"


@dataclasses.dataclass
class Read:
    node: str
    number: int  # of those of that node
    sweep: bool
    began: float
    ended: float = 0

    @property
    def took(self): return self.ended - self.began


class Reads:
    """All of documents but those for a client's delete by filter (`MATCHING`), in the order in which they came. `hold` is called before
    each and is what makes the node slow."""
    MATCHING = b"client = matches"

    def __init__(self):
        self.lock, self.hold, self.under_way, self.most = threading.Lock(), lambda read: None, 0, 0
        self.forget()

    def forget(self):
        """All but how many there are, and were at most, at a time."""
        with self.lock: self.all, self.of_node, self.for_clients = [], collections.Counter(), 0

    def begin(self, node, path, body):
        if not path.endswith("/documents/fetch") and path != "/multi-search": return None
        with self.lock:
            if self.MATCHING in body:
                self.for_clients += 1
                return None
            read = Read(node, self.of_node[node], b"_miroir_expires_at" in body, time.monotonic())
            self.all.append(read)
            self.of_node[node] += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.hold(read)
        return read

    def end(self, read):
        if read is None: return
        with self.lock:
            read.ended = time.monotonic()
            self.under_way -= 1


class WatchedCluster(RelayedCluster):
    def __init__(self, **what):
        self.reads = Reads()
        super().__init__(**what)

    def between(self, request, send):
        read = self.reads.begin(request.node.name, request.path, request.body)
        try: return send(request)
        finally: self.reads.end(read)


class Load(ClusterTest):
    def filled(self, documents, nodes=1, anti_entropy="", **blocks):
        cluster = WatchedCluster(nodes=nodes, shards=4, anti_entropy=f"{{light_interval: 1h, {anti_entropy}}}", **blocks)
        self.addCleanup(cluster.stop)
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        cluster.api.write("PATCH", "/indexes/things/settings", {"filterableAttributes": ["client"]})
        self.model = {str(n): {"id": n, "client": "matches" if n % 10 == 0 else "does not"} for n in range(documents)}
        cluster.api.write("POST", PATH, list(self.model.values()))
        self.check_equal(cluster, "things", self.model)
        return cluster

    def reads_of_passes_and_sweeps(self, allowed):
        cluster = self.filled(200, nodes=2, anti_entropy=f"max_read_concurrency: {allowed}", ttl="{enabled: true, sweep_interval_s: 1}")
        soon = int(time.time() * 1000) + 1000
        cluster.api.write("POST", PATH, [{"id": f"expires-{n}", "_miroir_expires_at": soon} for n in range(20)])
        cluster.reads.hold = lambda read: time.sleep(0.05)
        cluster["b1"].api.write("POST", PATH + "/delete-batch", list(range(0, 200, 9)))

        def sweep_amid_a_pass():
            cluster.reads.forget()
            cluster.miroir.run_pass("deep")
            return re.search("p.*s.*p", "".join("s" if read.sweep else "p" for read in cluster.reads.all))
        wait_for("a sweep and a pass at the same time", sweep_amid_a_pass)
        wait_for("what has expired is gone", lambda: not cluster.wrong("things", self.model))
        self.assertTrue(cluster.miroir.run_pass("light")["clean"])
        self.assertEqual({read.node for read in cluster.reads.all}, {"a1", "a2", "b1", "b2"})
        return cluster.reads.most

    def test_nodes_are_read_one_at_a_time_where_no_more_may_be(self): self.assertEqual(self.reads_of_passes_and_sweeps(1), 1)

    def test_as_many_nodes_are_read_at_a_time_as_may_be(self): self.assertEqual(self.reads_of_passes_and_sweeps(3), 3)

    def test_delete_by_filter_does_not_wait_for_what_passes_read(self):
        cluster = self.filled(200, anti_entropy="max_read_concurrency: 1")
        cluster.reads.forget()
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        cluster.reads.hold = lambda read: go_on.wait()
        number = cluster.api.expect(202, "POST", RECONCILER + "start", {"kind": "deep"})["pass"]
        wait_for("the pass reads a node", lambda: cluster.reads.under_way)
        cluster.api.write("POST", PATH + "/delete", {"filter": "client = matches"}, 10)
        self.assertEqual((len(cluster.reads.all), cluster.reads.under_way), (1, 1), "still the first")
        self.assertGreater(cluster.reads.for_clients, 0)
        go_on.set()
        ended = lambda: next((each for each in cluster.api.get(RECONCILER + "passes")["results"] if each["pass"] == number and each["state"] != "running"), None)
        report = wait_for("the pass ends", ended)
        self.assertEqual((report["unresolved"], report["problems"]), (0, []), report)
        self.check_equal(cluster, "things", {id: each for id, each in self.model.items() if each["client"] != "matches"})

    def pages(self, cluster, node):
        """What a deep pass read of it."""
        cluster.reads.forget()
        report = cluster.miroir.run_pass("deep")
        self.assertTrue(report["clean"], report)
        return [read for read in cluster.reads.all if read.node == node]

    def test_node_that_becomes_slow_is_left_alone_between_two_pages_until_it_is_fast_again(self):
        SLOW = range(60, 64)
        cluster = self.filled(1500, anti_entropy="fingerprint_batch_size: 10")
        def cycle(pages): return statistics.median(after.began - page.began for page, after in zip(pages, pages[1:]))
        fast = self.pages(cluster, "a1")
        self.assertGreater(len(fast), SLOW.stop + 60)

        cluster.reads.hold = lambda read: time.sleep(0.2) if read.node == "a1" and read.number in SLOW else None
        pages = self.pages(cluster, "a1")
        self.assertEqual(len(pages), len(fast))
        rests = [pages[n + 1].began - pages[n].ended for n in SLOW]
        for n, rest in zip(SLOW, rests): self.assertGreaterEqual(rest, pages[n].took, n)
        busy = sum(pages[n].took for n in SLOW) / (pages[SLOW.stop].began - pages[SLOW.start].began)
        self.assertLess(busy, 0.5)
        self.assertGreater(rests[-1], 2 * pages[SLOW[-1]].took, "longer while it stays slow")
        self.assertLess(cycle(pages[-40:]), 5 * cycle(fast) + 0.01, "as fast as it was")


if __name__ == "__main__": unittest.main()
