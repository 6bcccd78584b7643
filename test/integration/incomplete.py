#!/usr/bin/env python3
"""Nodes that do not show a deep pass all that they hold, or exchange it for something else while it is read."""
import json, unittest

from deciding import PATH, DecidingTest
from relay import RelayedCluster

INDEX = "/indexes/things"
# What a pass may say of a node that was written to while it was read: it depends on whether its lane had seen that by then.
EXCHANGED = r"^unknown: (it fell back while its documents were read|its history is not the log's: .+)$"


class PagedCluster(RelayedCluster):
    """`on_page` is given what a deep pass reads of one of `watched`, by the page's number, before Miroir is."""
    watched, on_page, on_index = (), None, lambda self, answer: None

    def between(self, request, send):
        answer = send(request)
        if request.node.name not in self.watched: return answer
        if request.path == INDEX: self.on_index(answer)
        if request.path != PATH + "/fetch" or "fields" in request.json or "_miroir_slot" not in str(request.json.get("filter")): return answer
        self.pages[request.node.name] += 1
        self.on_page(request.node, self.pages[request.node.name], answer)
        return answer


class Incomplete(DecidingTest):
    THIRD = 3  # page: some come before it, and some after

    def setUp(self):
        self.cluster = PagedCluster(groups=3, nodes=1, shards=1, anti_entropy="{light_interval: 1h, fingerprint_batch_size: 10}")
        self.addCleanup(self.cluster.stop)
        self.model = {str(n): {"id": n, "value": "first"} for n in range(300)}
        self.cluster.api.write("POST", PATH + "?primaryKey=id", list(self.model.values()))
        self.check_equal(self.cluster, "things", self.model)
        self.before = self.everything(self.cluster)

    def read_while(self, act, *names):
        """A deep pass amid which that is done to these nodes, given what they have just answered."""
        self.cluster.pages = dict.fromkeys(names, 0)
        self.cluster.on_page = lambda node, number, answer: act(node, answer) if number == self.THIRD else None
        self.cluster.watched = names
        report = self.cluster.miroir.run_pass("deep")
        self.cluster.watched = ()
        self.assertGreaterEqual(min(self.cluster.pages.values()), self.THIRD, report)
        self.assertEqual([report[name] for name in ("state", "clean", "unresolved")], ["completed", False, 0], report)
        self.assertNotIn("cleanSweep", report)
        return report

    def check_nothing_was_done(self, report):
        self.assertEqual([report[name] for name in ("mismatches", "repaired")], [0, 0], report)
        self.assertEqual((self.everything(self.cluster), self.cluster.miroir.repairs()), (self.before, []))
        again = self.cluster.miroir.run_pass("deep")
        self.assertTrue(again["clean"])
        self.assertIn("cleanSweep", again)

    def check_unknown(self, report, *names):
        """Of these, and nothing else of the shard is known; in all places where an operator may look."""
        why = "; ".join(f"node {name}: " + report["nodes"][name].removeprefix("unknown: ") for name in names)
        self.assertEqual(self.shard_state(self.cluster), ([("unknown", "replica")], [("unknown", why)], [("unknown", why)]))
        self.assertEqual(self.metrics(self.cluster)[0], [("unknown", "replica")])
        self.assertEqual(report["indexes"][0]["shardsCompared"], 0)

    def leave_one_out(self, answer, lower):
        page = answer.json
        page["results"].pop()
        page["total"] -= lower
        answer.body = json.dumps(page).encode()

    def remake(self, node, documents):
        """The index, on that node, behind Miroir's back."""
        settings = node.api.get(INDEX + "/settings")
        node.api.write("DELETE", INDEX)
        node.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        node.api.write("PATCH", INDEX + "/settings", settings)
        if documents: node.api.write("POST", PATH, documents)

    def heal(self):
        self.cluster.heal()
        self.assertEqual(self.everything(self.cluster), self.before)

    def test_document_that_a_node_holds_and_a_page_does_not_show_is_missed(self):
        report = self.read_while(lambda node, answer: self.leave_one_out(answer, 1), "b1")
        said = "node b1: it holds 300 documents, and shows 299 when it is asked for them by slot"
        self.assertEqual(report["indexes"][0]["problems"], [said])
        self.assertRegex(self.cluster.miroir.status(), rf"(?m)^things +all +problem +{said}$")
        self.check_nothing_was_done(report)

    def test_page_that_is_shorter_than_it_says_is_not_read(self):
        report = self.read_while(lambda node, answer: self.leave_one_out(answer, 0), "b1")
        self.assertEqual(report["nodes"]["b1"], "unknown: answered fewer documents than it says match")
        self.check_unknown(report, "b1")
        self.check_nothing_was_done(report)

    def test_index_that_is_another_than_before_was_not_read(self):
        def is_another(answer): answer.body = json.dumps({**answer.json, "createdAt": "2020-01-01T00:00:00Z"}).encode()
        report = self.read_while(lambda *_: setattr(self.cluster, "on_index", is_another), "b1")
        self.assertEqual(report["nodes"]["b1"], "unknown: the index was exchanged for another while its documents were read")
        self.check_unknown(report, "b1")
        self.check_nothing_was_done(report)

    def test_index_that_is_dropped_and_remade_while_it_is_read_was_not_read(self):
        report = self.read_while(lambda node, _: self.remake(node, node.documents("things")), "b1")
        self.assertRegex(report["nodes"]["b1"], EXCHANGED)
        self.check_unknown(report, "b1")
        self.assertEqual((report["mismatches"], self.everything(self.cluster)), (0, self.before))
        self.heal()
        self.assertEqual(self.cluster.miroir.repairs(), [])

    def test_index_that_most_nodes_drop_while_it_is_read_comes_back_there_and_goes_nowhere(self):
        report = self.read_while(lambda node, _: self.remake(node, []), "b1", "c1")
        for name in ("b1", "c1"): self.assertRegex(report["nodes"][name], EXCHANGED)
        self.check_unknown(report, "b1", "c1")
        self.assertEqual(self.held(self.cluster, "a1"), self.before["a1"])
        self.heal()
        rows = self.cluster.miroir.repairs()
        self.assertEqual({row["id"] for row in rows if row["id"]}, set(self.model))
        self.assertEqual({(row["action"], row["reason"], row["winner"], row["repaired"]) for row in rows}, {("restore", "missing", "a1", True)})


if __name__ == "__main__": unittest.main()
