#!/usr/bin/env python3
"""Every rule of house.py, broken once on a small tree of its own."""

import tempfile
import unittest
from pathlib import Path

import house

CMAKE = """
# miroir_room(commented USES top)
miroir_room(base LIBRARIES some_libraries)
miroir_room(http USES base LIBRARIES http_libraries)
miroir_room(top USES http
            base)
miroir_program(miroir src/top/main.cc USES top)
"""


class HouseTest(unittest.TestCase):
    def problems(self, files, cmake=CMAKE):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "CMakeLists.txt").write_text(cmake)
            for path in ("src/base/a.h", "src/http/a.h", "src/top/a.h", "src/base/a_fake.h"):
                files = {path: "#pragma once\n"} | files
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            return house.check_tree(root)

    def refused(self, path, text, *words):
        problems = self.problems({path: text})
        self.assertEqual(len(problems), 1, problems)
        for word in (path, *words):
            self.assertIn(word, problems[0])

    def allowed(self, path, text):
        self.assertEqual(self.problems({path: text}), [])

    def test_clean_tree_passes(self):
        self.assertEqual(self.problems({}), [])

    def test_includes_follow_the_table(self):
        self.allowed("src/top/b.cc", '#include "http/a.h"\n#include "base/a.h"\n#include "top/a.h"\n')
        self.refused("src/http/b.cc", '\n#include "top/a.h"\n', ":2:", "http may not use top")
        self.refused("src/base/b_test.cc", '#include "http/a.h"\n', "base may not use http")
        self.refused("src/top/b.cc", '#include "a.h"\n', "room/file.h")
        self.assertEqual(self.problems({"src/top/data.inc": "{1, 2}\n",
                                        "src/top/b.cc": '#include "top/data.inc"\n'}), [])
        self.refused("src/top/b.cc", '#include "../http/a.h"\n', "room/file.h")
        self.refused("src/top/b.cc", '#include "http/gone.h"\n', "names no file")
        self.allowed("test/sim/b.cc", '#include "top/a.h"\n#include "sim/b.h"\n')

    def test_table_points_down_and_names_every_folder(self):
        upward = CMAKE.replace("miroir_room(base LIBRARIES", "miroir_room(base USES top LIBRARIES")
        self.assertIn("base uses top", self.problems({}, upward)[0])
        self.assertIn("src/attic", self.problems({"src/attic/a.h": "#pragma once\n"})[0])

    def test_libraries_stay_behind_their_door(self):
        self.refused("src/top/b.cc", "#include <boost/beast/http.hpp>\n", "Beast")
        self.allowed("src/http/b.cc", "#include <boost/beast/http.hpp>\n")
        self.refused("src/base/b.h", "#pragma once\n#include <simdjson.h>\n", "simdjson")
        self.allowed("src/base/b.cc", "#include <simdjson.h>\n")
        self.refused("src/top/b.cc", "#include <sqlite3.h>\n", "SQLite")
        self.refused("src/base/b.cc", "#include <spdlog/spdlog.h>\n", "log")
        self.allowed("src/base/logging.cc", "#include <spdlog/spdlog.h>\n")
        self.refused("src/top/b.cc", "#include <yaml-cpp/yaml.h>\n", "YAML")
        self.refused("src/top/b.cc", "#include <gtest/gtest.h>\n", "test libraries")
        self.refused("src/top/b.cc", '#include "base/a_fake.h"\n', "test doubles")
        self.allowed("src/top/b_test.cc", '#include <gtest/gtest.h>\n#include "base/a_fake.h"\n')

    def test_time_and_chance_are_injected(self):
        for text in ("std::chrono::system_clock::now();", "std::chrono::steady_clock::now();",
                     "std::random_device device;", "std::mt19937 engine;"):
            self.refused("src/top/b.cc", text + "\n", "comes from an injected")
            self.refused("test/sim/b.cc", text + "\n", "comes from an injected")
            self.allowed("src/base/b.cc", text + "\n")

    def test_tests_do_not_sleep(self):
        text = "std::this_thread::sleep_for(std::chrono::seconds(1));\n"
        self.refused("src/top/b_test.cc", text, "do not sleep")
        self.refused("test/integration/b.cc", text, "do not sleep")
        self.allowed("src/top/b_test.cc", "co_await clock.sleep_for(Seconds(1));\n")

    def test_comments_do_not_count_and_do_not_hide(self):
        self.allowed("src/top/b.cc", "// std::mt19937\n/* system_clock\n#include \"x.h\" */\n")
        self.refused("src/top/b.cc", "/* one\n two */ std::mt19937 engine;\n", ":2:")
        self.refused("src/top/b.cc", 'auto url = "http://x"; std::mt19937 engine;\n', ":1:")

    def test_files_keep_to_one_idea(self):
        def lines(count):
            return "#pragma once\n" + "\n" * (count - 1)

        self.allowed("src/top/b.h", lines(200))
        self.refused("src/top/b.h", lines(201), "201 lines")
        self.allowed("src/top/b.cc", lines(500))
        self.refused("src/top/b.cc", lines(501), "501 lines")

    def test_headers_are_guarded(self):
        self.refused("src/top/b.h", "int x;\n", "#pragma once")


if __name__ == "__main__":
    unittest.main()
