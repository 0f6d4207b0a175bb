"""A small trade copied by two users, as a journal and as books that agree: tests change one and ask the judge."""

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.kill_drill.books import Books
from benchmarks.kill_drill.exchange_side import ExchangeSide
from benchmarks.kill_drill.judge import judge
from benchmarks.kill_drill.terms import Market, Terms
from bot.seams.ids import order_tag

INSTALL_ID = "doctored"
TAG = order_tag(INSTALL_ID)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TERMS = Terms(
    users={"kraken": frozenset({"ann_kraken", "bob_kraken"})},
    markets={"ETH/USD": Market(Decimal("0.001"), Decimal("0.5"), Decimal("0.00000001"))},
    own_coins={("ann_kraken", "ETH"): Decimal(3), ("bob_kraken", "ETH"): Decimal(0)},
    balances={("ann_kraken", "ETH"): Decimal(3), ("bob_kraken", "ETH"): Decimal(0)},
)
COLUMNS = {
    "meta": "key value",
    "signal": "signal_id account_id broker symbol kind quantity reference_price venue_order_id batch sequence "
    "executed_at planned_at",
    "order_intent": "client_order_id account_id signal_id symbol side kind state quantity filled_quantity "
    "venue_order_id needs_person reason updated_at sequence",
    "copy_result": "signal_id account_id status ratio detail",
    "fill": "account_id symbol side trade_id venue_order_id quantity price fee",
    "membership": "account_id broker from_sequence to_sequence",
}
Row = dict[str, Any]


class CopiedTrade:
    """A master buys one ether and sells it; Ann copies a tenth, Bob half. Journal and books agree, until doctored."""

    def __init__(self) -> None:
        self.lines: list[Row] = []
        self.tables: dict[str, list[Row]] = {name: [] for name in COLUMNS}
        self.terms = TERMS
        self._nonce = 1000
        self.add("meta", key="install_id", value=INSTALL_ID)
        for user in ("ann_kraken", "bob_kraken"):
            self.add("membership", account_id=user, broker="kraken", from_sequence=0, to_sequence=None)
        for number, (side, price) in enumerate([("buy", "2000"), ("sell", "2010")], start=1):
            second = number * 100
            self.order("kraken", side, "1", price, second=second)
            self.signal(number, side, price, second)
            for user, quantity in (("ann_kraken", "0.1"), ("bob_kraken", "0.5")):
                self.order(user, side, quantity, price, second=second + 1, signal=f"S{number}")
                self.add("copy_result", signal_id=f"S{number}", account_id=user, status="copied", ratio=quantity,
                         detail="")  # fmt: skip

    def add(self, table: str, **values: Any) -> None:
        self.tables[table].append(values)

    def signal(self, number: int, side: str, price: str, second: int) -> None:
        kind = "entry" if side == "buy" else "exit"
        self.add(
            "signal", signal_id=f"S{number}", account_id="kraken", broker="kraken", symbol="ETH/USD", kind=kind,
            quantity="1", reference_price=price, venue_order_id=f"O-kraken-{second}", batch=0, sequence=number,
            executed_at=stamp(second), planned_at=stamp(second),
        )  # fmt: skip

    def order(
        self, account: str, side: str, quantity: str, price: str, *, second: int, signal: str | None = None
    ) -> None:
        """One order, whole: written down, looked up, accepted, filled, booked."""
        name = f"{TAG}{account}{second}"
        shown = {"account": "master" if account == "kraken" else account.removesuffix("_kraken")}
        common = {
            **shown, "client_order_id": name, "order_id": f"O-{account}-{second}", "symbol": "ETH/USD", "side": side,
            "quantity": quantity, "price": price,
        }  # fmt: skip
        self._nonce += 1
        self.line("request", second, **shown, nonce=str(self._nonce))
        self.line("write_ahead", second, **shown, client_order_id=name, verdict="ok")
        self.line("accept", second, **common)
        self.line("fill", second, **common, trade_id=f"T-{account}-{second}", fee="0.0123")
        self.add(
            "order_intent", client_order_id=name, account_id=account, signal_id=signal, symbol="ETH/USD", side=side,
            kind="entry" if side == "buy" else "exit", state="filled", quantity=quantity, filled_quantity=quantity,
            venue_order_id=f"O-{account}-{second}", needs_person="", reason="", updated_at=stamp(second),
            sequence=len(self.tables["order_intent"]) + 1,
        )  # fmt: skip
        self.add(
            "fill", account_id=account, symbol="ETH/USD", side=side, trade_id=f"T-{account}-{second}",
            venue_order_id=f"O-{account}-{second}", quantity=quantity, price=price, fee="0.01230",
        )  # fmt: skip

    def line(self, kind: str, second: float, **values: Any) -> None:
        empty = dict.fromkeys(("nonce", "error", "client_order_id", "order_id"))
        self.lines.append({**empty, "type": kind, "time": stamp(second), "brokerage": "kraken", **values})

    def found(self, kind: str, client_order_id: str) -> Row:
        """The line of this kind of an order; without the tag."""
        wanted = (kind, f"{TAG}{client_order_id}")
        return next(line for line in self.lines if (line["type"], line["client_order_id"]) == wanted)

    def row(self, table: str, **wanted: Any) -> Row:
        return next(row for row in self.tables[table] if wanted.items() <= row.items())

    def drop(self, table: str, **wanted: Any) -> None:
        self.tables[table].remove(self.row(table, **wanted))

    def intent(self, client_order_id: str) -> Row:
        return self.row("order_intent", client_order_id=f"{TAG}{client_order_id}")

    def sides(self, path: Path) -> tuple[ExchangeSide, Books]:
        with sqlite3.connect(path) as connection:
            for table, columns in COLUMNS.items():
                names = columns.split()
                connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
                for row in self.tables[table]:
                    marks = ", ".join("?" for _ in names)
                    connection.execute(f"INSERT INTO {table} VALUES ({marks})", [row[name] for name in names])
        connection.close()
        lines = [{**line, "seq": number} for number, line in enumerate(self.lines, start=1)]
        return ExchangeSide.from_lines(lines), Books.read(path)

    def broken(self, path: Path) -> set[str]:
        exchange, books = self.sides(path)
        return {problem.invariant for problem in judge(exchange, books, self.terms)}


def stamp(second: float) -> str:
    return (NOON + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
