#!/usr/bin/env python3
"""The change stream: a subscriber of its own process is told of every write, once each, while nodes are damaged and
repaired, and of nothing else.

changes.py subscriber FILE SECRET PORT is that process: it checks what it is sent, and writes it down.
"""
import hashlib, hmac, http.client, http.server, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time, unittest
from collections import defaultdict

from cluster import Cluster, ClusterTest, Client, FINAL, KEY, wait_for

SECRET = "what only the two of us know"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes deliveries that are signed and whole; refuses every seventh, to be sent it again."""
    protocol_version, taken = "HTTP/1.1", 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        t, v1 = (part.split("=", 1)[1] for part in self.headers["X-Miroir-Signature"].split(","))
        made = hmac.new(self.secret, t.encode() + b"." + body, hashlib.sha256).hexdigest()
        Receiver.taken += 1
        status = 401 if made != v1 or abs(time.time() - int(t)) > 60 else 503 if Receiver.taken % 7 == 0 else 204
        if status != 503:
            with open(self.file, "a") as file: file.write(json.dumps({"status": status, **json.loads(body)}) + "\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_): pass


def receive(file, secret, port):
    Receiver.file, Receiver.secret = file, secret.encode()
    server = http.server.HTTPServer(("127.0.0.1", int(port)), Receiver)
    print(server.server_port, flush=True)
    server.serve_forever()


class Subscriber:
    def __init__(self, folder):
        self.file, self.port = os.path.join(folder, "events.jsonl"), 0
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.executable, __file__, "subscriber", self.file, SECRET, str(self.port)], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def deliveries(self):
        """Without a line that a kill cut short."""
        try:
            with open(self.file) as file: return [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError: return []

    def events(self):
        """Each once, by its cursor, as they came first."""
        return list({event["cursor"]: event for delivery in self.deliveries() for event in delivery["events"]}.values())


def place(event): return event["position"], int((event["cursor"].split("-") + ["0"])[1])


def repeated_once(told):
    """A write that was not answered is sent again by its client, and may have been taken twice."""
    return [each for number, each in enumerate(told) if number == 0 or told[number - 1] != each]


class Writer(threading.Thread):
    """Writes, merges and deletes its own documents; `told` is what the stream must tell of each, in order."""

    def __init__(self, cluster, name):
        super().__init__()
        self.api, self.name, self.told, self.live = Client(cluster.miroir.port, KEY), name, defaultdict(list), {}
        self.ended, self.wrong, self.acknowledged = threading.Event(), None, 0

    def insist(self, method, path, body=None):
        def accepted():
            try: status, answer = self.api.call(method, path, body, timeout=10)
            except (OSError, http.client.HTTPException): return False
            if status < 500 and status != 202: raise AssertionError(f"{method} {path}: {status} {answer}")
            if status == 202: self.task = answer["taskUid"]
            return status == 202
        wait_for(f"{method} {path} is acknowledged", accepted)
        self.acknowledged += 1

    def catch_up(self):
        """Until the nodes have done what this client wrote: it writes no faster than they can."""
        def done():
            try: return self.api.get(f"/tasks/{self.task}")["status"] in FINAL
            except (OSError, http.client.HTTPException): return False
        wait_for(f"task {self.task}", done, 60)

    def run(self):
        path, number = "/indexes/things/documents", 0
        try:
            while not self.ended.wait(0.02):
                number += 1
                written = [{"id": f"{self.name}{(number + n) % 40}", "number": number, "of": f"{self.name}{number % 3}"} for n in range(3)]
                self.insist("POST", path, written)
                for each in written:
                    self.told[each["id"]].append(("write", each))
                    self.live[each["id"]] = each
                part = {"id": written[0]["id"], "part": number}
                self.insist("PUT", path, [part])
                self.told[part["id"]].append(("merge", part))
                self.catch_up()
                if number % 2: continue
                if number % 8: gone = [written[1]["id"]]
                else: gone = [id for id, each in self.live.items() if each["of"] == f"{self.name}1"]
                if number % 8: self.insist("DELETE", f"{path}/{gone[0]}")
                else: self.insist("POST", path + "/delete", {"filter": f"of = {self.name}1"})
                for id in gone:
                    self.told[id].append(("delete", None))
                    del self.live[id]
        except Exception as error: self.wrong = error

    def goes_on(self, writes):
        target = self.acknowledged + writes
        wait_for("writes go on", lambda: self.wrong or self.acknowledged >= target, 180)

    def stop(self):
        self.ended.set()
        self.join()
        self.api.close()
        if self.wrong: raise self.wrong


def labelled(cluster, name):
    """{labels: value} of a metric."""
    connection = http.client.HTTPConnection("127.0.0.1", cluster.miroir.metrics_port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {labels: float(value) for labels, value in re.findall(rf"^{name}\{{([^}}]*)\}} (\S+)$", text, re.MULTILINE)}


def read_all(cluster, query=""):
    events, since = [], "0"
    while True:
        page = cluster.api.get(f"/_miroir/changes?since={since}&wait=0{query}")
        events, since = events + page["events"], page["next"]
        if not page["more"]: return events


class ChangesTest(ClusterTest):
    def subscriber(self):
        folder = tempfile.TemporaryDirectory(prefix="miroir-test-")
        self.addCleanup(folder.cleanup)
        subscriber = Subscriber(folder.name)
        self.addCleanup(subscriber.end)
        return subscriber

    def stream(self, sinks="[]", **blocks):
        cluster = Cluster(cdc=f"{{enabled: true, sinks: {sinks}}}", **blocks)
        self.addCleanup(cluster.stop)
        return cluster


class Acceptance(ChangesTest):
    def subscribed(self):
        """A cluster with a subscriber, and another that takes connections and never answers."""
        subscriber = self.subscriber()
        mute = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(mute.close)
        sinks = [{"id": "audit", "url": f"http://127.0.0.1:{subscriber.port}/changes", "secret": SECRET},
                 {"id": "mute", "url": f"http://127.0.0.1:{mute.getsockname()[1]}/", "secret": SECRET}]
        return self.stream(json.dumps(sinks), anti_entropy="{light_interval: 1s}"), subscriber

    def test_acceptance_3_cdc_suppression(self):
        cluster, subscriber = self.subscribed()
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        cluster.api.write("PATCH", "/indexes/things/settings", {"filterableAttributes": ["of"]})
        quiet = [{"id": f"quiet{n}", "number": n} for n in range(60)]
        cluster.api.write("POST", "/indexes/things/documents", quiet)
        refused = cluster.api.expect(202, "POST", "/indexes/things/documents", [{"id": "not an id"}])["taskUid"]
        self.assertEqual(cluster.api.ended(refused)["status"], "failed")
        cluster.wait_equal()
        before = labelled(cluster, "miroir_cdc_events_suppressed_total")
        self.assertEqual(before['origin="antientropy"'], 0)

        writers = [Writer(cluster, name) for name in "ab"]
        for writer in writers: writer.start()
        try:
            repaired = self.damage_and_repair(cluster, writers[0])
            suppressed = labelled(cluster, "miroir_cdc_events_suppressed_total")['origin="antientropy"']
            self.assertGreaterEqual(suppressed, repaired)
            subscriber.end()
            writers[1].goes_on(20)
            subscriber.start()
            cluster.miroir.end()
            cluster.miroir.start()
            repaired += self.damage_and_repair(cluster, writers[0])
        finally:
            for writer in writers: writer.stop()
        self.assertGreater(repaired, 20)

        for writer in writers: writer.catch_up()
        cluster.wait_equal()
        wanted = read_all(cluster)
        wait_for("the last event arrives", lambda: subscriber.events()[-1:] == wanted[-1:])
        events = subscriber.events()
        self.assertEqual(events, wanted)
        self.check_told(events, writers, quiet)
        self.assertEqual({delivery["status"] for delivery in subscriber.deliveries()}, {204})
        self.assertEqual(set(labelled(cluster, "miroir_cdc_dropped_total").values()), {0})
        wait_for("no lag", lambda: labelled(cluster, "miroir_cdc_lag_seconds")['sink="audit"'] == 0)
        self.assertGreater(labelled(cluster, "miroir_cdc_lag_seconds")['sink="mute"'], 0)

    def damage_and_repair(self, cluster, writer):
        """Breaks documents of one node behind Miroir's back; returns how many repairs followed."""
        node, path = cluster["b1"], "/indexes/things/documents"
        done = cluster.miroir.metric("miroir_antientropy_docs_repaired_total")
        held = [each for each in node.documents("things") if each["id"].startswith("quiet")]
        node.api.write("POST", path + "/delete-batch", [each["id"] for each in held[:8]])
        node.api.write("POST", path, [{**each, "number": -1} for each in held[8:13]])
        def repaired():
            for kind in ("light", "deep"): cluster.miroir.run_pass(kind)
            return cluster.miroir.metric("miroir_antientropy_docs_repaired_total") - done >= 13
        wait_for("repairs", repaired, 60)
        writer.goes_on(10)
        return cluster.miroir.metric("miroir_antientropy_docs_repaired_total") - done

    def check_told(self, events, writers, quiet):
        self.assertEqual([place(event) for event in events], sorted({place(event) for event in events}))
        self.assertEqual({event["origin"] for event in events}, {"client"})
        told = defaultdict(list)
        for event in events:
            if "id" in event: told[event["id"]].append((event["kind"], event.get("body")))
        wanted = {each["id"]: [("write", each)] for each in quiet}
        for writer in writers: wanted.update(writer.told)
        self.assertEqual(set(told), set(wanted))
        for id in wanted: self.assertEqual(repeated_once(told[id]), repeated_once(wanted[id]), id)
        self.assertEqual([event["kind"] for event in events if "id" not in event], ["createIndex", "updateSettings"])


