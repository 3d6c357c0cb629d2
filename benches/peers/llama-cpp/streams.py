"""Sixteen answers at once in one process, ours and llama.cpp's in turn.

Prompts of 128 tokens, answers of 64; tokens of the answers over the time of all, prefill included.
"""

import argparse
import sys
from pathlib import Path

from hosts import Failed, Host
from split import locked, spread
from theirs import batched

STREAMS, PROMPT, NEW = 16, 128, 64


def ours(speed: str, model: str, threads: int) -> float:
    line = Host("127.0.0.1").run(speed, model, "--threads", str(threads), "--only", "streams")
    name, _, rest = line.partition(":")
    if name != f"{STREAMS} streams":
        raise Failed(f"{speed} printed no figure for {STREAMS} streams: {line.strip()}")
    return float(rest.split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speed", help="the example speed of comity-shard, built")
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("llama", type=Path, help="folder of what build.sh built")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lock", type=Path, help="file to lock during each round")
    options = parser.parse_args()
    pairs = []
    for _ in range(options.rounds):
        with locked(options.lock):
            mine = ours(options.speed, options.model, options.threads)
            theirs = batched(
                options.llama, options.model, options.threads, STREAMS, PROMPT, NEW
            )
        print(f"ours {mine:.0f}, llama.cpp {theirs:.0f}", file=sys.stderr)
        pairs.append((mine, theirs))
    print(f"| {STREAMS} streams, {options.threads} threads | tokens/s |\n| --- | --- |")
    print(f"| ours | {spread([mine for mine, _ in pairs])} |")
    print(f"| llama.cpp | {spread([theirs for _, theirs in pairs])} |")
    print(f"| ours over it | {spread([mine / theirs for mine, theirs in pairs], 2)} |")


if __name__ == "__main__":
    try:
        main()
    except (Failed, OSError) as error:
        sys.exit(f"streams.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
