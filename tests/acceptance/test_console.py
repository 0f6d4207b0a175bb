"""The page beside the running bot: started and watched by it, and its controls judged by the exchange's journal."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.one_brokerage import OneBrokerage
from tests.bot_process import ROOT, BotProcess, environment, wait_until
from tests.stored_bot import StoredBot

LONG = 120.0
ON = {"NIJA__CONSOLE__ENABLED": "true", "NIJA__CONSOLE__PORT": "0"}
PASSWORD = "a long enough password"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[OneBrokerage]:
    with OneBrokerage(tmp_path, ("ann", "bob")) as made:
        yield made


class Page:
    """A browser on this machine: it opened the page and has its session. `url` is looked up again after a restart."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._cookie = ""

    @property
    def told(self) -> dict[str, Any]:
        """What the console's own file says; nothing while there is none."""
        try:
            found: dict[str, Any] = json.loads((self._state / "console.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any, str]:
        """(0, None, "") when nobody answers."""
        address = urlsplit(self.told.get("url", "")).netloc
        headers = {"Cookie": self._cookie, "Origin": f"http://{address}", "X-CSRF-Token": ""}
        if body is not None:
            headers |= {
                "Content-Type": "application/json",
                "X-CSRF-Token": self.ask("GET", "/api/v1/session")[1]["csrf"],
            }
        try:
            with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
                connection.request(method, path, None if body is None else json.dumps(body), headers)
                reply = connection.getresponse()
                content, cookie = reply.read(), reply.headers.get("Set-Cookie", "").partition(";")[0]
        except (OSError, http.client.HTTPException):
            return 0, None, ""
        self._cookie = cookie or self._cookie
        return reply.status, json.loads(content) if content[:1] in (b"{", b"[") else content.decode(), cookie

    def opens(self, bot: BotProcess) -> None:
        bot.says("Console at http://127.0.0.1:", seconds=LONG)
        wait_until(lambda: self.ask("GET", "/")[0] == 200, seconds=LONG, what="the page opens")

    def get(self, path: str) -> Any:
        status, answer, _ = self.ask("GET", f"/api/v1/{path}")
        assert status == 200, answer
        return answer

    def does(self, action: str, target: str, number: int) -> dict[str, Any]:
        """Both steps; returns the request as it was taken."""
        body = {
            "action": action,
            "target": target,
            "nonce": f"acceptance-of-it-{number:06}",
            "by": "Anna",
            "reason": "x",
        }
        _, shown, _ = self.ask("POST", "/api/v1/controls", body)
        status, done, _ = self.ask("POST", "/api/v1/controls", body | {"code": shown["code"]})
        assert status == 202, done
        answer: dict[str, Any] = done
        return answer

    def ends(self, request: dict[str, Any]) -> dict[str, Any]:
        """Wait until the bot has said what came of it."""

        def ended() -> Any:
            now = self.get(f"controls/{request['id']}")
            return now if now["state"] in ("done", "failed", "refused") else None

        found: dict[str, Any] = wait_until(ended, seconds=LONG, what=f"{request['action']} comes to its end")
        return found


def buys(there: OneBrokerage, since: int, **wanted: Any) -> list[dict[str, Any]]:
    return there.accepted(since, side="buy", **wanted)


def trades(there: OneBrokerage, *accounts: str) -> int:
    since = there.exchange.last_seq()
    for account in accounts:
        there.waits_for(partial(buys, there, since, account=account), f"{account} buys", seconds=LONG)
    return there.exchange.last_seq()


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and was not asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_pausing_stopping_selling_and_going_on_from_the_page(there: OneBrokerage) -> None:
    page = Page(there.state)
    with there.start(**ON) as bot:
        page.opens(bot)
        assert (there.state / "console.json").stat().st_mode & 0o777 == 0o600
        trades(there, "master", "ann", "bob")
        assert page.get("overview")["word"]["state"] == "trading"

        page.ends(page.does("pause", "ann_kraken", 1))
        quiet_from = trades(there, "bob")
        trades(there, "master", "bob")
        assert buys(there, quiet_from, account="ann") == []

        page.ends(page.does("kill", "all", 2))
        killed_at = there.exchange.last_seq()
        done = page.ends(page.does("flatten", "all", 3))
        assert done["state"] == "done"
        # What it held; its own exits may have sold some of it between the two.
        assert any(line.startswith("kraken: done") for line in done["lines"]), done["lines"]
        assert there.rows("SELECT count(*) AS n FROM position")[0]["n"] == 0
        late = buys(there, killed_at)
        assert len(late) <= len({line["account"] for line in late}), "at most what was on the wire"
        word = page.get("overview")["word"]
        assert (word["state"], "Anna (page:local)" in word["why"]) == ("stopped", True)

        page.ends(page.does("resume", "all", 4))
        trades(there, "master", "bob")
        assert [(one["action"], one["actor"]) for one in page.get("controls")["controls"]] == [
            (action, "Anna (page:local)") for action in ("resume", "flatten", "kill", "pause")
        ]
        listed = json.loads(bot.command("bot.py", "controls", "--json").stdout)["controls"]
        assert [one["action"] for one in listed] == ["resume", "flatten", "kill", "pause"]
        environ = (
            Path(f"/proc/{page.told['pid']}/environ").read_bytes()
            + Path(f"/proc/{page.told['pid']}/cmdline").read_bytes()
        )
        assert there.exchange.token.encode() not in environ
        assert bot.stop() == 0
        assert not alive(page.told["pid"])


def test_the_console_dies_and_is_back_the_bot_dies_and_takes_it_along(there: OneBrokerage) -> None:
    page = Page(there.state)
    with there.start(**ON) as bot:
        page.opens(bot)
        first = page.told["pid"]
        os.kill(first, signal.SIGKILL)
        trades(there, "master", "ann")
        wait_until(
            lambda: page.told.get("pid") != first and page.ask("GET", "/")[0] == 200, seconds=LONG, what="it is back"
        )
        second = page.told["pid"]
        # What is written while the bot goes down is in force when it is back.
        bot.process.send_signal(signal.SIGSTOP)
        page.does("kill", "all", 1)
        bot.process.kill()
        bot.process.wait(10)
        wait_until(lambda: not alive(second), seconds=30, what="the console ends with the bot")
    killed_at = there.exchange.last_seq()
    with there.start(**ON) as bot:
        bot.says("HALTED: entries are off for everything", seconds=LONG)
        goal = bot.log().count("kraken cycle completed successfully") + 2
        there.waits_for(
            lambda: bot.log().count("kraken cycle completed successfully") >= goal, "two cycles", seconds=LONG
        )
        assert buys(there, killed_at) == []


# Of this machine, and no name of it: for the console it is an address that others reach.
ELSEWHERE = "127.0.0.2"


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind((ELSEWHERE, 0))
        return int(opened.getsockname()[1])


def status_of(port: int, path: str) -> int:
    try:
        with closing(http.client.HTTPConnection(ELSEWHERE, port, timeout=10)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status
    except OSError:
        return 0


def test_on_a_platforms_port_without_a_password_health_alone_is_served(there: OneBrokerage) -> None:
    port = free_port()
    with there.start(**ON, NIJA__CONSOLE__HOST=ELSEWHERE, PORT=str(port)) as bot:
        wait_until(lambda: status_of(port, "/ready") == 200, seconds=LONG, what="it is ready")
        assert [status_of(port, path) for path in ("/live", "/trading")] == [200, 200]
        wait_until(lambda: status_of(port, "/") == 503, seconds=LONG, what="the console answers")
        assert [status_of(port, path) for path in ("/", "/metrics", "/api/v1/overview", "/static/app.css")] == [503] * 4
        assert bot.process.poll() is None


def test_when_there_is_no_page_the_bot_answers_for_its_health_itself(there: OneBrokerage) -> None:
    """Here it is switched off; the same thread answers while it cannot be started."""
    port = free_port()
    with there.start(NIJA__CONSOLE__HOST=ELSEWHERE, PORT=str(port)) as bot:
        wait_until(lambda: status_of(port, "/ready") == 200, seconds=LONG, what="it is ready")
        assert status_of(port, "/live") == 200
        assert status_of(port, "/metrics") == 404
        assert bot.process.poll() is None


def test_the_books_of_a_stopped_bot_are_opened_by_name(tmp_path: Path) -> None:
    with StoredBot(tmp_path) as stored:
        stored.runs()
        stored.accounts()
        stored.ended()
    child = subprocess.Popen(
        [sys.executable, "-m", "bot.console", "--db", str(tmp_path / "nija.db"), "--port", "0"],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stdout is not None
        words = child.stdout.readline().split()
        page = Page(tmp_path)
        (tmp_path / "console.json").write_text(json.dumps({"url": words[2]}), encoding="utf-8")
        assert page.ask("GET", "/")[0] == 200
        assert page.get("overview")["word"]["state"] == "stopped"
        assert len(page.get("accounts")["accounts"]) >= 3
        assert page.get("session")["can_write"] is False
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
        if child.stdout is not None:
            child.stdout.close()
