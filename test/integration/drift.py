#!/usr/bin/env python3
"""Documents written into nodes behind Miroir's back: whatever differs is found and healed, and nothing else is.

Small here; ./dev soak --drift takes thousands.
"""
import json, random, sys, unittest

from cluster import Cluster, ClusterTest, wait_for

PATH = "/indexes/things/documents"
KINDS = ("deleted", "stale", "changed", "extra", "put back")
AT_A_TIME = 1000  # documents in a request to a node
LONG = 900  # seconds, for thousands on a busy machine


def read_by_node(text):
    """A decimal below 1 as a Meilisearch reads it: all its digits as one number, divided once."""
    digits = text.split(".")[1]
    return float(int(digits)) / float(10 ** len(digits))


def decimal_of(random):
    """One that is read as the same number from its shortest text and from 17 digits."""
    while True:
        value = random.uniform(0.1, 1)
        short, long = repr(value), f"{value:.17f}"
        if len(short) < len(long) and read_by_node(short) == read_by_node(long) == value: return value


def document(number, random, mark):
    return {"id": f"d{number}", "title": f"thing {number} é/\"", "count": number, "ratio": decimal_of(random), "mark": mark,
            "nested": {"zero": 0, "list": [1, 2.5, {"deep": number, "also": None}], "text": "näher\n"}}


def escaped(text): return '"' + "".join(f"\\u{ord(each):04x}" for each in text) + '"'


def variant(value, how):
    """The same value in another text: `how` is order, whole, escapes, digits or all."""
    again = lambda each: variant(each, how)
    if isinstance(value, dict):
        members = [(f"{escaped(k) if how in ('escapes', 'all') else json.dumps(k)}:"
                    f"{json.dumps(v) if k.startswith('_miroir_') else again(v)}") for k, v in value.items()]
        return "{" + ",".join(reversed(members) if how in ("order", "all") else members) + "}"
    if isinstance(value, list): return "[" + ",".join(map(again, value)) + "]"
    if isinstance(value, str) and how in ("escapes", "all"): return escaped(value)
    if isinstance(value, int) and not isinstance(value, bool) and how in ("whole", "all"): return f"{value}.0"
    if isinstance(value, float) and how in ("digits", "all"): return f"{value:.17f}" if value < 1 else f"{value:.16f}"
    return json.dumps(value, ensure_ascii=False)


