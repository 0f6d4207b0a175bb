"""How long the operator's figures take on books with a history.

    python benchmarks/figures.py [--fills 100000] [--days 60] [--users 14] [--json]

A master with so many fills, and users with twenty a day each; every day but the last is closed as a running bot closes
it. Each command runs in this process, as `python bot.py` runs it after its start: the time of the start (which loads
the program and reads the settings, and is the same for every command) is a row of its own.
"""

import argparse
import contextlib
import io
import logging
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import insert

from benchmarks.report import Cell, Report
from bot.diagnostics.commands import parser
from bot.domain.account import AccountRef, BrokerType
from bot.settings import load_settings
from bot.storage.schema import fill
from tests.stored_bot import KRAKEN, StoredBot, write_configuration
from tests.unit.diagnostics.ledger import Ledger

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ("ETH", "SOL", "ADA", "XRP", "DOT", "LTC", "LINK", "AVAX", "ATOM", "UNI")
FILLS_OF_A_USER = 20
GOAL_SECONDS = 0.5
COMMANDS = (
    ("money",),
    ("pnl",),
    ("pnl", "--all"),
    ("pnl", "--account", "kraken", "--explain"),
    ("statement", "u1", "--month", "{month}"),
    ("cost",),
    ("report", "--html", "{directory}/report.html"),
    ("export", "fills", "--csv", "{directory}/fills.csv"),
)
COLUMNS = ("command", "seconds", "of processor", "goal")


class History:
    """Purchases, and sales of what was bought, of one account."""

    def __init__(self, ledger: Ledger, numbers: Iterator[int]) -> None:
        self.ledger = ledger
        self._numbers = numbers
        self._chance = random.Random(1)
        self._held: dict[str, list[Decimal]] = {asset: [] for asset in ASSETS}

    def trade(self, begin: datetime, end: datetime, fills: int) -> None:
        """So many, evenly spread over the time."""
        rows = [self._row(begin + (end - begin) * number / fills) for number in range(fills)]
        self.ledger.bot.store.write(lambda connection: connection.execute(insert(fill), rows))

    def _row(self, moment: datetime) -> dict[str, Any]:
        number, asset = next(self._numbers), self._chance.choice(ASSETS)
        held = self._held[asset]
        sells = bool(held) and self._chance.random() < 0.5
        quantity = held.pop(0) if sells else Decimal(self._chance.randint(1, 1000)) / 100
        if not sells:
            held.append(quantity)
        price = Decimal(self._chance.randint(9000, 11000)) / 100
        fee = quantity * price / 400
        sign = -1 if sells else 1
        self.ledger.move(asset, sign * quantity)
        self.ledger.move("USD", -sign * quantity * price - fee)
        return {
            "broker": "kraken",
            "account_id": self.ledger.ref.label,
            "symbol": f"{asset}/USD",
            "trade_id": f"T{number}",
            "venue_order_id": f"O{number}",
            "client_order_id": None,
            "side": "sell" if sells else "buy",
            "quantity": quantity,
            "price": price,
            "fee": fee,
            "fee_currency": "USD",
            "executed_at": moment,
            "recorded_at": moment,
            "sequence": number,
        }


def build(bot: StoredBot, *, fills: int, days: int, users: int, now: datetime) -> None:
    """The history of every account, until a few minutes ago."""
    bot.runs()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    numbers = iter(range(1, 10**9))
    prices = dict.fromkeys(ASSETS, "100")
    for ref in (KRAKEN, *(AccountRef.user(BrokerType.KRAKEN, f"u{number}") for number in range(users))):
        begin = today - timedelta(days=days - 1)
        history = History(Ledger(bot, ref, opened=begin, units={"USD": "100000000"}), numbers)
        of_a_day = fills // days if ref is KRAKEN else FILLS_OF_A_USER
        for day in range(days - 1):
            end = begin + timedelta(days=day + 1)
            history.trade(end - timedelta(hours=23), end - timedelta(minutes=1), of_a_day)
            history.ledger.close(end, prices)
        history.trade(today, today + (now - today) / 2, of_a_day)
        history.ledger.point(today + (now - today) * 0.9, prices)


def measure(template: Sequence[str], named: Mapping[str, str]) -> dict[str, Cell]:
    """One command, as it is after the start."""
    words = [word.format(**named) for word in template]
    asked, settings = parser().parse_args(words), load_settings()
    began, busy = perf_counter(), process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        asked.run(settings, asked)
    seconds, processor = perf_counter() - began, process_time() - busy
    goal = "" if words[0] in ("export", "report") else f"<= {GOAL_SECONDS:g}"
    return {"command": " ".join(template), "seconds": seconds, "of processor": processor, "goal": goal}


def start() -> dict[str, Cell]:
    """What every command takes before it begins."""
    began = perf_counter()
    subprocess.run(
        [sys.executable, "bot.py", "config", "--help"], cwd=ROOT, check=True, capture_output=True, timeout=120
    )
    return {"command": "(start of any command)", "seconds": perf_counter() - began, "of processor": None, "goal": ""}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--fills", type=int, default=100_000)
    asked.add_argument("--days", type=int, default=60)
    asked.add_argument("--users", type=int, default=14)
    asked.add_argument("--json", action="store_true")
    words = asked.parse_args()
    logging.disable(logging.WARNING)
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"STATE_DIR": name, "NIJA_CONFIG_DIR": str(write_configuration(Path(name)))}
        with StoredBot(Path(name)) as bot:
            build(bot, fills=words.fills, days=words.days, users=words.users, now=now)
            named = {"month": f"{now:%Y-%m}", "directory": name}
            rows = [start(), *(measure(one, named) for one in COMMANDS)]
    Report(
        title=f"Figures of {words.fills:,} fills of a master and {words.users} users, {words.days} days",
        columns=COLUMNS,
        rows=rows,
        settings={"fills": words.fills, "days": words.days, "users": words.users},
    ).say(as_json=words.json)


if __name__ == "__main__":
    main()
