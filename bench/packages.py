"""Debian's package index as documents: the real data of the benchmarks."""

import hashlib
import json
import subprocess

TEXTS = {
    "Package": "name",
    "Version": "version",
    "Section": "section",
    "Priority": "priority",
    "Maintainer": "maintainer",
    "Description": "description",
    "Homepage": "homepage",
    "Architecture": "architecture",
}
SIZES = {"Size": "size", "Installed-Size": "installed_size"}


def documents():
    """One document for each package that `apt-cache dumpavail` knows, as `miroir demo` makes them."""
    text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout.decode()
    found = {}
    for paragraph in text.split("\n\n"):
        document = {}
        for name, value in _fields(paragraph):
            if name in TEXTS:
                document[TEXTS[name]] = value
            if name == "Package":
                document["id"] = value.replace("+", "_p").replace(".", "_d")
            if name == "Depends":
                words = value.replace("|", ",").split(",")
                document["depends"] = [word.split()[0] for word in words if word.split()]
            if name in SIZES and value.isdigit():
                document[SIZES[name]] = int(value)
        if "id" in document:
            found.setdefault(document["id"], document)
    return list(found.values())


def with_stored_fields(document, stamp):
    """The document as it is on a node behind Miroir. The symbols come from another hash than
    Miroir's: what they weigh is the same, what they say is not."""
    digest = hashlib.blake2b(f"{document['id']} {stamp}".encode(), digest_size=16).digest()
    number = int.from_bytes(digest, "big")
    stored = {"_miroir_slot": _octal(number % 65536, 6), "_miroir_updated_at": _octal(stamp, 18)}
    for position in range(3):
        stored[f"_miroir_digest_{position}"] = _octal(digest[position] % 100, 3)
    stored["_miroir_base"] = _octal(stamp, 18)
    stored["_miroir_checksum"] = _octal(number % 2**48, 16)
    return {**document, **stored}


def batches(rows, size):
    """JSON bodies of `size` documents each."""
    return [json.dumps(rows[at : at + size]).encode() for at in range(0, len(rows), size)]


def _fields(paragraph):
    name, value = None, ""
    for line in paragraph.split("\n"):
        if line.startswith((" ", "\t")):
            value += line
            continue
        if name:
            yield name, value
        name, _, value = line.partition(":")
        value = value.lstrip(" ")
    if name:
        yield name, value


def _octal(value, width):
    digits = "!()*;?[]"
    return "".join(digits[value >> 3 * place & 7] for place in reversed(range(width)))
