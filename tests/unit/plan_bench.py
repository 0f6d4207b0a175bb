"""How long planning one signal takes: `python -m tests.unit.plan_bench [users ...]`.

All users' reads, sizes, intents and copies, and the judgement of all entries by the limits that are on by default, in
the one transaction; then the same user by user. Each user has as many positions as the heading says. Time is that of
the planning thread on its processor, the shortest of some rounds.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from time import thread_time

from sqlalchemy import Connection, insert

from bot.domain.order import OrderKind, Side
from bot.domain.position import ExitPlan
from bot.domain.signal import TradeSignal
from bot.risk.case import LimitRules
from bot.risk.gate import NothingHalted, TradingGate
from bot.risk.limits import Limits
from bot.storage import migrations, signals
from bot.storage.intents import OrderIntent
from bot.storage.schema import position, risk_mark
from bot.storage.store import Store, sqlite_url
from tests.unit.copy_bench import COPY_LIMITS, KRAKEN, MASTER, Bench
from tests.unit.one_by_one_plan import OneByOne, judge_one_by_one

ROUNDS = 25
SLOW_ROUNDS = 3
BY_DEFAULT = LimitRules(
    max_positions=8,
    max_daily_loss_percent=Decimal(10),
    max_drawdown_percent=Decimal(25),
    max_entries_per_minute=30,
    max_rejects_in_a_row=5,
    price_collar_percent=Decimal(5),
    duplicate_entry_seconds=5.0,
)


class Rolled(Exception):
    """The round is undone, so that all rounds find the same rows."""


class JudgingLane:
    """Judges as a lane does, takes nobody aboard, and remembers how long that took."""

    def __init__(self, gate: TradingGate) -> None:
        self._gate = gate
        self.seconds = 0.0

    def board(self, connection: Connection, intents: Sequence[OrderIntent]) -> Sequence[str]:
        began = thread_time()
        assert not self._gate.admit_all(connection, intents)
        self.seconds = thread_time() - began
        return ()

    def depart(self, client_order_ids: Sequence[str]) -> None:
        return None

    def tend(self) -> None:
        return None


def fill_store(connection: Connection, bench: Bench, held: int) -> None:
    """What accounts that have traded before have in their books."""
    now = bench.clock.now()
    labels = [follower.account.label for follower in bench.followers]
    rows = [
        {"account_id": label, "symbol": f"C{number}/USD", "quantity": Decimal("1.2345"), "owed_quantity": Decimal(0),
         "average_entry_price": Decimal("10.1"), "highest_price": Decimal(11), "opened_at": now}
        for label in labels for number in range(held)
    ]  # fmt: skip
    if rows:
        connection.execute(insert(position), rows)
    connection.execute(insert(risk_mark), [
        {"account_id": label, "quote_currency": "USD", "day": "2026-01-01", "day_start_profit": Decimal(1),
         "peak_profit": Decimal(2), "profit": Decimal(0), "day_start_equity": Decimal(1000),
         "peak_equity": Decimal(1000), "equity": Decimal(1000), "realised_profit": Decimal(0), "counted_fills": 0,
         "marked_at": now, "problem": "", "lots_json": "{}"} for label in labels
    ])  # fmt: skip


def an_entry(bench: Bench) -> TradeSignal:
    """The master buys for 500 of its 10,000."""
    return TradeSignal(
        signal_id=bench.ids.token(),
        broker=KRAKEN,
        symbol="BTC/USD",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        size=Decimal(500),
        quantity=Decimal("0.01"),
        reference_price=Decimal(50000),
        master_balance=Decimal(10000),
        executed_at=bench.clock.now(),
        exit_plan=ExitPlan(stop_loss_percent=Decimal(2)),
    )


def shortest(store: Store, work: Callable[[Connection], float], *, rounds: int = ROUNDS) -> float:
    """Milliseconds of the best of some rounds, each undone after it."""
    times: list[float] = []

    def once(connection: Connection) -> None:
        times.append(work(connection))
        raise Rolled

    for _ in range(rounds):
        try:
            store.write(once, timeout_seconds=300)
        except Rolled:
            continue
    return min(times) * 1000


def measure(users: int, held: int) -> str:
    with tempfile.TemporaryDirectory() as directory:
        url = sqlite_url(Path(directory) / "nija.db")
        migrations.upgrade(url)
        store = Store(url)
        store.start()
        bench = Bench(store, {f"user{number}": "1000" for number in range(users)})
        store.write(lambda connection: fill_store(connection, bench, held), timeout_seconds=300)
        limits = Limits(rules=BY_DEFAULT, clock=bench.clock, listed=lambda _account, _symbol: None)
        gate = TradingGate(halted=NothingHalted(), not_ready=lambda _label: "", limits=limits)
        lane = JudgingLane(gate)
        bench.engine = bench.make_engine(lane)
        judged: list[float] = []

        def together(connection: Connection) -> float:
            signal = _signalled(connection, bench)
            began = thread_time()
            bench.engine.plan_in(connection, signal)
            judged.append(lane.seconds)
            return thread_time() - began

        def one_by_one(connection: Connection) -> float:
            signal = _signalled(connection, bench)
            began = thread_time()
            plan = OneByOne(install_id="test", followers=bench, limits=COPY_LIMITS, now=bench.clock.now())
            judge_one_by_one(connection, gate, plan.plan(connection, signal), now=bench.clock.now())
            return thread_time() - began

        all_at_once, each = shortest(store, together), shortest(store, one_by_one, rounds=SLOW_ROUNDS)
        store.close()
    return (
        f"{users:>6} users, {held} positions each: {all_at_once:7.2f} ms together, of which judging "
        f"{min(judged) * 1000:6.2f} ms; {each:8.2f} ms one by one"
    )


def _signalled(connection: Connection, bench: Bench) -> TradeSignal:
    signal, now = an_entry(bench), bench.clock.now()
    signals.add_signal(connection, signal, account_id=MASTER.label, venue_order_id=None, batch=0, now=now)
    return signal


def main(*sizes: int) -> None:
    for users in sizes or (10, 100, 1000):
        for held in (0, 3):
            print(measure(users, held), flush=True)


if __name__ == "__main__":
    main(*[int(word) for word in sys.argv[1:]])
