#!/usr/bin/env python3
"""The rules of the house, run as a test: house.py ROOT prints what breaks them and fails.

Rooms use only the rooms that CMakeLists.txt gives them (docs/design.md), libraries and sources of time
and chance stay behind their room's door, and files keep to one idea.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

HEADER_LINES_MAX = 200
SOURCE_LINES_MAX = 500


def is_test(path):
    return path.startswith(("test/", "bench/")) or re.search(r"_(test|fake)\.(h|cc)$", path) is not None


def inside(*folders):
    return lambda path: path.startswith(folders)


@dataclass
class Ban:
    pattern: str
    allowed: object  # whether a path may hold it
    words: str

    def __post_init__(self):
        self.pattern = re.compile(self.pattern)


BANS = [
    Ban(r"#include\s*<boost/beast", inside("src/http/"), "Beast stays in src/http"),
    Ban(r"#include\s*<simdjson", lambda path: re.match(r"src/base/\w+\.cc$", path),
        "simdjson stays in the sources of src/base"),
    Ban(r"#include\s*<sqlite3\.h", inside("src/sqlite/"), "SQLite's C interface stays in src/sqlite"),
    Ban(r"#include\s*<spdlog/", lambda path: path == "src/base/logging.cc",
        "log through base/logging.h"),
    Ban(r"#include\s*<yaml-cpp/", lambda path: path == "src/base/yaml.cc",
        "read YAML through base/yaml.h"),
    Ban(r"\b(system_clock|steady_clock|high_resolution_clock)\b", inside("src/base/"),
        "time comes from an injected Clock"),
    Ban(r"\b(random_device|mt19937|default_random_engine)\b", inside("src/base/"),
        "chance comes from an injected Random"),
    Ban(r"\b(this_thread::sleep_|usleep\s*\(|nanosleep\s*\()", lambda path: not is_test(path),
        "tests do not sleep: use a SimulatedClock, or wait for what should happen"),
    Ban(r"#include\s*<(gtest|gmock|rapidcheck)", is_test, "test libraries stay in tests"),
    Ban(r'#include\s*"\w+/\w+_fake\.h"', is_test, "test doubles stay in tests"),
]


@dataclass
class Rooms:
    uses: dict = field(default_factory=dict)  # room -> rooms it may use
    problems: list = field(default_factory=list)


def read_rooms(root):
    """The rooms table of CMakeLists.txt; each room may use only rooms declared above it."""
    rooms = Rooms()
    text = re.sub(r"#.*", "", (root / "CMakeLists.txt").read_text())
    for arguments in re.findall(r"miroir_room\(([^)]*)\)", text):
        name, *words = arguments.split()
        used = []
        section = None
        for word in words:
            if word in ("USES", "LIBRARIES"):
                section = word
            elif section == "USES":
                used.append(word)
        for room in used:
            if room not in rooms.uses:
                rooms.problems.append(f"CMakeLists.txt: {name} uses {room}, which is not a room below it")
        rooms.uses[name] = set(used)
    return rooms


def without_comments(text):
    """The code, with strings and line numbers kept."""
    def blank(match):
        token = match.group(0)
        return token if token[0] in "\"'" else "\n" * token.count("\n")

    return re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', blank, text, flags=re.DOTALL)


def check_include(path, target, root, rooms):
    if not re.match(r"\w+/\w+\.(h|inc)$", target):
        return f'include "{target}" as "room/file.h"'
    if not (root / "src" / target).exists():
        return None if path.startswith("test/") else f'include "{target}" names no file'
    if not path.startswith("src/"):
        return None
    room, used = path.split("/")[1], target.split("/")[0]
    if used != room and used not in rooms.uses.get(room, set()):
        return f"{room} may not use {used}"
    return None


def check_file(path, text, root, rooms):
    """Problems of one file, each with its line."""
    problems = []
    lines = text.count("\n")
    is_header = path.endswith(".h")
    longest = HEADER_LINES_MAX if is_header else SOURCE_LINES_MAX
    if lines > longest:
        problems.append(f"{path}: {lines} lines, at most {longest}: split it by idea")
    if is_header and "#pragma once" not in text:
        problems.append(f"{path}: no #pragma once")
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        for ban in BANS:
            if ban.pattern.search(line) and not ban.allowed(path):
                problems.append(f"{path}:{number}: {ban.words}")
        include = re.match(r'\s*#include\s*"([^"]+)"', line)
        if include:
            problem = check_include(path, include.group(1), root, rooms)
            if problem:
                problems.append(f"{path}:{number}: {problem}")
    return problems


def check_tree(root):
    rooms = read_rooms(root)
    problems = list(rooms.problems)
    for folder in sorted((root / "src").iterdir()):
        if folder.is_dir() and folder.name not in rooms.uses:
            problems.append(f"src/{folder.name}: no room of CMakeLists.txt")
    for top in ("src", "test", "bench"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in (".h", ".cc"):
                path = file.relative_to(root).as_posix()
                problems += check_file(path, file.read_text(), root, rooms)
    return problems


def main():
    problems = check_tree(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} broken rules of the house")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
