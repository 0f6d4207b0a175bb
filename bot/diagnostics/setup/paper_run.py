"""A short run on paper, with the configuration as it is and books that are thrown away afterwards."""

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.diagnostics.copies import signals_of
from bot.diagnostics.store_reading import NoStore, read_store
from bot.seams.clock import SystemClock
from bot.settings import Settings, load_settings
from bot.settings.loading import PROJECT_DIR, inherited_environment
from bot.storage.copies import latest_copies

LOOK_SECONDS = 0.5
# Beyond the run itself: its start, and a stop that closes everything in order.
STOP_SECONDS = 30.0
LAST_LINES = 8


@dataclass(frozen=True)
class PaperRun:
    """`copied` has a line for each brokerage's first copied fill, `first_seconds` when the first of them was there."""

    copied: Mapping[str, str]
    first_seconds: float | None
    last_words: str = ""


def paper_run(seconds: float, say: Callable[[str], None]) -> PaperRun:
    """Run the bot on paper until every brokerage that has users shows a copied fill, or the time is over."""
    with tempfile.TemporaryDirectory(prefix="nija-first-run-") as directory:
        environ = _environment(Path(directory))
        settings = load_settings(environ=environ)
        log = Path(directory) / "said.txt"
        with _bot(environ, seconds, log) as child:
            copied, first = _watch(settings, child, seconds, say)
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return PaperRun(copied, first, "" if copied else "\n".join(said[-LAST_LINES:]))


def _environment(directory: Path) -> dict[str, str]:
    """This process's own, and what keeps the run away from real money, from the books, and from everybody's ports."""
    return inherited_environment() | {
        "TRADING_MODE": "paper",
        "STATE_DIR": str(directory / "state"),
        "DATABASE_URL": "null",
        "METRICS_PORT": "0",
        # A platform's port is answered on even without a page; it is the bot's that the platform runs.
        "PORT": "",
        "PAPER_EXCHANGE_CONTROL": "null",
        "NIJA__CONSOLE__ENABLED": "false",
        "NIJA__NOTIFICATIONS__ENABLED": "false",
        "NIJA__SCALING__MODE": "one",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def _bot(environ: Mapping[str, str], seconds: float, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, str(PROJECT_DIR / "bot.py"), "--for", f"{seconds:g}"],
            cwd=PROJECT_DIR,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield child
        finally:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(STOP_SECONDS)


def _watch(
    settings: Settings, child: "subprocess.Popen[bytes]", seconds: float, say: Callable[[str], None]
) -> tuple[dict[str, str], float | None]:
    clock, never = SystemClock(), threading.Event()
    expected = brokers_with_users(settings)
    copied: dict[str, str] = {}
    began, first = clock.monotonic(), None
    while clock.monotonic() - began < seconds + STOP_SECONDS and child.poll() is None and expected - copied.keys():
        clock.wait(never, LOOK_SECONDS)
        for broker, line in _first_copies(settings).items():
            if broker not in copied:
                copied[broker] = line
                first = clock.monotonic() - began if first is None else first
                say(f"  {line}")
    return copied, first


def brokers_with_users(settings: Settings) -> set[str]:
    """Where somebody will copy: a master that runs, and a user of it."""
    masters = {master.broker for master in settings.masters if master.enabled}
    return {str(user.broker) for user in settings.users if user.enabled and user.broker in masters}


def _first_copies(settings: Settings) -> dict[str, str]:
    """By brokerage; the oldest copy that was filled."""
    try:
        with read_store(settings) as connection:
            signals = signals_of(latest_copies(connection, signals=100))
    except NoStore:
        return {}
    found: dict[str, str] = {}
    for signal_shown in reversed(signals):
        filled = [user for user in signal_shown["users"] if user["filled_quantity"] not in (None, "0")]
        if filled:
            found.setdefault(str(signal_shown["broker"]), _line(signal_shown, filled))
    return found


def _line(shown: Mapping[str, Any], filled: list[dict[str, Any]]) -> str:
    did = {"buy": "bought", "sell": "sold"}[str(shown["side"])]
    copies = ", ".join(f"{user['user_id']} {user['filled_quantity']}" for user in filled)
    return f"{shown['broker']} master {did} {shown['quantity']} {shown['symbol']} at {shown['price']}; copied: {copies}"