class Story:
    def __init__(self, cluster, seed, documents):
        self.cluster, self.random = cluster, random.Random(seed)
        self.model = {f"d{n}": document(n, self.random, "first") for n in range(documents)}
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        cluster.api.write("PATCH", "/indexes/things/settings", {"searchableAttributes": ["title"]})
        self.write(list(self.model.values()))
        cluster.wait_equal(LONG)

    def write(self, documents):
        for first in range(0, len(documents), AT_A_TIME):
            task = self.cluster.api.expect(202, "POST", PATH, documents[first:first + AT_A_TIME])["taskUid"]
        self.cluster.api.ended(task, LONG)

    def send(self, node, method, path, bodies):
        """Straight to a node, until it has applied all."""
        for body in bodies: task = node.api.expect(202, method, path, body)["taskUid"]
        if bodies: node.api.ended(task, LONG)

    def put(self, node, texts): self.send(node, "POST", PATH, ["[" + ",".join(some) + "]" for some in runs(texts)])

    def remove(self, node, ids): self.send(node, "POST", PATH + "/delete-batch", [json.dumps(some) for some in runs(ids)])

    def passes(self, kind):
        """Until all nodes are in sync; the last report."""
        wait_for("nodes are healthy", lambda: all(node["healthy"] for node in self.cluster.miroir.nodes().values()))
        report = self.cluster.miroir.run_pass(kind, LONG)
        if report["unresolved"] or report["problems"] or self.cluster.unequal():
            raise AssertionError(f"the {kind} pass did not heal everything: {report} {self.cluster.unequal()}")
        return report

    def audit(self, after):
        """{id: row} of what passes after that one did."""
        rows = self.cluster.api.get("/_miroir/anti-entropy/repairs?limit=1000000")["results"]
        return {row["id"]: row for row in rows if row["pass"] > after}

    def damage(self, group, faults):
        """As many faults of each kind, all on the nodes of one group, found by the first pass, and healed."""
        nodes = [node for node in self.cluster.nodes if node.group == group]
        held = {each["id"]: (node, each) for node in nodes for each in node.documents("things")}
        drawn = self.random.sample(sorted(held), faults)
        chosen = {kind: drawn[n::len(KINDS)] for n, kind in enumerate(KINDS)}

        newer = [{**self.model[id], "mark": f"newer, group {group}", "count": -1} for id in chosen["stale"]]
        self.write(newer)
        self.model.update((each["id"], each) for each in newer)
        self.cluster.api.write("POST", PATH + "/delete-batch", chosen["put back"], LONG)
        for id in chosen["put back"]: del self.model[id]
        self.cluster.wait_equal(LONG)
        before = self.passes("deep")
        if before["mismatches"]: raise AssertionError(f"something was wrong before: {before}")

        for node in nodes:
            here = lambda kind: [each for id in chosen[kind] for owner, each in [held[id]] if owner is node]
            elsewhere = [each for id in chosen["extra"] for owner, each in [held[id]] if owner is not node]
            self.remove(node, [each["id"] for each in here("deleted")])
            changed = [{**each, "mark": "changed"} for each in here("changed")]
            self.put(node, list(map(json.dumps, [*here("stale"), *here("put back"), *elsewhere, *changed])))
        wrong = self.cluster.wrong("things", self.model)
        check("how many faults there are", len(wrong), faults)

        self.passes("light")
        found = self.audit(before["pass"])
        check("what was found", set(found), set(drawn))
        check("what was healed", {id for id, row in found.items() if row["repaired"]}, set(drawn))
        reasons = {"deleted": "missing", "stale": "highest_stamp", "changed": "checksum", "extra": "stray", "put back": "deleted"}
        check("why", {id: row["reason"] for id, row in found.items()}, {id: reasons[kind] for kind in KINDS for id in chosen[kind]})
        again = self.passes("deep")["mismatches"]
        check("what a second pass found", again, 0)
        self.equal()

    def disguise(self, group, variants):
        """Other texts of the same documents, all on the nodes of one group: not one may be found."""
        before = self.passes("light")["pass"]
        for node in self.cluster.nodes:
            if node.group != group: continue
            hows = ("order", "whole", "escapes", "digits", "all")
            documents = node.documents("things")
            chosen = self.random.sample(documents, min(len(documents), (variants + node.name.endswith("1")) // 2))
            self.put(node, [variant(each, hows[n % len(hows)]) for n, each in enumerate(chosen)])
        self.equal()
        found = {kind: self.passes(kind)["mismatches"] for kind in ("light", "deep")}
        check("what was found in variants", (found, self.audit(before)), ({"light": 0, "deep": 0}, {}))

    def equal(self): check("what is wrong", self.cluster.wrong("things", self.model)[:20], [])


def runs(items): return [items[first:first + AT_A_TIME] for first in range(0, len(items), AT_A_TIME)]


def check(what, got, wanted):
    if got == wanted: return
    if isinstance(wanted, set): got, wanted = ("too many", sorted(got - wanted)[:9]), ("too few", sorted(wanted - got)[:9])
    raise AssertionError(f"{what}: {got} {wanted}")


def drift(faults, variants, seed, say=lambda text: None):
    """In two halves, so that there is always a group that is right."""
    # All that is put back is deleted again: more than the breaker lets through.
    with Cluster(shards=64, anti_entropy="{light_interval: 1h, breaker: {min_documents: 1000000}}") as cluster:
        story = Story(cluster, seed, max(faults, variants) * 3 // 2)
        for group in (1, 0):
            story.disguise(group, variants // 2)
            say(f"{variants // 2} variants in group {group}: none was found")
            story.damage(group, faults // 2)
            say(f"{faults // 2} faults in group {group}: all were found and healed, and nothing else")


class Drift(unittest.TestCase):
    def test_faults_are_found_and_variants_are_not(self): drift(faults=500, variants=500, seed=1)


class OtherPrimaryKey(ClusterTest):
    """Somebody drops an index on one node, and makes it anew there with another primary key."""

    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.stop)
        self.model = {str(n): {"id": n, "isbn": f"i{n}"} for n in range(60)}
        self.cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        self.cluster.api.write("PATCH", "/indexes/things/settings", {"filterableAttributes": ["isbn"], "synonyms": {"a": ["b"]}})
        self.cluster.api.write("POST", PATH, list(self.model.values()))
        self.cluster.wait_equal()
        self.cluster.miroir.run_pass("light")
        self.node = self.cluster["b1"].api
        self.node.write("DELETE", "/indexes/things")
        self.node.write("POST", "/indexes", {"uid": "things", "primaryKey": "isbn"})

    def row(self):
        rows = [row for row in self.cluster.miroir.repairs() if row["id"] is None and row["node"] == "b1" and row["reason"] != "settings"]
        return {name: rows[0][name] for name in ("index", "action", "reason", "outcome", "repaired")}

    def check_healed(self):
        wait_for("in sync", lambda: self.cluster.miroir.run_pass("light")["clean"] and not self.cluster.unequal())
        self.check_equal(self.cluster, "things", self.model)
        for what in ("", "/settings"):
            held = [node.api.get("/indexes/things" + what) for node in self.cluster.nodes]
            for index in held: index.pop("createdAt", index.pop("updatedAt", None))
            self.assertEqual(held, [held[0]] * 4)
        self.assertEqual(self.node.get("/indexes/things")["primaryKey"], "id")

    def test_without_documents_it_is_given_the_right_one_and_its_documents(self):
        self.cluster.miroir.run_pass("light")
        self.assertEqual(self.row(), {"index": "things", "action": "heal", "reason": "primary_key_other",
                                      "outcome": "primary key set, verified", "repaired": True})
        self.check_healed()

    def test_made_without_any_it_is_given_the_right_one_and_its_documents(self):
        self.node.write("DELETE", "/indexes/things")
        self.node.write("POST", "/indexes", {"uid": "things"})
        self.cluster.miroir.run_pass("light")
        self.assertEqual(self.row(), {"index": "things", "action": "heal", "reason": "primary_key_missing",
                                      "outcome": "primary key set, verified", "repaired": True})
        self.check_healed()

    def test_documents_under_it_stay_until_somebody_drops_them(self):
        theirs = [{"isbn": "theirs", "id": 3}]
        self.node.write("POST", PATH, theirs)
        for kind in ("light", "deep"):
            problems = self.cluster.miroir.run_pass(kind)["problems"]
            self.assertIn("node b1: index `things` has the primary key `isbn` instead of `id`, and documents under it: drop it on that node",
                          problems)
        self.assertEqual(self.row(), {"index": "things", "action": "report", "reason": "documents_unknown",
                                      "outcome": "left as it is", "repaired": False})
        self.cluster.api.write("POST", PATH, [{"id": 1, "isbn": "new"}])
        self.model["1"]["isbn"] = "new"
        self.assertEqual(self.cluster["b1"].documents("things"), theirs)
        self.node.write("DELETE", "/indexes/things")
        self.check_healed()

class SwappedPrimaryKey(ClusterTest):
    """A swap failed on one node, where an index is another, with its documents and another primary key."""

    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.stop)
        self.model = {str(n): {"id": n, "title": f"book {n}"} for n in range(60)}
        for uid, key in (("things", "isbn"), ("books", "id")):
            self.cluster.api.write("POST", "/indexes", {"uid": uid, "primaryKey": key})
        self.cluster.api.write("POST", PATH, [{"isbn": f"i{n}"} for n in range(60)])
        self.cluster.api.write("POST", "/indexes/books/documents", list(self.model.values()))
        self.cluster.wait_equal()
        self.cluster.miroir.run_pass("light")
        self.node = self.cluster["b1"].api
        self.node.write("DELETE", "/indexes/books")
        self.cluster.api.write("POST", "/swap-indexes", [{"indexes": ["things", "books"]}])
        wait_for("the swap on all nodes", lambda: all(node["lag"] == 0 for node in self.cluster.miroir.nodes().values()))
        self.assertEqual(self.node.get("/indexes/things")["primaryKey"], "isbn")

    def reasons(self):
        return {(row["reason"], row["outcome"]) for row in self.cluster.miroir.repairs()
                if row["id"] is None and (row["node"], row["index"]) == ("b1", "things")}

    def check_healed(self):
        wait_for("in sync", lambda: self.cluster.miroir.run_pass("light")["clean"] and not self.cluster.unequal())
        self.check_equal(self.cluster, "things", self.model)
        self.assertEqual(self.node.get("/indexes/things")["primaryKey"], "id")

    def test_it_is_dropped_and_made_anew(self):
        self.cluster.miroir.run_pass("light")
        self.assertIn(("index_other", "dropped and made anew, verified"), self.reasons())
        self.check_healed()

    def test_not_while_a_stranger_has_a_document_in_it(self):
        self.node.write("POST", PATH, [{"isbn": "theirs"}])
        held = self.node.get(PATH + "?limit=0")["total"]
        self.cluster.miroir.run_pass("light")
        self.assertIn(("documents_unknown", "left as it is"), self.reasons())
        self.assertEqual(self.node.get(PATH + "?limit=0")["total"], held)
        self.node.write("POST", PATH + "/delete-batch", ["theirs"])
        self.check_healed()

    def test_nor_while_the_node_cannot_tell_whose_they_are(self):
        self.node.write("DELETE", "/indexes/things/settings/filterable-attributes")
        held = self.node.get(PATH + "?limit=0")["total"]
        self.cluster.miroir.run_pass("light")
        self.assertIn(("documents_unknown", "left as it is"), self.reasons())
        self.assertEqual(self.node.get(PATH + "?limit=0")["total"], held)
        self.check_healed()


if __name__ == "__main__": unittest.main()