class Changes(ChangesTest):
    def test_a_reader_waits_for_what_is_written_next(self):
        cluster = self.stream()
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        now = cluster.api.get("/_miroir/changes")["next"]
        answers, reader = [], Client(cluster.miroir.port, KEY)
        waiting = threading.Thread(target=lambda: answers.append(reader.get(f"/_miroir/changes?since={now}&wait=30")))
        waiting.start()
        cluster.api.write("POST", "/indexes/things/documents", [{"id": 1}, {"id": 2}])
        waiting.join(timeout=20)
        reader.close()
        self.assertEqual([(event["kind"], event["id"], event["body"]) for event in answers[0]["events"]],
                         [("write", "1", {"id": 1}), ("write", "2", {"id": 2})])
        cluster.api.write("DELETE", "/indexes/things")
        self.assertEqual([event["kind"] for event in read_all(cluster, "&index=things")], ["createIndex", "write", "write", "dropIndex"])
        self.assertEqual(read_all(cluster, "&index=others"), [])
        self.assert_error(cluster.api.call("GET", "/_miroir/changes?since=1000000"), 410, "miroir_changes_lost")

    def test_a_reader_of_one_index_is_not_woken_by_another(self):
        cluster = self.stream()
        path = lambda index: f"/indexes/{index}/documents"
        for index in ("things", "others"): cluster.api.write("POST", "/indexes", {"uid": index, "primaryKey": "id"})
        now = cluster.api.get("/_miroir/changes")["next"]
        answers, reader = [], Client(cluster.miroir.port, KEY)
        waiting = threading.Thread(target=lambda: answers.append(reader.get(f"/_miroir/changes?since={now}&wait=60&index=things")))
        waiting.start()
        wait_for("the reader waits", lambda: cluster.miroir.metric("miroir_requests_in_flight") == 1)
        for n in range(3): cluster.api.write("POST", path("others"), [{"id": n}])
        began = time.monotonic()
        page = cluster.api.get(f"/_miroir/changes?since={now}&wait=1&index=things")
        self.assertEqual((page["events"], page["more"]), ([], False))
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual(answers, [])
        cluster.api.write("POST", path("things"), [{"id": "a"}])
        waiting.join(timeout=20)
        reader.close()
        shown = lambda events: [(event.get("index"), event["kind"], event.get("id")) for event in events]
        self.assertEqual([shown(page["events"]) for page in answers], [[("things", "write", "a")]])
        cluster.api.write("POST", path("others"), [{"id": 4}])
        cluster.api.write("POST", "/swap-indexes", [{"indexes": ["things", "others"]}])
        self.assertEqual(shown(cluster.api.get(f"/_miroir/changes?since={answers[0]['next']}&wait=30&index=things")["events"]),
                         [(None, "swapIndexes", None)])
        self.assertEqual(len(read_all(cluster, "&index=others")), 6)

    def test_webhook_is_told_ids_alone_where_it_wants_no_bodies(self):
        subscribers = {"whole": self.subscriber(), "ids": self.subscriber()}
        cluster = self.stream(json.dumps([{"id": name, "url": f"http://127.0.0.1:{each.port}/", "secret": SECRET, "bodies": name == "whole"}
                                          for name, each in subscribers.items()]))
        path = "/indexes/things/documents"
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        cluster.api.write("POST", path, [{"id": 1, "value": "one"}, {"id": 2, "value": "two"}])
        cluster.api.write("PUT", path, [{"id": 1, "more": "three"}])
        cluster.api.write("DELETE", path + "/2")
        wanted = [("createIndex", None, None), ("write", "1", {"id": 1, "value": "one"}), ("write", "2", {"id": 2, "value": "two"}),
                  ("merge", "1", {"id": 1, "more": "three"}), ("delete", "2", None)]
        told = {}
        for name, each in subscribers.items(): told[name] = wait_for(name, lambda: len(each.events()) == len(wanted) and each.events())
        self.assertEqual([(event["kind"], event.get("id"), event.get("body")) for event in told["whole"]], wanted)
        self.assertEqual(told["ids"], [{key: value for key, value in event.items() if key != "body"} for event in told["whole"]])

    def test_sweeps_and_what_miroir_makes_are_told_where_settings_say_so(self):
        for told in (False, True):
            value = str(told).lower()
            with self.subTest(told=told), Cluster(cdc=f"{{enabled: true, emit_ttl_deletes: {value}, emit_internal_writes: {value}}}",
                                                  ttl="{enabled: true, sweep_interval_s: 1}") as cluster:
                expires = int((time.time() + 2) * 1000)
                cluster.api.write("POST", "/indexes/things/documents?primaryKey=id", [{"id": 1, "_miroir_expires_at": expires}, {"id": 2}])
                holders = lambda id: [node for node in cluster.nodes if any(each["id"] == id for each in node.documents("things"))]
                wait_for("it is swept", lambda: not holders(1), 60)
                holders(2)[0].api.write("DELETE", "/indexes/things/documents/2")
                self.assertEqual(cluster.miroir.run_pass("light")["repaired"], 1)
                wanted = [("client", "write", "1"), ("client", "write", "2")]
                if told: wanted = [("system", "createIndex", None), ("system", "updateSettings", None), *wanted, ("ttl_expire", "delete", "1")]
                read = lambda: [(event["origin"], event["kind"], event.get("id")) for event in read_all(cluster)]
                wait_for("the events", lambda: len(read()) >= len(wanted))
                self.assertEqual(read(), wanted)
                suppressed = labelled(cluster, "miroir_cdc_events_suppressed_total")
                self.assertEqual({origin: suppressed[f'origin="{origin}"'] > 0 for origin in ("antientropy", "ttl_expire", "system")},
                                 {"antientropy": True, "ttl_expire": not told, "system": not told})

    def test_a_reader_is_told_what_the_log_keeps_no_more(self):
        cluster = Cluster(cdc="{enabled: true, retention: 1s}", log="{retention: {age: 1s}}")
        self.addCleanup(cluster.stop)
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        task = cluster.api.write("POST", "/indexes/things/documents", [{"id": 1}])["uid"]
        self.assertEqual([event["kind"] for event in read_all(cluster)], ["createIndex", "write"])
        wait_for("the log keeps none of it", lambda: cluster.miroir.metric("miroir_log_bytes") == 0)
        page = cluster.api.get("/_miroir/changes?since=0&wait=0")
        self.assertEqual([event["kind"] for event in page["events"]], ["createIndex"])
        message = self.assert_error(cluster.api.call("GET", f"/_miroir/changes?since={page['next']}&wait=0"), 410, "miroir_changes_lost")
        self.assertIn(str(task), message)
        cluster.api.write("DELETE", "/indexes/things/documents/1")
        self.assertEqual([event["kind"] for event in cluster.api.get(f"/_miroir/changes?since={task}&wait=0")["events"]], ["delete"])

    def test_webhooks_that_were_away_for_too_long_are_told_what_the_log_still_has(self):
        subscribers = {name: self.subscriber() for name in ("hung", "down")}
        hung, down = subscribers.values()
        sinks = json.dumps([{"id": name, "url": f"http://127.0.0.1:{each.port}/", "secret": SECRET} for name, each in subscribers.items()])
        cluster = Cluster(cdc=f"{{enabled: true, retention: 1s, sinks: {sinks}}}", log="{retention: {age: 1s}}")
        self.addCleanup(cluster.stop)
        path = "/indexes/things/documents"
        write = lambda *ids: cluster.api.write("POST", path, [{"id": id} for id in ids])
        by_sink = lambda name: [labelled(cluster, f"miroir_cdc_{name}")[f'sink="{sink}"'] for sink in subscribers]
        told = lambda: [[(event["kind"], event.get("id")) for event in each.events()] for each in (hung, down)]

        def wait_told(wanted, dropped):
            wait_for(wanted, lambda: [len(each) for each in told()] == [len(each) for each in wanted])
            self.assertEqual(told(), wanted)
            wait_for("what was lost is counted", lambda: by_sink("dropped_total") == dropped)

        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        write(1)
        before = [("createIndex", None), ("write", "1")]
        wait_told([before, before], [0, 0])
        hung.process.send_signal(signal.SIGSTOP)
        down.end()
        refused = "a sink did not take events"
        self.assertNotIn(refused, cluster.miroir.said())
        write(2)
        wait_for("both are sent it, and neither takes it", lambda: refused in cluster.miroir.said())
        write(3, 4)
        cluster.api.write("DELETE", path + "/1")
        cluster.api.write("PATCH", "/indexes/things/settings", {"stopWords": ["of"]})
        write(5)
        wait_for("the log keeps none of it", lambda: cluster.miroir.metric("miroir_log_bytes") == 0)
        wait_for("both lag", lambda: min(by_sink("lag_seconds")) > 1)
        self.assertEqual(by_sink("dropped_total"), [0, 0])

        # The first has what it was sent, and what needs no body.
        hung.process.send_signal(signal.SIGCONT)
        wait_told([before + [("write", "2"), ("updateSettings", None)], before], [4, 0])
        self.assertIn("the log lost events before a sink took them", cluster.miroir.said())
        wait_for("no lag", lambda: by_sink("lag_seconds")[0] == 0)

        # What was to be sent to the other went with the process that held it.
        cluster.miroir.end()
        cluster.miroir.start()
        wait_for("Miroir answers", cluster.api.answers)
        down.start()
        wait_told([before + [("write", "2"), ("updateSettings", None)], before + [("updateSettings", None)]], [0, 5])
        write(6)
        cluster.api.write("DELETE", path + "/6")
        after = [("updateSettings", None), ("write", "6"), ("delete", "6")]
        wait_told([before + [("write", "2")] + after, before + after], [0, 5])
        wait_for("no lag", lambda: not any(by_sink("lag_seconds")))

    def test_a_log_that_went_back_is_told_to_readers_and_counted_for_webhooks(self):
        subscriber = self.subscriber()
        cluster = self.stream(json.dumps([{"id": "audit", "url": f"http://127.0.0.1:{subscriber.port}/", "secret": SECRET}]))
        path = "/indexes/things/documents"
        dropped = lambda: labelled(cluster, "miroir_cdc_dropped_total")['sink="audit"']
        told = lambda: [(event["kind"], event.get("id")) for event in subscriber.events()]
        cluster.api.write("POST", "/indexes", {"uid": "things", "primaryKey": "id"})
        cluster.api.write("POST", path, [{"id": 1}])
        wanted = [("createIndex", None), ("write", "1")]
        wait_for("what the copy holds is told", lambda: told() == wanted)
        cluster.miroir.end()
        copy = cluster.miroir.data + "-yesterday"
        shutil.copytree(cluster.miroir.data, copy)
        cluster.miroir.start()
        wait_for("Miroir answers", cluster.api.answers)
        before = cluster.api.get("/_miroir/changes")["next"]
        cluster.api.write("POST", path, [{"id": 2}])
        cluster.api.write("DELETE", path + "/1")
        wanted += [("write", "2"), ("delete", "1")]
        wait_for("what the copy lacks is told", lambda: told() == wanted)
        after = cluster.api.get("/_miroir/changes")["next"]
        cluster.wait_equal()

        cluster.miroir.end()
        shutil.rmtree(cluster.miroir.data)
        os.rename(copy, cluster.miroir.data)
        cluster.miroir.start()
        wait_for("the nodes are taken as they are", lambda: all(node["state"] == "in_sync" for node in cluster.miroir.nodes().values()), 60)
        cluster.api.write("POST", path, [{"id": 3}])
        wait_for("what is written then is told", lambda: told() == wanted + [("write", "3")])
        self.assertEqual(dropped(), 1)
        for since in (before, after):
            message = self.assert_error(cluster.api.call("GET", f"/_miroir/changes?since={since}&wait=0"), 410, "miroir_changes_lost")
            goes_on = re.search("goes on after `(.*)`", message)[1]
            self.assertEqual([event.get("id") for event in cluster.api.get(f"/_miroir/changes?since={goes_on}&wait=0")["events"]], ["3"])

    def test_a_reader_who_waits_does_not_hold_up_the_end(self):
        cluster = self.stream()
        now = cluster.api.get("/_miroir/changes")["next"]
        reader = Client(cluster.miroir.port, KEY)
        waiting = threading.Thread(target=lambda: reader.call("GET", f"/_miroir/changes?since={now}&wait=60"))
        waiting.start()
        wait_for("the reader waits", lambda: cluster.miroir.metric("miroir_requests_in_flight") == 1)
        began = time.monotonic()
        cluster.miroir.end(signal.SIGTERM)
        self.assertLess(time.monotonic() - began, 4)
        waiting.join(timeout=10)
        self.assertFalse(waiting.is_alive())
        reader.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["subscriber"]: receive(*sys.argv[2:])
    else: unittest.main()
