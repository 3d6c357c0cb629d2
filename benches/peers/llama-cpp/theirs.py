"""llama.cpp's RPC servers, and its own bench over them or alone."""

import contextlib
import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hosts import Failed, Host, end

START_S = 20
BENCH_S = 600


class Llama:
    """`llama-bench` on the first of `hosts`, over an RPC server on each of them, or alone."""

    def __init__(self, folder: Path, model: str, threads: int, hosts: list[Host], local: bool):
        self.bench, self.model, self.threads = str(folder / "llama-bench"), model, threads
        self.client = hosts[0]
        self.servers: list[subprocess.Popen] = []
        self.options: list[str] = []
        if local:
            return
        ports = free_ports(len(hosts))
        endpoints = [f"{host.address}:{port}" for host, port in zip(hosts, ports)]
        even = "/".join("1" for _ in hosts)
        self.options = ["--rpc", ",".join(endpoints), "-ngl", "99", "-ts", even]
        try:
            for host, port in zip(hosts, ports):
                self.serve(str(folder / "ggml-rpc-server"), host, port)
        except BaseException:
            self.end()
            raise

    def serve(self, program: str, host: Host, port: int) -> None:
        """Starts a server and waits until it listens."""
        server = host.start(
            program, "-H", host.address, "-p", str(port), "-t", str(self.threads),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.servers.append(server)
        given_up = time.monotonic() + START_S
        while not listening(host, port):
            if server.poll() is not None or time.monotonic() > given_up:
                raise Failed(f"{program} does not listen on {host.address}:{port}")
            time.sleep(0.05)

    def measure(
        self, prompt: int, tokens: int, loaded: Callable[[], None] = lambda: None
    ) -> dict[str, float]:
        """Tokens a second of a prompt and of an answer; `loaded` is called before the warm-up."""
        with tempfile.TemporaryFile("w+") as output:
            process = self.client.start(
                self.bench, "-m", self.model, "-t", str(self.threads), *self.options,
                "-p", str(prompt), "-n", str(tokens), "-r", "1", "-o", "jsonl", "--progress",
                stdout=output, stderr=subprocess.PIPE,
            )  # fmt: skip
            watch = threading.Timer(BENCH_S, process.kill)
            watch.start()
            try:
                complaints = ""
                for line in process.stderr:
                    if "warmup" in line:
                        loaded()
                    complaints = line.strip() or complaints
                if process.wait():
                    raise Failed(f"{self.bench} ended with {process.returncode}: {complaints}")
            finally:
                watch.cancel()
                end(process)
            output.seek(0)
            tests = [json.loads(line) for line in output]
        rates = {"decode" if test["n_gen"] else "prefill": test["avg_ts"] for test in tests}
        if len(rates) != 2:
            raise Failed(f"{self.bench} printed {len(tests)} results")
        return rates

    def end(self) -> None:
        for server in self.servers:
            end(server)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def listening(host: Host, port: int) -> bool:
    sockets = [line.split() for line in host.run("cat", "/proc/net/tcp").splitlines()[1:]]
    return any(at[1].endswith(f":{port:04X}") and at[3] == "0A" for at in sockets)


def batched(folder: Path, model: str, threads: int, streams: int, prompt: int, new: int) -> float:
    """Tokens of answers a second, their prompts' time included."""
    output = Host("127.0.0.1").run(
        str(folder / "llama-batched-bench"), "-m", model, "-t", str(threads),
        "-c", str(streams * (prompt + new)), "-b", "2048", "-ub", "512",
        "-npp", str(prompt), "-ntg", str(new), "-npl", str(streams),
        "--output-format", "jsonl",
    )  # fmt: skip
    for line in output.splitlines():
        if line.startswith("{"):
            times = json.loads(line)
            return streams * new / (times["t_pp"] + times["t_tg"])
    raise Failed("llama-batched-bench printed no result")
