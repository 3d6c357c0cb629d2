"""Where the benches start processes: loopback, or namespaces behind a link emulator."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

OPEN = "delay=0"


class Failed(Exception):
    """A process did not do what it was started for."""


@dataclass(frozen=True)
class Host:
    """A place with an address; commands run there behind `prefix`."""

    address: str
    prefix: tuple[str, ...] = ()

    def run(self, *command: str, timeout: float = 600) -> str:
        """What a command prints; raises with what it complains about."""
        try:
            ended = subprocess.run(
                [*self.prefix, *command], capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{command[0]} did not end within {timeout:.0f} s") from None
        if ended.returncode:
            raise Failed(f"{command[0]} ended with {ended.returncode}: {ended.stderr.strip()}")
        return ended.stdout

    def start(self, *command: str, **options) -> subprocess.Popen:
        return subprocess.Popen([*self.prefix, *command], text=True, **options)


def end(process: subprocess.Popen) -> None:
    """Asks a process to end, and ends it."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def loopback(count: int) -> list[Host]:
    return [Host("127.0.0.1")] * count


class Emulator:
    """Hosts in network namespaces of their own. Needs root.

    The program is given a file of `peer NAME ADDRESS` lines and one `default KEY=VALUE...` line for
    the links between them, prints READY, reads the links again at SIGHUP and then says `reloaded`,
    and removes its namespaces when it ends.
    """

    def __init__(self, program: str, folder: Path, count: int, congestion: str | None):
        names = [f"bench{os.getpid()}-{index}" for index in range(count)]
        addresses = [f"10.77.0.{index + 1}" for index in range(count)]
        self.hosts = [
            Host(address, ("ip", "netns", "exec", name))
            for name, address in zip(names, addresses)
        ]
        self.file = folder / "links.conf"
        self.head = "".join(f"peer {name} {at}\n" for name, at in zip(names, addresses))
        if congestion:
            self.head += f"cc {congestion}\n"
        self.link = OPEN
        self.file.write_text(f"{self.head}default {OPEN}\n")
        self.process = subprocess.Popen(
            [program, self.file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if not self.process.stdout.readline().startswith("READY"):
            self.process.kill()
            raise Failed(f"{program} is not ready: {self.process.stderr.read().strip()}")

    def set(self, link: str) -> None:
        """Changes all links, and returns once that is done."""
        if link == self.link:
            return
        self.file.write_text(f"{self.head}default {link}\n")
        self.process.send_signal(signal.SIGHUP)
        for line in self.process.stderr:
            if "reloaded" in line:
                self.link = link
                return
        raise Failed("the link emulator ended")

    def end(self) -> str:
        """Ends it; what it counted."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[1]
