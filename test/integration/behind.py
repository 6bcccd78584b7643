#!/usr/bin/env python3
"""What is written or lost behind Miroir's back: what becomes ours or goes, what only a stale node holds, what an old disk brings back."""
import unittest

from cluster import Cluster, ClusterTest, wait_for

PATH = "/indexes/films/documents"


def rows_of_state(cluster, since=0):
    """{(reason, index or key): row} of what is no document's, by passes after that one; of b1, where a1 has a row too."""
    rows = sorted((row for row in cluster.miroir.repairs() if row["id"] is None and row["pass"] > since), key=lambda row: row["node"])
    return {(row["reason"], row["index"] or row["key"]): row for row in rows}


class BehindMiroirsBack(ClusterTest):
    def cluster(self, **blocks):
        cluster = Cluster(**blocks)
        self.addCleanup(cluster.stop)
        cluster.api.write("POST", "/indexes", {"uid": "films", "primaryKey": "id"})
        return cluster

    def test_foreign_documents_become_versions_of_all_owners_and_no_event(self):
        cluster = self.cluster(anti_entropy="{light_interval: 1h, foreign_documents: adopt}", cdc="{enabled: true}")
        model = {str(i): {"id": i, "title": f"film {i}"} for i in range(30)}
        cluster.api.write("POST", PATH, list(model.values()))
        aliens = {f"alien-{i}": {"id": f"alien-{i}", "title": "from outside", "price": 1.0e-7, "n": [1, {"deep": None}]} for i in range(20)}
        cluster["a1"].api.write("POST", PATH, list(aliens.values()))  # half of them are no documents of this node's
        cluster["a2"].api.write("POST", PATH, [{"id": 7, "title": "overwritten"}])
        cluster.heal(60)
        model |= aliens
        self.check_equal(cluster, "films", model)
        repairs = cluster.miroir.repairs()
        adopted, strays = ({repair["id"] for repair in repairs if repair["repaired"] and repair["reason"] == reason and repair["id"] in aliens}
                           for reason in ("foreign_adopted", "stray"))
        self.assertEqual(adopted, set(aliens))
        self.assertTrue(0 < len(strays) < len(aliens), strays)  # where a1 is no owner, its copy went
        self.assertEqual(cluster.api.get(PATH + "/alien-3"), aliens["alien-3"])
        self.assertEqual(cluster.miroir.run_pass("deep")["mismatches"], 0)
        # From here on they are like all others.
        cluster.api.write("PUT", PATH, [{"id": "alien-3", "title": "ours"}])
        cluster.api.write("DELETE", PATH + "/alien-4")
        model["alien-3"], _ = {**aliens["alien-3"], "title": "ours"}, model.pop("alien-4")
        self.check_equal(cluster, "films", model)
        events = cluster.api.get("/_miroir/changes?since=0&wait=0")["events"]
        self.assertEqual({event["id"] for event in events if "alien" in str(event.get("id"))}, {"alien-3", "alien-4"})

    def test_foreign_documents_are_removed_and_nothing_else(self):
        cluster = self.cluster(anti_entropy="{light_interval: 1h, foreign_documents: remove}")
        model = {name: {"id": name, "title": "ours"} for name in ("a", "ABC", "b")}
        cluster.api.write("POST", PATH, list(model.values()))
        for node in ("a1", "a2"):
            cluster[node].api.write("POST", PATH, [{"id": f"alien-{i}", "title": node} for i in range(10)] + [{"id": "abc"}])
        cluster.heal(60)
        self.check_equal(cluster, "films", model)
        self.assertIn("foreign_removed", {repair["reason"] for repair in cluster.miroir.repairs()})

    def test_settings_keys_and_indexes_that_are_healed_are_in_the_audit(self):
        cluster = self.cluster(groups=2, nodes=1)
        cluster.api.write("PATCH", "/indexes/films/settings", {"stopWords": ["the"]})
        cluster.api.write("POST", "/indexes", {"uid": "shows", "primaryKey": "id"})
        key = cluster.api.expect(201, "POST", "/keys", {"actions": ["search"], "indexes": ["*"], "expiresAt": None})["uid"]
        cluster.wait_equal()
        self.assertTrue(cluster.miroir.run_pass("light")["clean"])
        outside = cluster["b1"].api
        outside.write("PATCH", "/indexes/films/settings", {"stopWords": ["a"]})
        outside.write("DELETE", "/indexes/shows")
        outside.write("POST", "/indexes", {"uid": "theirs", "primaryKey": "isbn"})
        outside.expect(204, "DELETE", f"/keys/{key}")
        cluster.heal(60, clean=False)
        rows = rows_of_state(cluster)
        self.assertEqual(set(rows), {("settings", "films"), ("index_missing", "shows"), ("key", key), ("index_unknown", "theirs")})
        for (reason, _), row in rows.items():
            healed = reason != "index_unknown"
            self.assertEqual((row["node"], row["repaired"], row["action"]), ("b1", healed, "heal" if healed else "report"), row)
        self.assertEqual((rows["settings", "films"]["held"], rows["settings", "films"]["wanted"]), ({"stopWords": ["a"]}, {"stopWords": ["the"]}))
        self.assertIn("settings set, verified", cluster.miroir.status())

    def test_index_that_was_dropped_while_a_node_was_away_for_longer_than_the_log_goes_there_too(self):
        cluster = self.cluster(groups=2, nodes=1, log="{retention: {age: 1s}}")
        for uid in ("old", "new"):
            cluster.api.write("POST", "/indexes", {"uid": uid, "primaryKey": "id"})
            cluster.api.write("POST", f"/indexes/{uid}/documents", [{"id": uid}])
        cluster.wait_equal()
        b1 = cluster["b1"]
        b1.end()
        wait_for("b1 is missed", lambda: not cluster.miroir.nodes()["b1"]["healthy"])
        model = {str(i): {"id": i} for i in range(10)}
        cluster.api.write("POST", PATH, list(model.values()))
        cluster.api.write("POST", "/swap-indexes", [{"indexes": ["old", "new"]}])
        cluster.api.write("DELETE", "/indexes/old")
        wait_for("the log keeps none of it", lambda: cluster.miroir.metric("miroir_log_bytes") == 0)
        b1.start()
        cluster.heal(60)
        self.check_equal(cluster, "films", model)
        self.check_equal(cluster, "new", {"old": {"id": "old"}})
        self.assertEqual({index["uid"] for index in b1.api.get("/indexes")["results"]}, {"films", "new"})

    def test_what_only_a_stale_node_still_holds_comes_back_everywhere(self):
        cluster = self.cluster(groups=2, nodes=1)
        model = {str(i): {"id": i, "title": f"film {i}"} for i in range(10)}
        cluster.api.write("POST", PATH, list(model.values()))
        a1, b1 = cluster["a1"], cluster["b1"]
        b1.keep_disk()
        cluster.wait_equal()
        cluster.api.write("POST", PATH, [{"id": 10, "title": "later"}])
        cluster.api.write("DELETE", PATH + "/9")
        model["10"], _ = {"id": 10, "title": "later"}, model.pop("9")
        cluster.wait_equal()

        # The one goes back to an older disk, the other loses documents, and a person takes it as it is.
        b1.put_disk_back()
        a1.api.write("POST", PATH + "/delete-batch", [3, 4])
        def both_stale():
            cluster.miroir.run_pass("light")
            return {node["state"] for node in cluster.miroir.nodes().values()} == {"stale"}
        wait_for("nobody is in sync", both_stale)
        self.assertTrue(cluster.wrong("films", model))
        wait_for("a1 is promoted", lambda: cluster.api.call("POST", "/_miroir/nodes/a1/promote")[0] == 200)

        cluster.heal(60)
        self.check_equal(cluster, "films", model)
        harvested = {repair["id"]: repair for repair in cluster.miroir.repairs() if repair["reason"] == "harvested"}
        self.assertEqual(set(harvested), {"3", "4"})
        self.assertTrue(all(repair["repaired"] and repair["winner"] == "b1" for repair in harvested.values()))
        self.assertEqual(cluster.api.get(PATH + "/3"), model["3"])


