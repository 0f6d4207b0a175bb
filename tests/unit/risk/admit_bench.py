"""How long judging one entry takes: `python -m tests.unit.risk.admit_bench [accounts] [orders]`.

200 accounts with 8 positions each, one open entry each and a history of ended orders; every limit is on and none
trips. Time is that of the judging thread on its processor, so that other work of the machine is not in it.
"""

import statistics
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from time import thread_time
from typing import Any

from sqlalchemy import Connection, insert

from bot.risk.case import LimitRules
from bot.risk.limits import RULES, Limits
from bot.storage import migrations
from bot.storage.schema import account, fill, order_intent, position, risk_mark
from bot.storage.store import Store, sqlite_url
from tests.memory_broker import START, TestClock
from tests.unit.risk.desk import KRAKEN, RiskDesk, listed

POSITIONS = 8
ROUNDS = 400
ALL_ON = LimitRules(
    max_positions=20,
    max_positions_all_accounts=100_000,
    max_order_notional_quote=Decimal(10**6),
    max_symbol_notional_quote=Decimal(10**6),
    max_account_notional_quote=Decimal(10**7),
    max_total_notional_quote=Decimal(10**9),
    max_daily_loss_percent=Decimal(10),
    max_drawdown_percent=Decimal(25),
    max_entries_per_minute=30,
    max_entries_per_minute_all_accounts=100_000,
    max_rejects_in_a_row=5,
    price_collar_percent=Decimal(5),
    duplicate_entry_seconds=5.0,
)


def fill_store(connection: Connection, labels: list[str], orders: int) -> None:
    """Rows as a bot of many accounts has them."""
    now = START
    connection.execute(insert(account), [
        {"account_id": label, "broker": "kraken", "account_type": "user", "user_id": label, "name": label,
         "enabled": True, "first_seen_at": now} for label in labels
    ])  # fmt: skip
    connection.execute(insert(position), [
        {"account_id": label, "symbol": f"C{number}/USD", "quantity": Decimal("1.23456789"),
         "owed_quantity": Decimal(0), "average_entry_price": Decimal("101.2345"), "highest_price": Decimal(102),
         "opened_at": now} for label in labels for number in range(POSITIONS)
    ])  # fmt: skip
    connection.execute(insert(risk_mark), [
        {"account_id": label, "quote_currency": "USD", "day": "2026-01-01", "day_start_profit": Decimal(1),
         "peak_profit": Decimal(2), "profit": Decimal(0), "day_start_equity": Decimal(1000),
         "peak_equity": Decimal(1000), "equity": Decimal(1000), "realised_profit": Decimal(0), "counted_fills": 0,
         "marked_at": now, "problem": ""} for label in labels
    ])  # fmt: skip
    for start in range(0, orders, 10_000):
        batch = range(start, min(orders, start + 10_000))
        connection.execute(insert(order_intent), [_order(number, labels) for number in batch])
        connection.execute(insert(fill), [_fill(number, labels) for number in batch])


def _order(number: int, labels: list[str]) -> dict[str, Any]:
    is_open = number < len(labels)
    return {
        "client_order_id": f"{number:032x}", "sequence": number + 1, "account_id": labels[number % len(labels)],
        "decision": "bench", "symbol": f"C{number % 8}/USD", "side": "buy", "kind": "entry", "order_type": "market",
        "quantity": Decimal(1), "reference_price": Decimal(100), "state": "acknowledged" if is_open else "filled",
        "reason": "", "created_at": START, "attempt": 1, "empty_lookups": 0, "filled_quantity": Decimal(0),
        "sent_at": START - timedelta(seconds=30 if number < 5 * len(labels) else 90 + number % 9999),
        "needs_person": "", "resolution": "", "resolved_by": "", "updated_at": START,
    }  # fmt: skip


def _fill(number: int, labels: list[str]) -> dict[str, Any]:
    return {
        "broker": "kraken", "account_id": labels[number % len(labels)], "symbol": f"C{number % 8}/USD",
        "trade_id": f"T{number}", "venue_order_id": f"O{number}", "client_order_id": f"{number:032x}", "side": "buy",
        "quantity": Decimal(1), "price": Decimal(100), "fee": Decimal(0), "fee_currency": "USD",
        "executed_at": START, "recorded_at": START, "sequence": number + 1,
    }  # fmt: skip


def milliseconds(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"p50 {statistics.median(ordered) * 1000:.2f} ms, p99 {ordered[int(len(ordered) * 0.99)] * 1000:.2f} ms"


def main(accounts: int = 200, orders: int = 100_000) -> None:
    with tempfile.TemporaryDirectory() as directory:
        url = sqlite_url(Path(directory) / "nija.db")
        migrations.upgrade(url)
        store = Store(url)
        store.start()
        labels = [f"user{number}_kraken" for number in range(accounts)]
        store.write(lambda connection: fill_store(connection, labels, orders), timeout_seconds=300)
        desk = RiskDesk(store, LimitRules())
        rules = {f"C{number}/USD": listed(f"C{number}/USD", minimum_notional="1") for number in range(POSITIONS)}
        limits = Limits(rules=ALL_ON, clock=TestClock(), listed=lambda _account, symbol: rules.get(symbol))
        intents = [
            replace(desk.intent("NEW/USD", "1.5"), account_id=labels[number % accounts]) for number in range(ROUNDS)
        ]
        times: list[float] = []

        def judge(connection: Connection) -> None:
            for intent in intents:
                began = thread_time()
                veto = limits.veto(connection, intent)
                times.append(thread_time() - began)
                assert veto is None, veto

        store.write(judge, timeout_seconds=300)
        print(f"judged by all limits: {milliseconds(times[20:])} ({accounts} accounts, {orders} orders)")
        times.clear()
        limits.rules = replace(
            ALL_ON,
            max_positions_all_accounts=None,
            max_total_notional_quote=None,
            max_entries_per_minute_all_accounts=None,
        )
        store.write(judge, timeout_seconds=300)
        print(f"judged by the limits of one account: {milliseconds(times[20:])}")
        limits.rules = ALL_ON
        by_rule(store, limits, intents[:100])
        exact(store, limits, intents[:100])
        own_marks(desk)
        store.close()


def by_rule(store: Store, limits: Limits, intents: list[Any]) -> None:
    """Each rule alone."""

    def work(connection: Connection) -> None:
        for name, rule in RULES:
            times = []
            for intent in intents:
                began = thread_time()
                rule(limits.case(connection, intent))
                times.append(thread_time() - began)
            print(f"  {name}: {milliseconds(times)}")

    store.write(work, timeout_seconds=300)


def exact(store: Store, limits: Limits, intents: list[Any]) -> None:
    """The same when the limits of all accounts are so near that they are counted exactly, and veto."""
    limits.rules = replace(ALL_ON, max_total_notional_quote=Decimal(1000), max_positions_all_accounts=10)
    times = []

    def work(connection: Connection) -> None:
        for intent in intents:
            began = thread_time()
            assert limits.veto(connection, intent) is not None
            times.append(thread_time() - began)

    store.write(work, timeout_seconds=300)
    print(f"vetoed by the cap over all accounts, counted exactly: {milliseconds(times)}")


def own_marks(desk: RiskDesk) -> None:
    times = []
    for _ in range(50):
        began = thread_time()
        desk.mark(KRAKEN, prices={})
        times.append(thread_time() - began)
    print(f"one mark of an account, with its commit: {milliseconds(times)}")


if __name__ == "__main__":
    main(*[int(word) for word in sys.argv[1:]])
