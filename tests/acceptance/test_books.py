"""The books of a running bot against the exchange's own balances and ledger, over a kill and the end of a day."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.seams.clock import format_time
from tests.acceptance.hand_traded import HandTraded
from tests.bot_process import wait_until

OFTEN = {"NIJA__BOOKS__CASH_EVENTS_SECONDS": "2", "NIJA__BOOKS__EQUITY_POINT_SECONDS": "2"}
ACCOUNTS = ("kraken", "ann_kraken")
SYMBOL = "ETH/USD"
# A bot that is late sees the end of the day no later than the books take for near.
AFTER_MIDNIGHT_SECONDS = 15


class Bookkeeping:
    """What lies in the database of an installation."""

    def __init__(self, there: HandTraded) -> None:
        self.there = there
        self._database = there.state / "nija.db"

    def rows(self, query: str, *values: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self._database, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def wait_for(self, what: str, query: str, *values: str, number: int = 1) -> list[dict[str, Any]]:
        """Rows of a query, as soon as there are so many."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = self.rows(query, *values)
            return len(found) >= number

        wait_until(there, seconds=120, what=f"{what}; there is {found}")
        return found

    def settled(self, account: str, *, after: str) -> dict[str, Any]:
        """The first settled reading that was made after this one (its time)."""
        (row, *_) = self.wait_for(
            f"a settled reading of {account}",
            "SELECT * FROM equity_point WHERE account_id = ? AND settled AND at > ? ORDER BY at",
            account,
            after,
        )
        return row

    def alarms(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM drift WHERE kind = 'books' AND cleared_at IS NULL ORDER BY subject")

    def equity(self, name: str) -> Decimal:
        """By the exchange's own word: its balances at the best bid."""
        balances = self.there.exchange.account("kraken", name)["balances"]
        price = Decimal(self.there.exchange.control("GET", f"/market?symbol={SYMBOL}")[0]["bid"])
        return Decimal(balances["USD"]) + Decimal(balances.get("ETH", 0)) * price

    def invent_a_fill(self, at: datetime) -> None:
        moment = format_time(at)
        with closing(sqlite3.connect(self._database, timeout=30)) as connection, connection:
            connection.execute(
                "INSERT INTO fill SELECT broker, account_id, symbol, 'INVENTED', venue_order_id, NULL, 'buy', '1', "
                "'1000', '0', 'USD', ?, ?, (SELECT max(sequence) + 1 FROM fill) "
                "FROM fill WHERE account_id = 'kraken' LIMIT 1",
                (moment, moment),
            )


def test_the_books_agree_with_the_exchange_over_deposits_a_kill_and_the_end_of_a_day(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}) as there:
        books = Bookkeeping(there)
        bot = there.start(**OFTEN)
        try:
            books.wait_for("books that have begun", "SELECT DISTINCT account_id FROM opening_balance", number=2)
            there.master.trades("buy", "4", SYMBOL)
            there.comes_to("ann", SYMBOL, "2")
            there.exchange.move("kraken", "master", "deposit", "USD", "1234.56")
            there.exchange.move("kraken", "ann", "withdrawal", "USD", "50", fee="1.5")
            there.exchange.move("kraken", "ann", "staking", "ETH", "0.001")
            there.master.trades("sell", "1", SYMBOL)
            there.comes_to("ann", SYMBOL, "1.5")
            events = books.wait_for(
                "the ledger's entries",
                "SELECT * FROM cash_event WHERE at > (SELECT max(at) FROM opening_balance) ORDER BY account_id, kind",
                number=3,
            )
            moment = max(row["recorded_at"] for row in events)
            for account, name in (("kraken", "master"), ("ann_kraken", "ann")):
                point = books.settled(account, after=moment)
                assert abs(Decimal(point["equity"]) - books.equity(name)) < Decimal("0.01"), point
            assert books.alarms() == []
        finally:
            bot.kill()
        assert [(row["account_id"], row["kind"], row["amount"], row["fee"]) for row in events] == [
            ("ann_kraken", "staking", "0.001", "0"),
            ("ann_kraken", "withdrawal", "-50", "1.5"),
            ("kraken", "deposit", "1234.56", "0"),
        ]
        # Nobody listens now.
        there.exchange.move("kraken", "master", "withdrawal", "USD", "34.56")
        _the_day_ends(there, books)


def _the_day_ends(there: HandTraded, books: Bookkeeping) -> None:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    ahead = (midnight - now).total_seconds() + AFTER_MIDNIGHT_SECONDS
    there.exchange.advance_clock(ahead)
    with there.start(**OFTEN, NIJA_TEST_CLOCK_OFFSET_SECONDS=str(ahead)) as bot:
        days = books.wait_for("both days closed", "SELECT * FROM day_close ORDER BY account_id", number=2)
        _prove(there, books, days)
        books.invent_a_fill(datetime.now(UTC) + timedelta(seconds=ahead))
        alarms = books.wait_for(
            "an alarm for both assets", "SELECT * FROM drift WHERE kind = 'books' AND cleared_at IS NULL", number=2
        )
        bot.says("drift books")
    assert {row["subject"] for row in alarms} == {"USD", "ETH"}
    assert {row["account_id"] for row in alarms} == {"kraken"}
    assert "Traceback" not in bot.log()


def _prove(there: HandTraded, books: Bookkeeping, days: list[dict[str, Any]]) -> None:
    for day, name in zip(days, ("ann", "master"), strict=True):
        terms = {key: Decimal(day[key]) for key in ("realised", "unrealised_change", "net_deposits", "income")}
        made = sum(terms.values(), Decimal(day["other_holdings"])) - Decimal(day["fees"])
        assert (day["status"], Decimal(day["difference"])) == ("ok", Decimal(0)), day["problem"]
        assert Decimal(day["equity"]) - Decimal(day["opening_equity"]) == made
        assert abs(Decimal(day["equity"]) - books.equity(name)) < Decimal("0.01")
        journal = there.exchange.journal(type="fill", account=name)
        assert Decimal(day["fees"]) >= sum(Decimal(line["fee"]) for line in journal)
        assert len(json.loads(day["units_json"])) == 2
    ann, master = days
    assert Decimal(master["net_deposits"]) == Decimal("1200")
    assert Decimal(ann["net_deposits"]) == Decimal("-50")
    assert Decimal(ann["income"]) > 0


def test_a_bot_whose_ledger_reading_is_refused_says_so_and_trades_on(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}) as there:
        books = Bookkeeping(there)
        fault = there.exchange.fault({"kind": "body", "text": "oops"}, times=None, endpoint="Ledgers")
        assert fault
        with there.start(**OFTEN) as bot:
            (row, *_) = books.wait_for("a problem in words", "SELECT * FROM cash_reading WHERE problem <> ''")
            there.master.trades("buy", "2", SYMBOL)
            there.comes_to("ann", SYMBOL, "1")
            assert bot.accounts()["kraken"]["health"] == "healthy"
            assert row["read_at"] is None
            there.exchange.clear_faults()
            books.wait_for("both ledgers read", "SELECT * FROM cash_reading WHERE problem = ''", number=2)
        assert books.alarms() == []
