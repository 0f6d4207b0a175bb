"""Every command of the parser: its help, its examples, its JSON; and that none talks to anybody but the store."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.app import main
from bot.diagnostics.commands import COMMANDS, every_command, help_by_question, parser
from bot.domain.order import OrderKind
from tests.bot_process import ROOT
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, StoredBot
from tests.unit.diagnostics.books import copy, member, order, signal
from tests.unit.diagnostics.conftest import Ask

# What is said after each command. A new command must be tried here, or have its reason below.
WORDS: Mapping[str, str] = {
    "accounts": "accept-identity kraken --by Anna --reason moved",
    "alerts": "",
    "audit": "",
    "backup": "{home}/copy.db",
    "capacity": "kraken",
    "completion": "bash",
    "config": "show",
    "controls": "",
    "copies": "",
    "copy-books": "",
    "cost": "",
    "data": "generate 7:1:BTC/USD --out {home}/candles.csv",
    "debts": "",
    "drift": "",
    "export": "fills --csv {home}/fills.csv",
    "fidelity": "",
    "flatten": "kraken --yes",
    "halts": "",
    "kill": "",
    "limits": "",
    "market": "",
    "min-balance": "daivon_frazier",
    "money": "",
    "nonce": "status",
    "orders": "",
    "pause": "kraken",
    "pnl": "",
    "positions": "",
    "processes": "",
    "reconcile": "all",
    "report": "--html {home}/report.html",
    "resolve": "",
    "restore": "{home}/none.db",
    "resume": "",
    "statement": "daivon_frazier --month 2026-11",
    "status": "",
    "strategy": "list",
    "symbols": "",
    "trace": "aaaaaaaa",
    "users": "",
    "verify": "",
    "vetoes": "",
    "why": "kraken",
    "why-no-trade": "kraken",
}
# These are for looking outwards, or start programs: what they print is tried where they are.
ELSEWHERE = {"backtest", "doctor", "drill", "init", "init-user", "notify"}
WRITING = {"accounts", "flatten", "kill", "pause", "resume"}
ANSWERS = {0, 1, 2, 3}
# What trades, and what talks to brokerages, mailers and pages: seconds of loading that no answer needs.
HEAVY = ("ccxt", "alpaca", "coinbase", "krakenex", "pandas", "numpy", "httpx", "requests", "websocket", "starlette")
HEAVY_OF_OURS = ("bot.service", "bot.composition", "bot.backtest", "bot.console", "bot.strategies")
READING = (
    *("status", "users", "positions", "orders", "nonce status", "alerts", "trace aaaaaaaa", "halts", "copies", "debts"),
    *("money", "pnl", "drift", "resolve", "symbols", "vetoes", "controls", "audit", "market", "why-no-trade kraken"),
)

_outside: list[str] = []
_watched: list[bool] = []


def _hear(event: str, details: tuple[object, ...]) -> None:
    if _watched and event in ("socket.connect", "socket.getaddrinfo"):
        _outside.append(f"{event} {details}")


sys.addaudithook(_hear)


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    """A bot with a signal that was copied by an order whose outcome is not known."""
    bot.runs()
    bot.accounts([KRAKEN, COINBASE, DAIVON])
    member(bot)
    entry = signal(bot, "a", OrderKind.ENTRY)
    copied = order(bot, "b1b1b1b1", signal_id=entry)
    copy(bot, entry, client_order_id=copied)
    return bot


def test_every_command_answers_in_json_alone_and_asks_nobody_but_the_store(
    ask: Ask, running: StoredBot, home: Path, request: pytest.FixtureRequest
) -> None:
    assert sorted(every_command()) == sorted({*WORDS, *ELSEWHERE})
    for command in sorted(WORDS, key=lambda name: (name in WRITING, name)):
        _outside.clear()
        _watched.append(True)
        try:
            answer = ask(main, command, *shlex.split(WORDS[command].format(home=home)), "--json")
        finally:
            _watched.clear()
        assert answer.code in ANSWERS, (command, answer)
        assert "Traceback" not in answer.errors, (command, answer)
        assert isinstance(_read(command, answer.text), dict | list)
        if request.config.getoption("--database") != "postgresql":
            assert _outside == [], command


def _read(command: str, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise AssertionError(f"{command} printed no JSON: {text!r}") from error


def test_a_wrong_configuration_is_said_in_json_too(ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MODE", "dreaming")
    answer = ask(main, "halts", "--json")
    assert answer.code == 2
    assert "TRADING_MODE" in answer.json["said"]
    assert "TRADING_MODE" in ask(main, "halts").errors


@pytest.mark.parametrize(
    "command", ["status", "users", "positions", "orders", "nonce status", "alerts", "trace abcdef"]
)
def test_without_a_store_a_command_says_what_to_start_and_its_json_is_still_json(
    command: str, ask: Ask, home: Path
) -> None:
    answer = ask(main, *command.split(), "--json")
    assert answer.code == 3
    assert answer.json["running"] is False
    assert "./start.sh" in answer.json["said"]
    assert "./start.sh" in ask(main, *command.split()).errors


def test_every_command_tells_its_exit_codes_and_has_examples_that_it_understands() -> None:
    wrong = []
    for name, made in every_command().items():
        told = made.format_help()
        examples = [line.strip() for line in told.splitlines() if line.startswith("  python bot.py ")]
        assert "exit code: " in told, name
        assert examples, name
        for example in examples:
            words = shlex.split(example.partition(" > ")[0])[2:]
            try:
                parsed = parser().parse_args(words)
            except SystemExit:
                wrong.append(example)
            else:
                assert parsed.command == name
    assert wrong == []


def test_the_help_is_read_in_a_minute_and_names_every_command_once() -> None:
    told = parser().format_help()
    lines = told.splitlines()
    assert len(lines) <= 60
    assert max(len(line) for line in lines) <= 100
    assert [line for line in lines if line in COMMANDS] == list(COMMANDS)
    named = [name.strip() for line in help_by_question().splitlines() if line.startswith("  ")
             for name in line[2:34].split("  ")[0].split(",")]  # fmt: skip
    assert sorted(named) == sorted(every_command())


def test_a_mistyped_command_is_met_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    for typed, meant in (("hlts", "halts"), ("postions", "positions"), ("stauts", "status")):
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([typed])
        assert ended.value.code == 2
        assert f"did you mean {meant}?" in capsys.readouterr().err


def test_a_word_that_is_like_no_command_is_told_where_all_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["zzzzzz"])
    assert "python bot.py --help lists all" in capsys.readouterr().err


def test_what_only_reads_the_store_loads_nothing_that_trades(running: StoredBot, home: Path) -> None:
    """All of them one after the other in one interpreter: whatever one of them loads is found."""
    program = f"""