class OldDisk(ClusterTest):
    """What clients changed or took away since b1's disk was kept, which is put back."""

    def begin(self, **blocks):
        cluster = self.cluster = Cluster(groups=2, nodes=1, **blocks)
        self.addCleanup(cluster.stop)
        self.model = {str(i): {"id": i, "title": "first"} for i in range(10)}
        for uid in ("films", "shows"):
            cluster.api.write("POST", "/indexes", {"uid": uid, "primaryKey": "id"})
            cluster.api.write("POST", f"/indexes/{uid}/documents", list(self.model.values()))
        cluster.api.write("PATCH", "/indexes/films/settings", {"stopWords": ["the"], "synonyms": {"a": ["b"]}})
        key = {"name": "first", "actions": ["search"], "indexes": ["*"], "expiresAt": None}
        self.changed, self.deleted = (cluster.api.expect(201, "POST", "/keys", key) for _ in range(2))
        cluster.wait_equal()
        self.assertTrue(cluster.miroir.run_pass("light")["clean"])
        self.b1 = cluster["b1"]

    def keep_disk(self):
        self.b1.keep_disk()
        wait_for("b1 is back", lambda: all(node["healthy"] for node in self.cluster.miroir.nodes().values()))

    def change_keys(self):
        self.cluster.api.expect(200, "PATCH", "/keys/" + self.changed["uid"], {"name": "second"})
        self.cluster.api.expect(204, "DELETE", "/keys/" + self.deleted["uid"])
        self.cluster.wait_equal()

    def change_everything(self):
        """Until the log keeps no documents, and what is known of the nodes is saved."""
        api, self.model["3"] = self.cluster.api, {"id": 3, "title": "second"}
        self.change_keys()
        api.write("PATCH", "/indexes/films/settings", {"stopWords": ["a"], "synonyms": None})
        api.write("DELETE", "/indexes/shows")
        api.write("POST", PATH, [self.model["3"]])
        self.cluster.wait_equal()
        wait_for("the log is trimmed", lambda: self.cluster.miroir.metric("miroir_log_bytes") == 0)

    def heal(self):
        self.cluster.heal(60, clean=False)
        self.check_equal(self.cluster, "films", self.model)

    def names(self): return {node.name: {index["uid"] for index in node.api.get("/indexes")["results"]} for node in self.cluster.nodes}

    def check_keys(self):
        for server in (self.cluster.miroir, *self.cluster.nodes):
            self.assertEqual(server.api.get("/keys/" + self.changed["uid"])["name"], "second", server.name)
            self.assertEqual(server.api.call("GET", "/keys/" + self.deleted["uid"])[0], 404, server.name)

    def check_settings(self):
        for server in (self.cluster.miroir, *self.cluster.nodes):
            settings = server.api.get("/indexes/films/settings")
            self.assertEqual((settings["stopWords"], settings["synonyms"]), (["a"], {}), server.name)

    def test_keys_are_what_clients_made_of_them_whatever_a_stranger_or_an_old_disk_says(self):
        self.begin()
        changed, deleted = self.changed["uid"], self.deleted["uid"]
        self.b1.api.expect(200, "PATCH", "/keys/" + changed, {"name": "a stranger's", "description": "theirs"})
        report = self.cluster.miroir.run_pass("light")
        self.assertTrue(report["clean"])
        ((why, row),) = rows_of_state(self.cluster).items()
        self.assertEqual((why, row["node"], row["outcome"], row["repaired"]), (("key", changed), "b1", "made anew, verified", True))
        self.assertEqual([(row[whose]["name"], row[whose]["description"]) for whose in ("held", "wanted")],
                         [("a stranger's", "theirs"), ("first", None)])
        self.assertEqual(self.b1.api.get("/keys/" + changed)["name"], "first")

        # A key is no task: nothing tells that the disk is an older one.
        self.keep_disk()
        self.change_keys()
        self.b1.put_disk_back()
        self.assertEqual([self.b1.api.get("/keys/" + uid)["name"] for uid in (changed, deleted)], ["first", "first"])
        wait_for("it is healed", lambda: self.cluster.miroir.run_pass("light")["clean"])
        rows = {why: (row["node"], row["outcome"], row["repaired"]) for why, row in rows_of_state(self.cluster, since=report["pass"]).items()}
        self.assertEqual(rows, {("key", changed): ("b1", "made anew, verified", True), ("key_left", deleted): ("b1", "deleted, verified", True)})
        self.check_keys()

    def test_what_the_log_tells_again_leaves_a_pass_nothing_but_documents_that_it_keeps_no_more(self):
        self.begin(log="{retention: {age: 1s}}")
        self.keep_disk()
        self.change_everything()
        self.b1.put_disk_back()
        self.heal()
        self.assertEqual([(row["reason"], row["id"]) for row in self.cluster.miroir.repairs()], [("highest_stamp", "3")])
        self.assertEqual(self.names(), {"a1": {"films"}, "b1": {"films"}})
        self.check_settings()
        self.check_keys()

    def test_where_its_tasks_are_gone_too_a_pass_heals_it_and_the_index_is_nobody_elses(self):
        self.begin(log="{retention: {age: 1s}}")
        self.keep_disk()
        self.change_everything()
        newest = self.b1.api.get("/tasks?limit=1")["results"][0]["uid"]
        self.cluster.miroir.end()
        self.b1.put_disk_back()
        def somebody_deletes_its_tasks():
            return self.b1.api.ended(self.b1.api.expect(200, "DELETE", "/tasks?statuses=succeeded")["taskUid"])["uid"]
        wait_for("the numbers are given again", lambda: somebody_deletes_its_tasks() > newest)
        self.cluster.miroir.start()
        wait_for("the passes are known", lambda: self.cluster.api.get("/_miroir/anti-entropy/status")["indexes"])
        self.assertRegex(self.cluster.miroir.nodes()["b1"]["stateWhy"], "^its history is not ours: .*; somebody deleted tasks of it$")
        self.heal()
        self.assertEqual(self.cluster.api.call("GET", "/indexes/shows")[0], 404)
        self.assertEqual(self.names(), {"a1": {"films"}, "b1": {"films", "shows"}})
        self.check_settings()
        self.check_keys()
        rows = {why: (row["node"], row["action"], row["repaired"]) for why, row in rows_of_state(self.cluster).items()}
        healed = ("b1", "heal", True)
        self.assertEqual(rows, {("settings", "films"): healed, ("key", self.changed["uid"]): healed, ("key_left", self.deleted["uid"]): healed,
                                ("index_unknown", "shows"): ("b1", "report", False)})

    def test_index_that_was_dropped_under_a_name_that_it_never_got_on_the_old_disk_goes_there_too(self):
        self.begin()
        self.b1.api.write("POST", "/indexes", {"uid": "series", "primaryKey": "isbn"})
        self.keep_disk()
        self.cluster.api.write("PATCH", "/indexes/shows", {"uid": "series"})
        self.cluster.api.write("DELETE", "/indexes/series")
        wait_for("b1 has done it", lambda: not self.cluster.miroir.nodes()["b1"]["lag"])
        self.b1.put_disk_back()
        self.heal()
        self.assertEqual(self.names(), {"a1": {"films"}, "b1": {"films"}})
        self.assertEqual({why: (row["node"], row["action"], row["outcome"]) for why, row in rows_of_state(self.cluster).items()},
                         {("index_left", "shows"): ("b1", "heal", "dropped, verified")})


if __name__ == "__main__": unittest.main()
