#!/usr/bin/env python3
"""The manual against the code, run as a test: manual.py ROOT

Whatever an operator can name (configuration keys, environment, metrics, error codes, admin routes) is in
docs/admin.md, and what is named there exists.
"""

import re
import sys
from pathlib import Path

READERS = "string|number|strings|required_string|boolean|integer|milliseconds|duration|schedule|bytes|one_of|block|blocks"
KEY = re.compile(rf'(?:\b(?:{READERS})\(\s*|field_name\(block,\s*)"([a-z_]+)"')
NAME = re.compile(r'"(miroir_[a-z_]+)"')
VARIABLE = re.compile(r'take_environment\("(MIROIR_[A-Z_]+)"')
ROUTE = re.compile(r'add\("[A-Z]+", "(?:/_miroir/)?([a-z/{}-]+)"')


def sources(root, *patterns):
    for pattern in patterns:
        for file in sorted((root / "src").glob(pattern)):
            if not re.search(r"_(test|fake)\.(h|cc)$", file.name):
                yield file.read_text()


def found(pattern, texts):
    return {name for text in texts for name in pattern.findall(text)}


def check(root):
    manual = (root / "docs/admin.md").read_text()
    names = found(NAME, sources(root, "*/*.cc", "*/*.h"))
    keys = found(KEY, sources(root, "*/options.cc", "cli/config.cc")) - {"miroir"}
    variables = found(VARIABLE, sources(root, "cli/config.cc"))
    routes = {"/_miroir/" + route for route in found(ROUTE, sources(root, "proxy/admin_routes.cc"))}
    problems = []
    for name in sorted(names | keys | variables):
        if not re.search(rf"\b{name}\b", manual):
            problems.append(f"docs/admin.md: says nothing of `{name}`")
    for route in sorted(routes):
        if route not in manual:
            problems.append(f"docs/admin.md: says nothing of `{route}`")
    rows = re.findall(r"^\| `([^|]*)` \|", manual.split("## Configuration")[1].split("\n## ")[0], re.MULTILINE)
    written = set(re.findall(r"[a-z_]+", " ".join(rows)))
    for name in sorted(set(re.findall(r"(?<![\w/`-])miroir_[a-z_]+|(?<=`)miroir_[a-z_]+", manual)) - names):
        problems.append(f"docs/admin.md: `{name}` does not exist")
    for name in sorted(set(re.findall(r"MIROIR_[A-Z_]+", manual)) - variables):
        problems.append(f"docs/admin.md: `{name}` does not exist")
    for name in sorted(written - keys):
        problems.append(f"docs/admin.md: no configuration key `{name}`")
    return problems


def main():
    problems = check(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} differences between the manual and the code")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
