#!/usr/bin/env python3
"""The alert rules (deploy/prometheus/miroir.rules.yaml) in a real Prometheus before a real Miroir: every series that they name is
given, and a broken replica makes them fire. When each fires is in test/alerts."""
import json, os, pathlib, re, signal, subprocess, unittest, urllib.parse, urllib.request

from cluster import Cluster, ClusterTest, free_port, wait_for

PROMETHEUS = os.environ["PROMETHEUS"]
RULES = os.environ["RULES"]
PATH = "/indexes/books/documents"


class Prometheus:
    def __init__(self, folder, target):
        config, self.port = os.path.join(folder, "prometheus.yaml"), free_port()
        with open(config, "w") as file:
            json.dump({"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"}, "rule_files": [RULES],
                       "scrape_configs": [{"job_name": "miroir", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}]}, file)
        self.log = open(os.path.join(folder, "prometheus.log"), "wb")
        self.process = subprocess.Popen([PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder}/prometheus",
                                         f"--web.listen-address=127.0.0.1:{self.port}"], stderr=self.log, cwd=folder)

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=10) as answer: return json.load(answer)["data"]

    def series(self, selector): return self.ask("query", query=selector)["result"]

    def scraped(self):
        try: return self.series('up{job="miroir"} == 1')
        except OSError: return None

    def rules(self): return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def alerts(self, state): return {alert["labels"]["alertname"]: alert for alert in self.ask("alerts")["alerts"] if alert["state"] == state}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self.log.close()


def selectors(expression): return re.findall(r"miroir_\w+(?:\{[^}]*\})?", expression)


class Alerts(ClusterTest):
    def setUp(self):
        self.cluster = Cluster(anti_entropy="{light_interval: 1s}")
        self.addCleanup(self.cluster.stop)
        self.prometheus = Prometheus(self.cluster.folder, self.cluster.miroir.metrics_port)
        self.addCleanup(self.prometheus.stop)
        wait_for("Prometheus to look at Miroir", self.prometheus.scraped)

    def test_what_the_rules_name_is_there_from_the_start(self):
        rules = self.prometheus.rules()
        self.assertGreater(len(rules), 5)
        for rule in rules:
            self.assertTrue(selectors(rule["query"]), rule["query"])
            for selector in selectors(rule["query"]): self.assertTrue(self.prometheus.series(selector), f"{rule['name']}: no {selector}")
            for counter in re.findall(r"\w+_total", rule["query"]): self.assertEqual(self.cluster.miroir.metric(counter), 0, counter)
        self.assertEqual(self.prometheus.series("miroir_no_such_metric"), [])
        self.assertEqual(self.prometheus.series('miroir_antientropy_shard_state{state="broken"}'), [])

    def test_a_replica_that_differs_and_one_that_is_gone(self):
        self.cluster.api.write("POST", PATH + "?primaryKey=id", [{"id": n} for n in range(50)])
        self.cluster.wait_equal()
        wait_for("passes", lambda: self.prometheus.series("miroir_antientropy_last_scan_completed_seconds > 0"))
        self.assertEqual(set(self.prometheus.alerts("firing")), set())

        node = self.cluster["a1"]
        id = node.documents("books")[0]["id"]
        node.api.write("DELETE", f"{PATH}/{id}")
        wait_for("the mismatch", lambda: self.prometheus.alerts("firing"))
        firing = self.prometheus.alerts("firing")
        self.assertEqual(set(firing), {"MiroirAntientropyMismatch"})
        self.assertRegex(firing["MiroirAntientropyMismatch"]["annotations"]["description"], r"^\d+ documents, settings, keys or indexes\.")

        node.end()
        unknown = wait_for("the unknown replica", lambda: self.prometheus.alerts("pending").get("MiroirReplicaUnknown"))
        self.assertEqual(unknown["annotations"]["summary"], "Replicas of books cannot be compared (replica)")
        self.assertEqual(set(self.prometheus.alerts("pending")), {"MiroirReplicaUnknown", "MiroirDeepScanOverdue"})


class Tested(unittest.TestCase):
    def test_every_alert_is_tested_to_fire_and_not_to_fire(self):
        with open(RULES) as file: alerts = set(re.findall(r"- alert: (\w+)", file.read()))
        tests = "".join(path.read_text() for path in pathlib.Path(os.environ["RULES_TESTS"]).glob("*_test.yaml"))
        self.assertEqual(set(re.findall(r"labels: 'ALERTS\{alertname=\"(\w+)\",alertstate=\"firing\"", tests)), alerts)
        quiet = re.findall(r"expr: '?.*ALERTS\{alertname=\"(\w+)\"[^\n]*(?:\n\s*eval_time[^\n]*\n\s*)?exp_samples: \[\]", tests)
        self.assertEqual(set(quiet), alerts)


if __name__ == "__main__": unittest.main()
