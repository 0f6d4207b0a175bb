"""The tool that tries strategies: the shipped ones stand every trial, and each kind of cheat falls at one of them."""

import json
from pathlib import Path

import pytest

from bot import exit_codes
from bot.diagnostics.commands import parser
from bot.diagnostics.strategy import run
from bot.diagnostics.strategy_answers import Trial
from bot.diagnostics.strategy_check import StrategyCheck
from bot.diagnostics.strategy_markets import made_markets, other_future
from bot.strategies.loading import SHIPPED, load_strategy
from tests.unit.strategies.test_loading import write

WATCHED = "no clock, file, network or chance"
KIND = "answers of the right kind"
ORDER = "the same in any order of calls"
FUTURE = "the same whatever comes later"
WINDOW = "no more than candles_needed"
SCREENS = "screens hide no answer"
EXTREMES = "parameters at the ends of their ranges"
# Reads nothing, keeps nothing: buys after every rise.
HONEST = """
{imports}
from decimal import Decimal
from bot.strategies.interface import EntryIntent, ExitIntent, NoEntry, Parameter

SEEN = {{}}

class Mine:
    name = "mine"
    parameters = (Parameter("rise", 1, 1, 9, "candles", "how many closes must rise"),)

    def __init__(self, values):
        self.rise = values.integer("rise")
        self.candles_needed = {needed}
        self.calls = 0

    def entry(self, view):
        closes = [candle.close for candle in view.last(self.rise + 1)]
        {entry}
        if all(later > earlier for earlier, later in zip(closes, closes[1:])):
            return EntryIntent(view.symbol, Decimal("0.5"), "rises")
        return NoEntry("no rise")

    def exit(self, view, position):
        {exit}
        return ExitIntent(view.symbol, "fell") if view.candles[-1].close < view.candles[-2].close else None
{more}
"""


def mine(*, imports: str = "", needed: str = "self.rise + 1", entry: str = "", exit: str = "", more: str = "") -> str:
    return HONEST.format(imports=imports, needed=needed, entry=entry or "pass", exit=exit or "pass", more=more)


def trials_of(directory: Path, text: str) -> dict[str, Trial]:
    file = write(directory, text)
    check = StrategyCheck(lambda: load_strategy(file, {}, directory=directory), made_markets(100))
    return {trial.name: trial for trial in check.trials()}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_strategy_stands_every_trial(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(parser().parse_args(["strategy", "check", name, "--json"]))
    told = json.loads(capsys.readouterr().out)
    assert code == exit_codes.OK and told["passed"] is True, told
    assert [trial["name"] for trial in told["trials"]] == [WATCHED, KIND, ORDER, FUTURE, WINDOW, SCREENS, EXTREMES]
    assert all(trial["checked"] > 0 for trial in told["trials"])


def test_a_strategy_without_tricks_stands_every_trial(tmp_path: Path) -> None:
    assert [trial.name for trial in trials_of(tmp_path, mine()).values() if not trial.passed] == []


REMEMBERS = "self.calls += 1\n        if self.calls % 3 == 0: return NoEntry('every third time', rule='third')"
CHANCE = "if np.random.random() < 0.5: return NoEntry('chance', rule='chance')"
KNOWS_LATER = (
    "SEEN[view.candles[-1].opened_at] = view.candles[-1].close\n"
    "        later = [close for at, close in SEEN.items() if at > view.candles[-1].opened_at]\n"
    "        if later and max(later) > closes[-1]: return EntryIntent(view.symbol, Decimal(1), 'it will rise')"
)
HIDES = """
    def screen(self, arrays):
        import numpy as np
        return np.arange(len(arrays)) % 2 == 0
"""
# Says rightly where nothing rose, but for one candle: it looks at the next one.
PEEKS = """
    def screen(self, arrays):
        import numpy as np
        return np.append(np.diff(arrays.close) > 0, False)
"""


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        (mine(entry=REMEMBERS), ORDER),
        (mine(exit=REMEMBERS.replace("NoEntry('every third time', rule='third')", "None")), ORDER),
        (mine(imports="import numpy as np", entry=CHANCE), ORDER),
        (mine(entry=KNOWS_LATER), FUTURE),
        (mine(needed="2", entry="closes = [candle.close for candle in view.candles[-9:]]"), WINDOW),
        (mine(entry="if len(view.candles) > 60: return NoEntry('long', rule='long')"), WINDOW),
        (mine(entry="1 / 0"), KIND),
        (mine(exit="return True"), KIND),
        (mine(entry="view.account.cash_quote"), KIND),
        (mine(more=HIDES), SCREENS),
        (mine(more=PEEKS), SCREENS),
    ],
)
def test_a_strategy_that_breaks_a_rule_is_found_out(tmp_path: Path, text: str, fails: str) -> None:
    failed = [trial for trial in trials_of(tmp_path, text).values() if not trial.passed]
    assert fails in [trial.name for trial in failed], failed


