"""Users in whatever state, a signal planned and judged for them in both ways, and the transaction undone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from bot.copy_trade_engine import Follower
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.domain.leaving import WhenDisabled
from bot.domain.signal import TradeSignal
from bot.domain.veto import Veto
from bot.kill_switch import KillSwitch
from bot.position_sizer import CopyRules
from bot.risk.case import LimitRules
from bot.risk.gate import TradingGate
from bot.risk.limits import Limits
from bot.storage import halts, signals, symbol_pauses
from bot.storage.intents import OrderIntent
from bot.storage.schema import copy_result, fill, order_intent, position, risk_mark
from tests.memory_broker import BTC
from tests.unit.copy_bench import COPY_LIMITS, MASTER, Bench
from tests.unit.one_by_one_plan import OneByOne, judge_one_by_one
from tests.unit.plan_bench import Rolled

USERS = ("ann", "bob", "cyd", "dan", "eve", "fay")
BTC_USD = "BTC/USD"


class JudgingLane:
    """Takes nobody aboard; keeps what it was given and how that was judged."""

    def __init__(self, gate: TradingGate) -> None:
        self.gate = gate
        self.entries: Sequence[OrderIntent] = ()
        self.vetoes: dict[str, Veto] = {}

    def board(self, connection: Connection, intents: Sequence[OrderIntent]) -> Sequence[str]:
        self.entries = intents
        self.vetoes = dict(self.gate.admit_all(connection, intents))
        return ()

    def depart(self, client_order_ids: Sequence[str]) -> None:
        return None

    def tend(self) -> None:
        return None


@dataclass(frozen=True)
class Earlier:
    """An entry that was sent before."""

    symbol: str
    state: str
    seconds_ago: int
    quantity: Decimal
    needs_person: bool


@dataclass(frozen=True)
class User:
    cash: str
    age: int
    holds: dict[str, str]
    rules: CopyRules
    shadow: bool
    leaving: WhenDisabled | None
    paused: bool
    ready: bool
    halted: bool
    profit: str | None
    traded: bool
    earlier: list[Earlier]


def plain_user() -> User:
    """One whose copy nothing is in the way of."""
    return User(
        cash="1000",
        age=0,
        holds={},
        rules=CopyRules(),
        shadow=False,
        leaving=None,
        paused=False,
        ready=True,
        halted=False,
        profit=None,
        traded=False,
        earlier=[],
    )


def undone(bench: Bench, work: Callable[[Connection], None]) -> None:
    """Do it in a transaction and roll that back."""

    def once(connection: Connection) -> None:
        work(connection)
        raise Rolled

    with pytest.raises(Rolled):
        bench.store.write(once)


def lane_of(bench: Bench, limits: LimitRules, users: Sequence[User]) -> JudgingLane:
    not_ready = {f"{name}_kraken" for name, user in zip(USERS, users, strict=False) if not user.ready}
    gate = TradingGate(
        halted=KillSwitch(store=bench.store, clock=bench.clock, state_dir=Path(bench.store.url.database or "").parent),
        not_ready=lambda label: "degraded" if label in not_ready else "",
        limits=Limits(rules=limits, clock=bench.clock, listed=lambda _label, symbol: replace(BTC, symbol=symbol)),
    )
    return JudgingLane(gate)


def set_up(connection: Connection, bench: Bench, users: Sequence[User], scopes: Sequence[HaltScope]) -> None:
    bench.clock.seconds = 100_000
    bench.followers = []
    for name, user in zip(USERS, users, strict=False):
        account = bench.user(name).account
        bench.followers.append(
            Follower(
                account=account,
                name=name,
                rules=user.rules,
                shadow=user.shadow,
                paper_balance=Decimal(0) if user.cash == "none" else Decimal(user.cash),
                leaving=user.leaving,
            )
        )
        _balance(bench, name, user)
        _rows(connection, bench, account.label, user)
    for scope, target in ((HaltScope.BROKER, "kraken"), (HaltScope.SYMBOL, BTC_USD), (HaltScope.ALL, "")):
        if scope in scopes:
            _halt(connection, bench, scope, target)


def _balance(bench: Bench, name: str, user: User) -> None:
    book = bench.user(name).balance_book
    book._holdings = None
    if user.cash != "none":
        book.record(Holdings({"USD": AssetBalance(Decimal(user.cash), Decimal(0))}, bench.clock.now()))
        book._read_at -= user.age


def _rows(connection: Connection, bench: Bench, label: str, user: User) -> None:
    now = bench.clock.now()
    for symbol, quantity in user.holds.items():
        row = {"account_id": label, "symbol": symbol, "owed_quantity": Decimal(0), "opened_at": now}
        prices = {"average_entry_price": Decimal(100), "highest_price": Decimal(100)}
        connection.execute(insert(position).values(quantity=Decimal(1), **row, **prices))
        key = {"quantity": quantity, "label": label, "symbol": symbol}
        wanted = "UPDATE position SET quantity = :quantity WHERE account_id = :label AND symbol = :symbol"
        connection.execute(text(wanted), key)
    for number, earlier in enumerate(user.earlier):
        _earlier(connection, bench, label, number, earlier)
    if user.paused:
        symbol_pauses.pause_symbol(connection, label, BTC_USD, reason="traded by hand", now=now)
    if user.halted:
        _halt(connection, bench, HaltScope.ACCOUNT, label)
    if user.traded:
        _fill(connection, bench, label)
    if user.profit is not None:
        _mark(connection, bench, label, user.profit)


def _earlier(connection: Connection, bench: Bench, label: str, number: int, earlier: Earlier) -> None:
    sent_at = bench.clock.now() - timedelta(seconds=earlier.seconds_ago)
    unsent = earlier.state in ("created", "abandoned")
    connection.execute(insert(order_intent), {
        "client_order_id": f"{label}-{number}", "sequence": 1 + _count(connection),
        "account_id": label, "decision": "", "symbol": earlier.symbol, "side": "buy", "kind": "entry",
        "order_type": "market", "quantity": earlier.quantity, "reference_price": Decimal(100),
        "state": earlier.state, "reason": "no", "created_at": sent_at, "attempt": 1, "empty_lookups": 0,
        "filled_quantity": Decimal(0), "sent_at": None if unsent else sent_at, "updated_at": sent_at,
        "needs_person": "?" if earlier.needs_person else "", "resolution": "", "resolved_by": "",
    })  # fmt: skip


def _fill(connection: Connection, bench: Bench, label: str) -> None:
    connection.execute(insert(fill), {
        "broker": "kraken", "account_id": label, "symbol": BTC_USD, "trade_id": f"T-{label}", "venue_order_id": "O",
        "side": "buy", "quantity": Decimal(1), "price": Decimal(1), "fee": Decimal(0), "fee_currency": "USD",
        "executed_at": bench.clock.now(), "recorded_at": bench.clock.now(), "sequence": 1,
    })  # fmt: skip


def _count(connection: Connection) -> int:
    return len(connection.execute(select(order_intent.c.client_order_id)).all())


def _mark(connection: Connection, bench: Bench, label: str, profit: str) -> None:
    now, known = bench.clock.now(), Decimal(0)
    connection.execute(insert(risk_mark), {
        "account_id": label, "quote_currency": "USD", "day": f"{now:%Y-%m-%d}", "day_start_profit": known,
        "peak_profit": known, "profit": known, "day_start_equity": Decimal(1000), "peak_equity": Decimal(1000),
        "equity": Decimal(1000), "realised_profit": known, "counted_fills": 0, "marked_at": now, "problem": "",
        "lots_json": "{}",
    })  # fmt: skip
    key = {"profit": profit, "label": label}
    connection.execute(text("UPDATE risk_mark SET profit = :profit WHERE account_id = :label"), key)


def _halt(connection: Connection, bench: Bench, scope: HaltScope, target: str) -> None:
    halts.set_halt(
        connection,
        scope=scope,
        target=target,
        strength=HaltStrength.ENTRIES_OFF,
        reason="",
        set_by="anna",
        source=HaltSource.COMMAND,
        now=bench.clock.now(),
    )


def written(connection: Connection) -> tuple[list[Any], list[Any]]:
    """Every copy and every order, to the last column."""
    orders = connection.execute(select(order_intent).order_by(order_intent.c.sequence)).all()
    return connection.execute(select(copy_result).order_by(copy_result.c.account_id)).all(), orders  # type: ignore[return-value]


def both_ways(connection: Connection, bench: Bench, lane: JudgingLane, item: TradeSignal) -> None:
    now = bench.clock.now()
    signals.add_signal(connection, item, account_id=MASTER.label, venue_order_id="M1", batch=0, now=now)
    slowly = connection.begin_nested()
    plan = OneByOne(install_id="test", followers=bench, limits=COPY_LIMITS, now=now)
    entries = plan.plan(connection, item)
    rows = written(connection)
    vetoes = judge_one_by_one(connection, lane.gate, entries, now=now)
    slowly.rollback()
    bench.engine = bench.make_engine(lane)
    bench.engine.plan_in(connection, item)
    assert written(connection) == rows
    assert list(lane.entries) == list(entries)
    assert lane.vetoes == vetoes
