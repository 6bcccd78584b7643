#!/usr/bin/env python3
"""Every rule of manual.py, broken once on a small tree of its own."""

import tempfile
import unittest
from pathlib import Path

import manual

CODE = {
    "src/log/metrics.cc": 'gauge("miroir_log_bytes");\n',
    "src/log/options.cc": 'block.bytes("size", 1);\n',
    "src/cli/config.cc": 'root.block("miroir").block("log");\ntake_environment("MIROIR_DATA_DIR", dir);\n',
    "src/proxy/admin_routes.cc": 'add("GET", "topology", handler);\n',
}
MANUAL = """`miroir_log_bytes`, `MIROIR_DATA_DIR`, `GET /_miroir/topology`
## Configuration
| `log.size` | 1 |
## The rest
"""


class ManualTest(unittest.TestCase):
    def problems(self, text, code=None):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, content in {**CODE, **(code or {}), "docs/admin.md": text}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(content)
            return manual.check(root)

    def refused(self, problems, word):
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(word, problems[0])

    def test_a_complete_manual_passes(self):
        self.assertEqual(self.problems(MANUAL), [])

    def test_what_the_code_has_is_in_the_manual(self):
        self.refused(self.problems(MANUAL, {"src/log/b.cc": 'counter("miroir_other_total")'}), "miroir_other_total")
        self.refused(self.problems(MANUAL, {"src/log/options.cc": 'bytes("size"); boolean(\n"fast")'}), "fast")
        self.refused(self.problems(MANUAL.replace("MIROIR_DATA_DIR", "")), "MIROIR_DATA_DIR")
        self.refused(self.problems(MANUAL.replace("topology", "")), "/_miroir/topology")

    def test_what_the_manual_names_is_in_the_code(self):
        self.refused(self.problems(MANUAL + "`miroir_gone_total`\n"), "miroir_gone_total")
        self.refused(self.problems(MANUAL + "MIROIR_GONE\n"), "MIROIR_GONE")
        self.refused(self.problems(MANUAL.replace("## The rest", "| `log.gone` | 2 |\n## The rest")), "gone")

    def test_tests_may_name_anything(self):
        self.assertEqual(self.problems(MANUAL, {"src/log/b_test.cc": '"miroir_only_here"'}), [])


if __name__ == "__main__":
    unittest.main()
