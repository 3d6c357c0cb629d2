"""A model over three processes, ours and llama.cpp's in turn.

Ours are three daemons, theirs three RPC servers with their client beside the first; beside them the
same model in one process. With `--emulator PROGRAM --link "delay=25ms rate=100M"` every process has
a network namespace of its own, and both systems see the same link (see `Emulator` in hosts.py);
their weights travel before the link is slowed.
"""

import argparse
import contextlib
import fcntl
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hosts import OPEN, Emulator, Failed, loopback
from ours import Ring
from theirs import Llama

STAGES = 3
OURS = f"ours, {STAGES} processes"
LOCAL = "ours, 1 process"
MEASURES = ("decode", "prefill")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comity", help="the program comity")
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("llama", type=Path, help="folder of what build.sh built")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512, help="tokens of the long prompt")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of the answer")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="llama.cpp's")
    parser.add_argument("--emulator", help="program that makes namespaces and links")
    parser.add_argument("--link", default="delay=25ms rate=100M", help="what it is told of a link")
    parser.add_argument("--congestion", help="TCP's congestion control; default: the machine's")
    parser.add_argument("--lock", type=Path, help="file to lock during each round")
    return parser.parse_args()


def start(options: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, Callable]:
    """Starts everything; by name, what measures once."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="comity-bench-")))
    measures: dict[str, Callable] = {}
    emulator = None
    if options.emulator:
        emulator = Emulator(options.emulator, folder, STAGES, options.congestion)
        stack.callback(lambda: print("\n" + emulator.end(), file=sys.stderr))

    def link(setting: str) -> None:
        if emulator:
            emulator.set(setting)

    def ours(hosts: list) -> Callable:
        place = folder / f"ring{len(hosts)}"
        place.mkdir()
        ring = Ring(options.comity, options.model, hosts, place)
        stack.callback(ring.end)
        return lambda: link(options.link) or ring.measure(options.prompt, options.tokens)

    def theirs(threads: int, local: bool) -> Callable:
        llama = Llama(options.llama, options.model, threads, hosts, local)
        stack.callback(llama.end)

        def measure() -> dict[str, float]:
            link(OPEN)
            slow = lambda: link(options.link)  # noqa: E731
            return llama.measure(options.prompt, options.tokens, slow)

        return measure

    hosts = emulator.hosts if emulator else loopback(STAGES)
    measures[OURS] = ours(hosts)
    for threads in options.threads:
        measures[f"llama.cpp, {STAGES} servers, threads {threads}"] = theirs(threads, False)
    if not emulator:
        measures[LOCAL] = ours(hosts[:1])
        for threads in options.threads:
            measures[f"llama.cpp, 1 process, threads {threads}"] = theirs(threads, True)
    return measures


@contextlib.contextmanager
def locked(path: Path | None):
    """Keeps others who lock the same file from using the machine meanwhile."""
    if not path:
        yield
        return
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    time.sleep(1)  # Lets others have it between rounds.


def spread(values: list[float], digits: int = 1) -> str:
    if not values:
        return "failed"
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def report(rounds: list[dict[str, dict[str, float]]], names: list[str]) -> None:
    """Medians, least and most, of rates and of ratios within a round."""
    print("| tokens/s | decode | prefill |\n| --- | --- | --- |")
    for name in names:
        cells = [spread([each[name][what] for each in rounds if name in each]) for what in MEASURES]
        missing = sum(name not in each for each in rounds)
        note = f" (failed {missing} of {len(rounds)})" if missing else ""
        print(f"| {name}{note} | {' | '.join(cells)} |")
    print("\n| ratio | decode | prefill |\n| --- | --- | --- |")
    pairs = [(OURS, name) for name in names if name != OURS]
    if LOCAL in names:
        pairs += [(LOCAL, name) for name in names if name.startswith("llama.cpp, 1 process")]
    for one, other in pairs:
        both = [each for each in rounds if one in each and other in each]
        cells = [
            spread([each[one][what] / each[other][what] for each in both], 2) for what in MEASURES
        ]
        print(f"| {one} over {other} | {' | '.join(cells)} |")


def main() -> None:
    options = arguments()
    # So that everything started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rounds: list[dict[str, dict[str, float]]] = []
    with contextlib.ExitStack() as stack:
        measures = start(options, stack)
        names = list(measures)
        stack.callback(report, rounds, names)  # Of an interrupted run too.
        for number in range(options.rounds):
            results: dict[str, dict[str, float]] = {}
            with locked(options.lock):
                # Every other round backwards, so that nobody always follows the same one.
                for name in names if number % 2 == 0 else reversed(names):
                    try:
                        results[name] = measures[name]()
                        rates = ", ".join(f"{results[name][what]:.2f}" for what in MEASURES)
                        print(f"round {number + 1}: {name}: {rates}", file=sys.stderr)
                    except Failed as error:
                        print(f"round {number + 1}: {name}: {error}", file=sys.stderr)
            rounds.append(results)


if __name__ == "__main__":
    try:
        main()
    except (Failed, OSError) as error:
        sys.exit(f"split.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