@pytest.mark.parametrize(
    ("imports", "call", "told"),
    [
        ("import time", "time.time()", "time.time"),
        ("from time import monotonic as now", "now()", "time.monotonic"),
        ("from datetime import datetime, UTC", "datetime.now(UTC)", "datetime.datetime.now"),
        ("import datetime as d", "d.date.today()", "datetime.date.today"),
        ("", "open('/dev/null').close()", "io.open"),
        ("from pathlib import Path", "Path('/dev/null').read_bytes()", "open"),
        ("import os", "os.getenv('HOME')", "os."),
        ("import os", "os.environ['PATH']", "os."),
        ("import os", "os.listdir('.')", "posix.listdir"),
        ("import random", "random.random()", "random"),
        ("from random import Random", "Random(3).random()", "random"),
        ("import uuid", "uuid.uuid4()", "uuid"),
        ("import secrets", "secrets.token_hex()", "secrets"),
        ("import socket", "socket.socket().close()", "socket"),
        ("import threading", "threading.Thread(target=int).start()", "_thread"),
        ("", "import subprocess; subprocess.run(['true'])", "subprocess"),
    ],
)
def test_what_reaches_out_of_the_view_is_seen_with_its_line(tmp_path: Path, imports: str, call: str, told: str) -> None:
    text = mine(imports=imports, entry=f"\n        if len(view.candles) % 16 == 0: {call}".strip())
    watched = trials_of(tmp_path, text)[WATCHED]
    assert not watched.passed and told in watched.detail and "mine.py:" in watched.detail, watched


def test_importing_within_a_call_is_loading_and_no_offence(tmp_path: Path) -> None:
    assert trials_of(tmp_path, mine(entry="import colorsys, decimal"))[WATCHED].passed


def test_a_parameter_that_cannot_be_used_at_the_end_of_its_range_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    breaks = mine(entry="if self.rise == 9: 1 / 0\n        print('what a strategy prints is no part of the answer')")
    file = tmp_path / write(tmp_path, breaks)
    assert run(parser().parse_args(["strategy", "check", str(file), "--json"])) == exit_codes.SOMETHING_WRONG
    trials = {trial["name"]: trial for trial in json.loads(capsys.readouterr().out)["trials"]}
    assert not trials[EXTREMES]["passed"] and trials[EXTREMES]["detail"].startswith("rise = 9: ")
    assert trials[KIND]["passed"]


