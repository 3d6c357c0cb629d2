"""Times llama.cpp on a GGUF file: speed.py MODEL.gguf THREADS.

Measures what the example `speed` of comity-shard does: prefill of 512 positions, and decode at depth
1 and 1,024. Medians, the first repetition left out.
"""

import statistics
import sys
import time

from llama_cpp import Llama

DECODE = 96
TOKENS = [100 + i * 37 % 5000 for i in range(1024)]


def prefill(llm):
    llm.reset()
    begun = time.perf_counter()
    llm.eval(TOKENS[:512])
    return 512 / (time.perf_counter() - begun)


def decode(llm, depth):
    llm.reset()
    llm.eval(TOKENS[:depth])
    begun = time.perf_counter()
    for token in TOKENS[:DECODE]:
        llm.eval([token])
    return DECODE / (time.perf_counter() - begun)


def median(measure, repetitions):
    return statistics.median([measure() for _ in range(repetitions + 1)][1:])


def main():
    model, threads = sys.argv[1], int(sys.argv[2])
    llm = Llama(
        model_path=model,
        n_ctx=2048,
        n_batch=2048,
        n_ubatch=512,
        n_threads=threads,
        n_threads_batch=threads,
        use_mmap=False,
        verbose=False,
    )
    print(
        f"llama.cpp, {threads} threads: prefill {median(lambda: prefill(llm), 5):.0f}, "
        f"decode at 1: {median(lambda: decode(llm, 1), 3):.1f}, "
        f"at 1024: {median(lambda: decode(llm, 1024), 3):.1f} tokens/s"
    )


main()
