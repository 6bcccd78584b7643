#!/usr/bin/env python3
"""Mutations of Miroir, to prove that the simulation would notice.

A mutation is a file mutations/NAME: a sentence, a source file, and lines of it (-) with what takes
their place (+). Each becomes a program miroir-sim-NAME, the same but for that one source; nothing
of it is in the product.

  mutate.py write MUTATION OUT     the mutated source
  mutate.py check                  each still fits its source, at one place
  mutate.py run BUILD [NAME…]      builds and runs them, and prints a table; 1 if one goes unnoticed
"""
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SEEDS = 2000


class Mutation:
    def __init__(self, path):
        lines = pathlib.Path(path).read_text().splitlines()
        self.name = pathlib.Path(path).name
        self.sentence, self.source = lines[0], lines[1]
        self.hunks = []  # (old, new)
        for line in lines[2:]:
            removes = line.startswith("-")
            if not self.hunks or (removes and self.hunks[-1][1]):
                self.hunks.append(([], []))
            self.hunks[-1][0 if removes else 1].append(line[1:])

    def applied(self):
        text = (ROOT / self.source).read_text()
        for old, new in self.hunks:
            wanted = "".join(line + "\n" for line in old)
            if text.count(wanted) != 1:
                sys.exit(f"{self.name}: {text.count(wanted)} places in {self.source} read\n{wanted}"
                         f"The source changed: change test/sim/mutations/{self.name} with it.")
            text = text.replace(wanted, "".join(line + "\n" for line in new))
        return f'#line 1 "{self.source}"\n' + text


def all_mutations():
    return [Mutation(path) for path in sorted((HERE / "mutations").iterdir())]


def write(mutation, out):
    pathlib.Path(out).write_text(Mutation(mutation).applied())


def check():
    for mutation in all_mutations():
        mutation.applied()
    print(f"{len(all_mutations())} mutations fit")


def first_noticed(build, target):
    """The first seed that fails with the mutation and holds without it, and what fails."""
    def first_failed(program, first, count):
        out = subprocess.run([f"{build}/test/{program}", "--first", str(first), "--seeds",
                              str(count), "--stop"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        return re.search(r"^seed (\d+): (.*)", out, re.MULTILINE)

    first = 1
    while first <= SEEDS:
        found = first_failed(target, first, SEEDS + 1 - first)
        if not found:
            break
        seed = int(found.group(1))
        if not first_failed("miroir-sim", seed, 1):
            return seed, found.group(2)
        first = seed + 1
    return None, ""


def run(build, names):
    mutations = [m for m in all_mutations() if not names or m.name in names]
    subprocess.run(["cmake", "--build", build, "--target", "miroir-sim"],
                   check=True, stdout=subprocess.DEVNULL)
    unnoticed = 0
    print(f"{'mutation':<20} {'seeds':>6} {'s':>5}  what the simulation says", flush=True)
    for mutation in mutations:
        target = f"miroir-sim-{mutation.name}"
        subprocess.run(["cmake", "--build", build, "--target", target],
                       check=True, stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        seed, said = first_noticed(build, target)
        seconds = time.monotonic() - begun
        unnoticed += seed is None
        print(f"{mutation.name:<20} {seed or SEEDS:>6} {seconds:5.0f}  "
              f"{said[:90] if seed else 'NOTHING: ' + mutation.sentence}", flush=True)
    print(f"{len(mutations)} mutations, {unnoticed} unnoticed within {SEEDS} seeds")
    return 1 if unnoticed or not mutations else 0


def main(arguments):
    if arguments[:1] == ["write"] and len(arguments) == 3:
        return write(*arguments[1:])
    if arguments == ["check"]:
        return check()
    if arguments[:1] == ["run"] and len(arguments) >= 2:
        return run(arguments[1], arguments[2:])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
