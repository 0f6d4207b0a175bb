"""The log of a bot that runs: a signal can be followed, nothing is said again and again, no secret is in it."""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.observability.last_said import without_figures
from bot.observability.secret_forms import forms_of
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

USER = "daivon_frazier_kraken"
# What is said of each cycle, with its number: an event.
CYCLE = re.compile(r"Cycle #\d+$|cycle completed successfully$")


@dataclass
class Scene:
    bot: BotProcess
    exchange: ExchangeProcess
    state: Path

    def lines(self) -> list[dict[str, Any]]:
        """Standard output, each line an object; the last one may not be whole yet."""
        return [json.loads(line) for line in self.bot.log().splitlines(keepends=True) if line.endswith("\n")]

    def page(self, name: str) -> str:
        match = re.search(r"Metrics at (http://127\.0\.0\.1:\d+)/metrics", self.bot.log())
        assert match
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{match[1]}/{name}", timeout=10).text

    def health(self) -> dict[str, str]:
        return {one["account"]: one["health"] for one in json.loads(self.page("trading"))["accounts"]}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A bot as a platform runs it, with its output in no terminal, that has copied at both brokerages."""
    directory = tmp_path_factory.mktemp("logs")
    with ExchangeProcess(seed=7) as exchange:
        environ = environment(directory / "state", exchange, LOG_JSON="auto", NIJA__PACE__PAPER__CYCLE_SECONDS="1")
        with BotProcess(environ, log=directory / "out.txt") as bot:
            for account in (USER, "daivon_frazier_coinbase"):
                bot.says(f"{account} filled: buy", seconds=90)
                wait_until(
                    lambda account=account: re.search(rf"{account}: buy \S+ of \w+ copied", bot.log()),  # type: ignore[misc]
                    seconds=90,
                    what=f"a copy of {account}",
                )
            yield Scene(bot, exchange, directory / "state")


def test_output_that_is_no_terminal_is_json_and_the_file_is_for_people(scene: Scene) -> None:
    lines = scene.lines()
    assert len(lines) > 50
    for line in lines:
        assert {"time", "level", "thread", "logger", "message"} <= line.keys()
        assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)
    first = (scene.state / "nija.log").read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO    \[MainThread\] ", first)


def test_a_signal_can_be_followed_from_the_masters_fill_to_the_users_by_one_id(scene: Scene) -> None:
    lines = scene.lines()
    copied = next(line for line in lines if re.match(rf"{USER}: buy \S+ of \w+ copied", line["message"]))
    signal = copied["correlation"]
    about = [line for line in lines if line.get("correlation") == signal]
    said = [(line.get("account"), line["message"]) for line in about]
    master = next(
        number for number, (who, text) in enumerate(said) if who == "kraken" and text.startswith("kraken filled: buy")
    )
    plan = next(number for number, (_, text) in enumerate(said) if re.match(rf"signal {signal[:8]}: entry buy", text))
    fill = next(
        number for number, (who, text) in enumerate(said) if who == USER and text.startswith(f"{USER} filled: buy")
    )
    assert about[master]["order"] != about[fill]["order"]
    assert plan < fill
    # The same for people: one word finds all of it, on whatever line.
    text = (scene.state / "nija.log").read_text(encoding="utf-8")
    found = [line for line in text.splitlines() if signal[:8] in line]
    for words in ("kraken filled: buy", f"{USER} filled: buy", f"{USER}: buy", "entry buy"):
        assert any(words in line for line in found), words


def writings(secrets: list[str]) -> Mapping[str, str]:
    """What a broken proxy may say back, in as many writings as fit into an answer."""
    return {secret: " ".join(sorted(forms_of(secret))[:12]) for secret in secrets}


def test_a_venue_that_says_our_keys_back_to_us_has_them_written_down_nowhere(scene: Scene) -> None:
    secrets = []
    for brokerage, name in (("kraken", "daivon_frazier"), ("coinbase", "daivon_frazier")):
        opened = scene.exchange.open_account(brokerage, name)
        secrets += [opened.api_key, *(line for line in opened.api_secret.splitlines() if "-----" not in line)]
    key = scene.exchange.open_account("kraken", "daivon_frazier").api_key
    echo = {"kind": "api_error", "text": f"EGeneral:Internal error no such key {key}"}
    for endpoint in ("BalanceEx", "Balance", "OpenOrders", "TradesHistory"):
        scene.exchange.fault(echo, times=None, brokerage="kraken", account="daivon_frazier", endpoint=endpoint)
    scene.exchange.fault(
        {"kind": "body", "text": f"<html>{' '.join(writings(secrets).values())}"[:4000]},
        times=None,
        brokerage="coinbase",
        account="daivon_frazier",
    )
    for account in (USER, "daivon_frazier_coinbase"):
        wait_until(
            lambda account=account: scene.health()[account] != "healthy",  # type: ignore[misc]
            seconds=90,
            what=f"{account} is told of",
        )
    wait_until(lambda: "no such key" in scene.bot.log(), seconds=90, what="the venue's words in the log")
    for place, text in everything(scene).items():
        for secret in secrets:
            for form in forms_of(secret):
                assert form.encode() not in text, place


def everything(scene: Scene) -> Mapping[str, bytes]:
    """All that somebody who is not the owner may come to see."""
    shown = {name: scene.page(name).encode() for name in ("metrics", "trading", "live", "ready")}
    shown["output"] = scene.bot.log().encode()
    for words in (("status",), ("copies", "--json"), ("why", USER)):
        done = scene.bot.command("bot.py", *words)
        shown[" ".join(words)] = (done.stdout + done.stderr).encode()
    shown |= {str(path): path.read_bytes() for path in scene.state.rglob("*") if path.is_file()}
    for pid in (scene.bot.process.pid, *children(scene.bot.process.pid)):
        shown[f"command line of {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes()
        shown[f"environment of {pid}"] = Path(f"/proc/{pid}/environ").read_bytes()
    return shown


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return [child for child in found if os.path.exists(f"/proc/{child}/environ")]


def test_what_stays_as_it_is_is_not_said_again_in_each_cycle_broken_brokerage_or_not(scene: Scene) -> None:
    def cycles() -> int:
        return scene.bot.log().count('"message": "kraken - Cycle #')

    scene.exchange.fault("5xx", times=None, brokerage="coinbase")
    began = cycles()
    wait_until(lambda: cycles() >= began + 10, seconds=120, what="ten more cycles of kraken")
    scene.exchange.clear_faults()
    said: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in scene.lines():
        if not CYCLE.search(line["message"]):
            said[line["thread"], line.get("correlation", "")][without_figures(line["message"])] += 1
    often = {text: count for counter in said.values() for text, count in counter.items() if count > 4}
    # How a look at the markets went is told when it went otherwise than the one before.
    assert {text for text in often if "scanned" not in text} == set()
