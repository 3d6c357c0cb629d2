"""A ring of `comity up` processes, one for each institution, and questions to the first."""

import json
import subprocess
import time
from pathlib import Path

from hosts import Failed, Host, end

SHORT = "The history of the city begins"
SENTENCE = " the cat sat on the mat and"
SENTENCE_TOKENS = 7
MEETING_S = 60
NAME = "bench"


class Ring:
    """Daemons with an even share of the blocks each; the first is home too."""

    def __init__(self, binary: str, model: str, hosts: list[Host], folder: Path):
        self.binary, self.home, self.stages = binary, hosts[0], len(hosts)
        self.daemons: list[subprocess.Popen] = []
        self.asked = 0
        blocks = json.loads(self.comity("model", "inspect", model, "--json"))["block_count"]
        folders = [folder / f"member{index}" for index in range(self.stages)]
        self.found(folder, folders)
        try:
            peers, first = [], None
            for index, host in enumerate(hosts):
                share = [blocks * at // self.stages for at in (index, index + 1)]
                ready = self.join(host, folders[index], model, share, peers)
                first = first or ready
                peers = first["control"]
            self.ask_first = ["--node", first["client"], "--token", first["token_file"]]
            self.meet()
        except BaseException:
            self.end()
            raise

    def comity(self, *arguments: str) -> str:
        return self.home.run(self.binary, *arguments)

    def found(self, folder: Path, folders: list[Path]) -> None:
        """Makes keys, the charter and every institution's roster."""
        text = 'name = "Bench"\ndays = 30\n'
        charter = str(folder / "charter.signed")
        for index, member in enumerate(folders):
            (member / "data").mkdir(parents=True)
            root, roster = self.key(member / "root.key"), self.key(member / "roster.key")
            text += f'[[institution]]\nid = "member{index}"\nlegal_name = "Member {index}"\n'
            text += f'country = "NL"\nroot_key = "{root}"\nroster_key = "{roster}"\n'
        (folder / "charter.toml").write_text(text)
        signers = [part for member in folders for part in ("--key", str(member / "root.key"))]
        self.comity("charter", "new", str(folder / "charter.toml"), "--out", charter, *signers)
        for index, member in enumerate(folders):
            node = self.key(member / "data" / "node.key")
            text = f'institution = "member{index}"\nhours = 24\n[[node]]\npeer = "{node}"\n'
            text += 'jurisdiction = "NL"\nroles = ["home", "stage"]\n'
            (member / "roster.toml").write_text(text)
            self.comity(
                "roster", "sign", str(member / "roster.toml"), "--charter", charter,
                "--key", str(member / "roster.key"), "--out", str(member / "roster.signed"),
            )  # fmt: skip

    def key(self, path: Path) -> str:
        return json.loads(self.comity("key", "new", str(path), "--json"))["public"]

    def join(
        self, host: Host, member: Path, model: str, share: list[int], peers: list[str]
    ) -> dict:
        """Starts a daemon; where it listens."""
        config = f'''institution = "{member.name}"
charter = "{member.parent}/charter.signed"
roster = "{member}/roster.signed"
data_dir = "{member}/data"
[control]
listen = ["/ip4/{host.address}/udp/0/quic-v1"]
peers = {json.dumps(peers)}
[data]
listen = "{host.address}:0"
[client]
listen = "127.0.0.1:0"
[[models]]
file = "{Path(model).resolve()}"
name = "{NAME}"
blocks = {share}
draft_tokens = 0
prefix_cache = false
'''
        (member / "comity.toml").write_text(config)
        log = member / "stderr"
        with log.open("w") as stderr:
            daemon = host.start(
                self.binary, "up", "--json", "--config", str(member / "comity.toml"),
                stdout=subprocess.PIPE, stderr=stderr,
            )  # fmt: skip
        self.daemons.append(daemon)
        line = daemon.stdout.readline()
        if not line:
            raise Failed(f"comity up: {log.read_text().strip()}")
        return json.loads(line)

    def meet(self) -> None:
        """Waits until the daemons have found each other and answered once."""
        given_up = time.monotonic() + MEETING_S
        while True:
            try:
                return self.ask(SHORT, 8) and None
            except Failed:
                if time.monotonic() > given_up:
                    raise
                time.sleep(0.2)

    def ask(self, prompt: str, tokens: int) -> dict:
        """An answer of exactly so many tokens, and how it went."""
        answer = json.loads(
            self.home.run(
                self.binary, "generate", *self.ask_first, "--model", NAME, "--raw", "--json",
                "--stages", str(self.stages), "--max-tokens", str(tokens), prompt,
            )
        )  # fmt: skip
        if len(answer["token_ids"]) != tokens or len(answer["stages"]) != self.stages:
            reason = answer["cause"] or answer["finish_reason"]
            raise Failed(f"{len(answer['token_ids'])} of {tokens} tokens: {reason}")
        return answer

    def measure(self, prompt: int, tokens: int) -> dict[str, float]:
        """Tokens a second of a prompt of about so many tokens, and of an answer to a short one."""
        for _ in range(2):  # The first warms up.
            self.asked += 1
            text = f"Question {self.asked}:" + SENTENCE * (prompt // SENTENCE_TOKENS)
            long = self.ask(text, 1)
        short = self.ask(SHORT, tokens)
        return {
            "prefill": long["prompt_tokens"] / long["ttft_ms"] * 1e3,
            "decode": short["tokens_per_second"],
        }

    def end(self) -> None:
        for daemon in self.daemons:
            end(daemon)
