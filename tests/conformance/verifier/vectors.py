"""Runs the committed vectors: what this verifier says of each must be what they expect.

`bundles/parts.json` maps names to hexadecimal bytes; `bundles/index.json` lists vectors, whose
bundle is the concatenation of its parts. `expect` is either code and field of the first fault, or
what a bundle that verifies shows.
"""

import json
from pathlib import Path

from .bundle import verify
from .fault import Fault
from .messages import read
from .limits import U64_MAX

SHOWN = ("verified", "complete", "witnessed")


def load(folder):
    folder = Path(folder)
    parts = json.loads((folder / "bundles" / "parts.json").read_text())
    parts = {name: bytes.fromhex(digits) for name, digits in parts.items()}
    return parts, json.loads((folder / "bundles" / "index.json").read_text())


def judge(data, genesis, known, now):
    """What this verifier says of a bundle, in the form of a vector's `expect`."""
    try:
        report = verify(data, genesis, known, now)
    except Fault as fault:
        return {"code": fault.code, "field": fault.field}
    return {name: report[name] for name in SHOWN}


def run(folder):
    """Problems found, one line each, and how many vectors there are."""
    parts, vectors = load(folder)
    problems = []
    for vector in vectors:
        data = b"".join(parts[name] for name in vector["bundle"])
        known = [read("SignedCharter", parts[name], U64_MAX) for name in vector["charters"]]
        got = judge(data, bytes.fromhex(vector["genesis"]), known, vector["now_ms"])
        if got != vector["expect"]:
            problems.append(f"{vector['name']}: expected {vector['expect']}, got {got}")
    return problems, len(vectors)