def test_the_operators_candles_are_tried_and_a_parameter_can_be_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candles = made_markets(160)["range"]
    rows = [
        f"{one.opened_at.timestamp():.0f},{one.open},{one.high},{one.low},{one.close},{one.volume}" for one in candles
    ]
    file = tmp_path / "btc.csv"
    file.write_text("\n".join(["Time,Open,High,Low,Close,Volume", *rows]))
    words = ["strategy", "check", "breakout", "--data", str(file), "--set", "channel=30", "--set", "margin_atr=0.1"]
    assert run(parser().parse_args(words)) == exit_codes.OK
    told = capsys.readouterr().out
    assert "btc.csv" in told and "Every trial held" in told and "1500 markets" in told
    file.write_text("\n".join(["time,open,high,low,close", *(row.rpartition(",")[0] for row in rows[:20])]))
    assert run(parser().parse_args(words)) == exit_codes.WRONG_USE
    assert "btc has 20 candles; breakout needs more than 44" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n", "csv:1: no column time, open, high, low, close"),
        ("time,open,high,low,close\n60,1,1,1,x\n", "csv:2: close is 'x'"),
        ("time,open,high,low,close\nyesterday,1,1,1,1\n", "csv:2: time is 'yesterday'"),
        ("time,open,high,low,close\n60,1,1,1,1\n", "x has 1 candles; buy_and_hold needs more than 1"),
        ("time,open,high,low,close\n60,1,1,1,1\n0,1,1,1,1\n", "csv:3: x is not later"),
        ("time,open,high,low,close\n0,1,1,1,1\n60,1,1,1,2\n", "csv:3: open 1, high 1, low 1 and close 2"),
        ("time,open,high,low,close\n0,1,1,1,1\n61,1,1,1,1\n", "candles are whole minutes"),
        ("time,open,high,low,close,symbol\n0,1,1,1,1,b\n", "csv:2: symbol is 'b'"),
        (
            "time,open,high,low,close,symbol\n0,1,1,1,1,A/B\n60,1,1,1,1,A/B\n0,1,1,1,1,C/D\n300,1,1,1,1,C/D\n",
            "candles of [1, 5] minutes",
        ),
    ],
)
def test_a_file_of_candles_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.csv"
    file.write_text(text)
    words = ["strategy", "check", "buy_and_hold", "--data", str(file)]
    assert run(parser().parse_args(words)) == exit_codes.WRONG_USE
    assert sentence in capsys.readouterr().err


def test_list_and_show_tell_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parser().parse_args(["strategy", "list", "--json"])) == exit_codes.OK
    listed = json.loads(capsys.readouterr().out)["strategies"]
    assert [one["name"] for one in listed] == list(SHIPPED)
    assert run(parser().parse_args(["strategy", "show", "breakout", "--json"])) == exit_codes.OK
    shown = json.loads(capsys.readouterr().out)
    first = shown["parameters"][0]
    assert first["name"] == "channel" and (first["default"], first["minimum"], first["maximum"]) == ("20", "2", "300")
    assert run(parser().parse_args(["strategy", "show", "mean_reversion"])) == exit_codes.OK
    assert "adx_ceiling" in capsys.readouterr().out
    assert run(parser().parse_args(["strategy", "list"])) == exit_codes.OK
    assert all(name in capsys.readouterr().out for name in ["buy_and_hold"])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["show", "nothing"], exit_codes.WRONG_USE, "there is no strategy 'nothing'"),
        (["check", "rsi_trend", "--set", "rsi_fast=500"], exit_codes.WRONG_USE, "between 2 and 100 candles"),
        (["check", "rsi_trend", "--set", "rsi_fast"], exit_codes.WRONG_USE, "is not NAME=VALUE"),
        (["check"], exit_codes.WRONG_USE, "needs the name of a strategy"),
        (["list", "rsi_trend"], exit_codes.WRONG_USE, "takes no name"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence(
    words: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended = run(parser().parse_args(["strategy", *words]))
    except SystemExit as stop:
        ended = int(str(stop.code))
    assert ended == code and sentence in capsys.readouterr().err


def test_made_markets_are_the_same_every_time_and_another_future_shares_the_past() -> None:
    made, again = made_markets(150), made_markets(150)
    assert made == again and all(len(candles) >= 150 for candles in made.values())
    rises = {name: candles[-1].close > candles[0].close for name, candles in made.items()}
    assert rises["trend up"] and not rises["trend down"] and not rises["crash"]
    assert len({candle.close for candle in made["still"]}) == 1
    other = other_future(made["range"], 100)
    assert other[:100] == made["range"][:100] and other[100:] != made["range"][100:]