import sys
import bot.app
for words in {READING!r}:
    bot.app.main(words.split())
print("LOADED", sorted(m for m in sys.modules if m.split(".")[0] in {HEAVY!r} or m.startswith({HEAVY_OF_OURS!r})))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("LOADED []")


def test_completion_offers_commands_options_and_words_in_bash(ask: Ask, home: Path) -> None:
    script = home / "completion"
    script.write_text(ask(main, "completion", "bash").text, encoding="utf-8")

    def offered(*typed: str) -> set[str]:
        words = " ".join(shlex.quote(word) for word in typed)
        program = f". {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _nija; echo ${{COMPREPLY[*]}}"
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60, check=True)
        return set(done.stdout.split())

    assert {"status", "statement", "strategy"} <= offered("python", "bot.py", "st")
    assert offered("python", "bot.py", "--for", "5", "hal") == {"halts"}
    assert {"--json", "--open", "--limit"} <= offered("python", "./bot.py", "orders", "--")
    assert offered("python", "bot.py", "nonce", "st") == {"status"}
    assert offered("python", "other.py", "st") == set()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_for_the_other_shells_names_every_command(shell: str, ask: Ask, home: Path) -> None:
    told = ask(main, "completion", shell).text
    assert [name for name in every_command() if name not in told] == []
