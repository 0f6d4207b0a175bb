"""A new user's first quarter of an hour, from a fresh clone on an empty machine, in a terminal of 100 columns.

    python benchmarks/new_user.py [--transcript FILE] [--json]

Types, in tmux, what README.md and docs/getting-started.md tell a reader to type, and waits for what they promise:
paper in one command until the first copied fill, a second user, a message on a webhook, a kill and a resume in two
steps, a backup restored, a key with a defect repaired by what doctor says, a drill. Home and state are empty, packages
are installed anew. Two things stand in for the world: a webhook on this machine, and a paper exchange at the address
of Kraken, so that doctor can try a key. An edit of a file is counted beside the commands. Wants tmux and git.
"""

import argparse
import base64
import os
import pwd
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import Cell, Report
from benchmarks.terminal import Terminal
from tests.exchange_process import ExchangeProcess
from tests.listeners import WebServer

ROOT = Path(__file__).resolve().parents[1]
GOAL_SECONDS = 90.0
INSTALLING = ("PIP_", "PYENV_", "SSL_", "REQUESTS_")
COLUMNS = ("step", "commands", "edits", "again", "seconds", "goal")
# How this machine finds packages is no part of what a reader sees.
NOISE = re.compile(r"^(Looking in (indexes|links)|WARNING: .*(index|pip|root)|Agreeing to the).*\n?", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TRADING = re.compile(r" copied$", re.MULTILINE)


@dataclass
class Tally:
    """What one step took."""

    step: str
    commands: int = 0
    edits: int = 0
    again: int = 0
    seconds: float = 0.0
    goal: str = ""

    def row(self) -> Mapping[str, Cell]:
        return {name: getattr(self, name) for name in COLUMNS}


@dataclass
class Visit:
    """One new user with two terminals: in the first the bot runs, in the second commands are typed."""

    home: Path
    first: Terminal
    second: Terminal
    tallies: list[Tally] = field(default_factory=list)
    script: list[str] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.home / "nija"

    @contextmanager
    def step(self, name: str, goal: str = "") -> Iterator[None]:
        self.tallies.append(Tally(name, goal=goal))
        self.script += ["", f"# {name}", ""]
        began = time.monotonic()
        yield
        self.tallies[-1].seconds = time.monotonic() - began

    def type(self, command: str, *, ends: int = 0, where: Terminal | None = None, seconds: float = 180) -> str:
        """A command in the second terminal, which has to end so; what it wrote."""
        self.tallies[-1].commands += 1
        said, code = (where or self.second).run(command, seconds)
        self.script += [f"$ {command}", said.rstrip(), ""]
        if code != ends:
            raise SystemExit(f"`{command}` ended with {code}, not {ends}:\n{said}")
        return said

    def ask(self, command: str, seconds: float = 150) -> None:
        """A question, asked again until its answer is that all is well; the last answer is shown."""
        began = time.monotonic()
        while self.second.run(command)[1] != 0 and time.monotonic() - began < seconds:
            self.tallies[-1].again += 1
        self.type(command)

    def edit(self, path: str, text: str) -> None:
        """What a person does in an editor."""
        self.tallies[-1].edits += 1
        self.script += [f"(edited: {path})", ""]
        (self.project / path).write_text(text, encoding="utf-8")
        (self.project / path).chmod(0o600)

    def trade(self, until: str, seconds: float = 300) -> None:
        """`./start.sh` in the first terminal, until it has said this."""
        self.tallies[-1].commands += 1
        self.first.start("./start.sh")
        self.first.wait_for(until, seconds)
        self.script += ["$ ./start.sh", self.first.said().rstrip(), ""]

    def stop(self) -> None:
        """Ctrl-C, which is no command."""
        self.first.interrupt()
        said, code = self.first.end(60)
        self.script += ["(Ctrl-C)", "\n".join(said.rstrip().splitlines()[-3:]), ""]
        if code not in (0, 130):
            raise SystemExit(f"the bot ended with {code}:\n{said[-2000:]}")


def environment(home: Path) -> dict[str, str]:
    """An empty machine's, but for where packages come from and which ports are free."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(INSTALLING)}
    return {
        **passed,
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LOGNAME": "operator",
        "PIP_NO_CACHE_DIR": "1",
        "METRICS_PORT": "0",
        "NIJA__CONSOLE__PORT": "0",
    }


def on_paper(visit: Visit) -> None:
    with visit.step("paper: clone, install, first copied fill", goal=f"<= {GOAL_SECONDS:g}"):
        visit.type(f"git clone -q {ROOT} nija", where=visit.first)
        visit.second.run(f"cd {visit.project}")
        visit.type("cd nija", where=visit.first)
        visit.trade(TRADING.pattern)
    with visit.step("look: is it trading, who copied, how much is there"):
        visit.ask("python3 bot.py status")
        visit.ask("python3 bot.py copies")
        visit.ask("python3 bot.py money")
    visit.stop()


def a_second_user(visit: Visit) -> None:
    with visit.step("another user, until the first fill of hers"):
        visit.type("python3 bot.py init-user anna_lee --broker kraken")
        visit.trade(r"anna_lee_kraken filled: buy")
    visit.stop()


def told(visit: Visit, webhook: WebServer) -> None:
    with visit.step("a message on a webhook"):
        visit.edit(".env", f"NIJA_WEBHOOK_URL={webhook.url}/nija\n")
        settings = (visit.project / "config" / "nija.yaml").read_text(encoding="utf-8")
        visit.edit(
            "config/nija.yaml", settings.replace("  allow_private_hosts: false", "  allow_private_hosts: true", 1)
        )
        visit.type("python3 bot.py notify test")
        visit.second.wait(lambda: webhook.calls, 60)
        visit.script += [f"(the webhook received: {webhook.calls[0].said['text']})", ""]


def stopped_and_resumed(visit: Visit, webhook: WebServer) -> None:
    with visit.step("kill, told of it, resume in two steps"):
        visit.trade(TRADING.pattern)
        visit.type("python3 bot.py kill")
        visit.type("python3 bot.py halts", ends=1)
        visit.second.wait(lambda: any("halted" in call.said["text"] for call in webhook.calls), 120)
        heard = next(call.said["text"] for call in webhook.calls if "halted" in call.said["text"])
        visit.script += [f"(the webhook received: {heard})", ""]
        shown = visit.type("python3 bot.py resume", ends=1)
        code = re.search(r"--code (\w+)", shown)
        assert code is not None, shown
        visit.type(f'python3 bot.py resume --code {code[1]} --reason "only tried"')


def kept_and_restored(visit: Visit) -> None:
    with visit.step("backup while it runs, stop, restore, trade on"):
        visit.type("python3 bot.py backup books.db")
        visit.stop()
        visit.type("python3 bot.py restore books.db", ends=1)
        visit.type("python3 bot.py restore books.db --yes")
        visit.trade(r"Started independent trading thread for anna_lee_kraken")
        visit.ask("python3 bot.py status")
    visit.stop()


def a_key_repaired(visit: Visit, exchange: ExchangeProcess) -> None:
    """The secret was cut off when it was copied; then everything, rights and all, is tried at the exchange."""
    account = exchange.open_account("kraken", "new_user")
    cut = base64.b64decode(account.api_secret)[:40]
    name = "KRAKEN_MASTER_API"
    with visit.step("a key with a defect, repaired by what doctor says"):
        visit.edit(".env", f"{name}_KEY={account.api_key}\n{name}_SECRET={base64.b64encode(cut).decode()}\n")
        visit.type("python3 bot.py doctor kraken --live", ends=1)
        visit.edit(".env", f"{name}_KEY={account.api_key}\n{name}_SECRET={account.api_secret}\n")
        visit.type("python3 bot.py doctor kraken --live")


def a_drill(visit: Visit) -> None:
    with visit.step("a drill: the reply to an order is lost"):
        visit.type("python3 bot.py drill lost-reply", seconds=300)


def at_kraken(exchange: ExchangeProcess) -> dict[str, str]:
    """Kraken's addresses are those of the exchange."""
    sockets = exchange.addresses["kraken"]
    return {
        "NIJA__KRAKEN__REST_URL": exchange.rest_url("kraken"),
        "NIJA__KRAKEN__WEBSOCKET_URL": sockets["ws"],
        "NIJA__KRAKEN__WEBSOCKET_AUTH_URL": sockets["ws_auth"],
    }


def visited(home: Path) -> Visit:
    with ExitStack() as stack:
        exchange = stack.enter_context(ExchangeProcess(seed=1))
        webhook = stack.enter_context(WebServer())
        environ = environment(home)
        first = stack.enter_context(Terminal("bot", home, environ))
        second = stack.enter_context(Terminal("commands", home, environ))
        visit = Visit(home, first, second)
        on_paper(visit)
        a_second_user(visit)
        told(visit, webhook)
        stopped_and_resumed(visit, webhook)
        kept_and_restored(visit)
        visit.second = stack.enter_context(Terminal("keys", visit.project, environ | at_kraken(exchange)))
        a_key_repaired(visit, exchange)
        a_drill(visit)
    return visit


def transcript(visit: Visit) -> str:
    """What was typed and shown, without this machine's paths, its packages' addresses and colours."""
    text = COLOUR.sub("", "\n".join(visit.script))
    for path, name in ((ROOT, "https://…/nija"), (visit.project, "~/nija"), (visit.home, "~")):
        text = text.replace(str(path), name)
    text = re.sub(rf"\bby {re.escape(pwd.getpwuid(os.getuid()).pw_name)}\b", "by operator", text)
    return NOISE.sub("", text).strip() + "\n"


def report(visit: Visit) -> Report:
    rows: list[Mapping[str, Cell]] = [tally.row() for tally in visit.tallies]
    commands, edits = sum(one.commands for one in visit.tallies), sum(one.edits for one in visit.tallies)
    again = sum(one.again for one in visit.tallies)
    total = Tally("all of it", commands, edits, again, sum(one.seconds for one in visit.tallies))
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=visit.project, capture_output=True, text=True, check=True
    ).stdout.strip()
    notes = (
        "seconds: from the first key of a step to what it was waited for; a person reads and types more slowly.",
        "again: questions asked again until all was well; a loop, which is faster than people.",
        "Beside: freqtrade 7 commands and 61 s of installation, hummingbot 6 commands, to a bot on paper.",
    )
    return Report(
        "A new user, from a fresh clone", COLUMNS, [*rows, total.row()], notes, {"commit": commit, "terminal": 100}
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--transcript", type=Path, help="write there what was typed and shown")
    asked.add_argument("--json", action="store_true")
    words = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        visit = visited(Path(name))
        if words.transcript:
            words.transcript.write_text(transcript(visit), encoding="utf-8")
        report(visit).say(as_json=words.json)


if __name__ == "__main__":
    main()
