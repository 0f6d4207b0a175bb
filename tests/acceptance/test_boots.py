"""A bot that crashed too often while it started sells and buys nothing; and what a run leaves behind is private."""

import json
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import requests

from bot.storage import instance_lease
from bot.storage.postgres import postgres_url
from bot.storage.store import open_engine
from tests.acceptance.one_brokerage import OneBrokerage
from tests.bot_process import BotProcess, environment, wait_until
from tests.postgres_server import PostgresServer

LONG = 120.0
TWO = {"NIJA__SUPERVISION__CRASHED_BOOTS": "2"}
WITH_CONSOLE = {"NIJA__CONSOLE__ENABLED": "true", "NIJA__CONSOLE__PORT": "0"}


@pytest.fixture
def there(tmp_path: Path) -> Iterator[OneBrokerage]:
    with OneBrokerage(tmp_path) as made:
        yield made


class Systemd:
    """Reads what it is told, as systemd does: a socket that nobody reads is full after a few words."""

    def __init__(self, socket_file: Path) -> None:
        self.words: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(socket_file))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while text := self._socket.recv(1000):
            self.words.append(text.decode().partition("\n")[0])

    def close(self) -> None:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as last:
            last.sendto(b"", self._socket.getsockname())
        self._reader.join(LONG)
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with closing(Systemd(tmp_path / "notify")) as heard:
        yield heard


def hold_something(there: OneBrokerage) -> None:
    """The first start: it buys, its user copies, and it is stopped."""
    with there.start(**TWO) as bot:
        held = "SELECT account_id FROM position GROUP BY account_id"
        wait_until(lambda: len(there.rows(held)) == 2, seconds=LONG, what="master and user hold something")
        assert bot.stop(seconds=LONG) == 0


def said(bot: BotProcess, *words: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(bot.command("bot.py", *words, "--json").stdout)
    return answer


def buys(there: OneBrokerage, since: int) -> list[dict[str, object]]:
    return there.accepted(since, side="buy")


def sells(there: OneBrokerage, since: int, account: str) -> list[dict[str, object]]:
    return there.accepted(since, side="sell", account=account)


def check_process(bot: BotProcess, secrets: set[str]) -> None:
    """No core file of it or of its children, and no secret in what any user of the machine sees of them."""
    pid = bot.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    family = [pid, *(int(child) for path in Path(f"/proc/{pid}/task").iterdir() for child in _children(path))]
    assert len(family) > 1, f"the console is a child of its own: {children}"
    for each in family:
        assert resource.prlimit(each, resource.RLIMIT_CORE) == (0, 0)
        words = Path(f"/proc/{each}/cmdline").read_bytes().decode()
        assert "python" in words
        assert not [secret for secret in secrets if secret in words]


def _children(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def secrets_of(there: OneBrokerage, bot: BotProcess) -> set[str]:
    found = {there.exchange.token, bot.environ["NIJA_CONSOLE_TOKEN"]}
    for account in there.exchange.accounts():
        found |= {str(value) for name, value in account.items() if name in ("api_key", "api_secret")}
    return {each for each in found if len(each) > 8}


def others_can_read(directory: Path) -> list[str]:
    """Whatever lies in a state directory and is not its owner's alone."""
    return [
        f"{path.relative_to(directory)} {path.lstat().st_mode & 0o777:o}"
        for path in (directory, *directory.rglob("*"))
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]


def test_after_two_crashed_starts_a_third_sells_and_buys_nothing_until_a_person_resumes(
    there: OneBrokerage, systemd: Systemd, tmp_path: Path
) -> None:
    os.chmod(there.state, 0o700)
    hold_something(there)
    for _ in range(2):
        assert there.killed_at("main_turn", seconds=LONG, **TWO)
    since = there.exchange.last_seq()
    more = {
        **TWO,
        **WITH_CONSOLE,
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "NIJA_CONSOLE_TOKEN": "a-token-of-the-console-of-28",
    }
    with there.start(**more) as bot:
        bot.says("HALTED: entries are off for everything", seconds=LONG)
        for account in ("master", "ann"):
            there.waits_for(partial(sells, there, since, account), f"{account} sells what it held", seconds=LONG)
        assert buys(there, since) == []
        reason = str(said(bot, "why", "kraken"))
        assert "safe mode" in reason and "crashed" in reason
        bot.says("Console at http://127.0.0.1:", seconds=LONG)
        check_process(bot, secrets_of(there, bot))
        code = said(bot, "resume")["code"]
        said(bot, "resume", "--code", str(code), "--by", "Anna", "--reason", "mended")
        there.waits_for(partial(buys, there, since), "it buys again", seconds=LONG)
        assert bot.stop(seconds=LONG) == 0
        log = bot.log()
    assert "Build " in log and ", configuration " in log
    rows = there.rows("SELECT build, settled_at, ended_at, exit_code FROM boot ORDER BY id")
    assert [row["exit_code"] for row in rows] == [0, None, None, 0]
    assert all(row["build"] for row in rows)
    assert others_can_read(there.state) == []
    wait_until(lambda: "STOPPING=1" in systemd.words, seconds=LONG, what="systemd hears of the stop")
    assert list(dict.fromkeys(systemd.words)) == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_while_another_process_has_its_turn_a_platform_is_told_that_this_one_lives(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url, port = postgres.migrated_database(), free_port()
    engine = open_engine(postgres_url(url), writer=True)
    with engine.begin() as connection:
        assert instance_lease.take(connection, owner="other", pid=1, lease_seconds=600, now=datetime.now(UTC))
    engine.dispose()
    environ = environment(tmp_path / "state", None, DATABASE_URL=url, PORT=str(port), **WITH_CONSOLE)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        bot.says("standby: lease held by", seconds=LONG)
        assert asked(port, "live") == (200, "alive")
        status, text = asked(port, "ready")
        assert (status, text.startswith("standby: lease held by")) == (503, True)
        assert "build" in json.loads(asked(port, "trading")[1])
        assert bot.stop(seconds=LONG) == 0


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def asked(port: int, page: str) -> tuple[int, str]:
    with requests.Session() as session:
        session.trust_env = False
        reply = session.get(f"http://127.0.0.1:{port}/{page}", timeout=30)
    return reply.status_code, reply.text.strip()
