#!/usr/bin/env python3
"""Checks a bundle offline, apart from the program that made it.

    python3 verify.py BUNDLE --genesis HASH [--charter FILE] [--json]
    python3 verify.py --vectors FOLDER

Exit codes: 0 the proof holds and is complete (or every vector agrees), 1 it does not hold, 2 it
holds but is incomplete, 64 the arguments are wrong.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

from verifier import selftest, vectors  # noqa: E402
from verifier.bundle import verify  # noqa: E402
from verifier.fault import Fault  # noqa: E402
from verifier.limits import BUNDLE_BYTES_MAX, CHAIN_BYTES_MAX  # noqa: E402
from verifier.messages import read  # noqa: E402
from verifier.wire import FormatError  # noqa: E402

HOLDS, FAILS, INCOMPLETE, USAGE = 0, 1, 2, 64


class Parser(argparse.ArgumentParser):
    """Exits with 64 where the arguments are wrong: 2 says that a proof is incomplete."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def digest(text):
    value = bytes.fromhex(text)
    if len(value) != 32:
        raise ValueError
    return value


def arguments():
    parser = Parser(description="Checks a bundle offline.")
    parser.add_argument("bundle", nargs="?", help="the bundle to check")
    parser.add_argument("--genesis", type=digest, metavar="HASH", help="64 hexadecimal digits")
    parser.add_argument("--charter", metavar="FILE", help="charters known to the reader")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--vectors", metavar="FOLDER", help="check this program instead")
    args = parser.parse_args()
    if args.vectors is None and (args.bundle is None or args.genesis is None):
        parser.error("BUNDLE and --genesis HASH are needed")
    if args.vectors is not None and args.bundle is not None:
        parser.error("either BUNDLE or --vectors")
    return parser, args


def contents(parser, path, most):
    """The bytes of a file; one byte more than is read at all is a fault that will be named."""
    try:
        with open(path, "rb") as file:
            return file.read(most + 1)
    except OSError as error:
        parser.error(f"{path}: {error.strerror}")


def check_vectors(folder):
    problems = selftest.run(Path(folder))
    # What is wrong with this program itself comes first: it may not get far with the vectors.
    print(*problems, sep="\n", end="\n" if problems else "", flush=True)
    found, count = vectors.run(folder)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{count} vectors, {len(problems + found)} problems")
    return FAILS if problems or found else HOLDS


def show(report):
    if "code" in report:
        print(f"FAILED: {report['field']}: {report['error']}\ncode: {report['code']}")
        return
    print("VERIFIED" if report["complete"] else "VERIFIED, BUT INCOMPLETE")
    for name, value in report.items():
        if name not in ("verified", "complete"):
            print(f"{name:16}{json.dumps(value)}")


def main():
    parser, args = arguments()
    if args.vectors is not None:
        return check_vectors(args.vectors)
    known = []
    if args.charter is not None:
        try:
            chain = contents(parser, args.charter, CHAIN_BYTES_MAX)
            known = read("CharterChain", chain, CHAIN_BYTES_MAX).charters
        except FormatError as error:
            parser.error(f"{args.charter}: {error}")
    try:
        data = contents(parser, args.bundle, BUNDLE_BYTES_MAX)
        report = verify(data, args.genesis, known, time.time_ns() // 1_000_000)
    except Fault as fault:
        report = {"verified": False, "complete": False, "code": fault.code}
        report.update(field=fault.field, error=fault.detail)
    if args.json:
        print(json.dumps(report, ensure_ascii=True))
    else:
        show(report)
    if not report["verified"]:
        return FAILS
    return HOLDS if report["complete"] else INCOMPLETE


if __name__ == "__main__":
    sys.exit(main())
