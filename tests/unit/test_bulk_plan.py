"""The plan of all users at once, and the judgement of all their entries, are what user by user they would have been."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text

from bot.copy_trade_engine import Follower
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.domain.leaving import WhenDisabled
from bot.domain.order import OrderKind, Side
from bot.domain.signal import TradeSignal
from bot.domain.veto import Veto, VetoRule
from bot.kill_switch import KillSwitch
from bot.position_sizer import CopyMode, CopyRules
from bot.risk.case import LimitRules
from bot.risk.gate import TradingGate
from bot.risk.limits import Limits
from bot.storage import halts, intents, signals, symbol_pauses
from bot.storage.intents import OrderIntent
from bot.storage.schema import copy_result, fill, order_intent, position, risk_mark, signal
from bot.storage.store import Store
from tests.memory_broker import BTC
from tests.unit.copy_bench import COPY_LIMITS, MASTER, Bench
from tests.unit.one_by_one_plan import OneByOne, judge_one_by_one
from tests.unit.plan_bench import Rolled, an_entry

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


AMOUNTS = st.one_of(st.none(), st.decimals(min_value=1, max_value=200, places=0))
EARLIER = st.builds(
    Earlier,
    symbol=st.sampled_from([BTC_USD, "C1/USD"]),
    state=st.sampled_from(["submitted", "unknown", "acknowledged", "filled", "rejected", "created", "abandoned"]),
    seconds_ago=st.sampled_from([1, 3, 30, 100, 4000]),
    quantity=st.sampled_from([Decimal("0.001"), Decimal("0.0015"), Decimal("0.002")]),
    needs_person=st.sampled_from([False, False, False, True]),
)
USER = st.builds(
    User,
    cash=st.sampled_from(["0", "5", "1000", "1500", "2000", "none"]),
    age=st.sampled_from([0, 0, 0, 61]),
    holds=st.dictionaries(
        st.sampled_from([BTC_USD, "C1/USD", "C2/USD", "C3/EUR"]),
        st.sampled_from(["0.001", "2", "0.3", "0.3", "nonsense"]),
        max_size=3,
    ),
    rules=st.builds(
        CopyRules,
        mode=st.sampled_from([CopyMode.BALANCE_RATIO, CopyMode.BALANCE_RATIO, CopyMode.FIXED_AMOUNT]),
        fixed_amount_quote=st.sampled_from([None, Decimal(75)]),
        max_trade_notional_quote=AMOUNTS,
        max_symbol_notional_quote=AMOUNTS,
        max_total_notional_quote=AMOUNTS,
        deny_symbols=st.sampled_from([frozenset(), frozenset(), frozenset({BTC_USD})]),
    ),
    shadow=st.sampled_from([False, False, False, True]),
    leaving=st.sampled_from([None, None, None, None, *WhenDisabled]),
    paused=st.sampled_from([False, False, False, True]),
    ready=st.sampled_from([True, True, True, False]),
    halted=st.sampled_from([False, False, False, True]),
    profit=st.none(),
    traded=st.just(False),
    earlier=st.lists(EARLIER, max_size=2),
)
ANSWERED = st.builds(
    Earlier,
    symbol=st.sampled_from([BTC_USD, BTC_USD, "C1/USD"]),
    state=st.sampled_from(["rejected", "rejected", "rejected", "unknown", "acknowledged", "filled"]),
    seconds_ago=st.sampled_from([1, 3, 30, 100, 4000]),
    quantity=st.sampled_from([Decimal("0.001"), Decimal("0.002")]),
    needs_person=st.just(False),
)
# Whose copy gets as far as the gate, as long as nothing earlier needs a person.
READY = st.builds(
    User,
    cash=st.sampled_from(["1000", "1000", "2000"]),
    age=st.just(0),
    holds=st.dictionaries(
        st.sampled_from([BTC_USD] * 5 + ["C1/USD"] * 5 + ["C2/USD"] * 5 + ["C3/EUR"]),
        st.sampled_from(["0.00001"] * 3 + ["0.3"] * 6 + ["1"] * 6 + ["nonsense"]),
        max_size=2,
    ),
    rules=st.just(CopyRules()),
    shadow=st.just(False),
    leaving=st.none(),
    paused=st.just(False),
    ready=st.sampled_from([True, True, True, True, False]),
    halted=st.sampled_from([False, False, False, True]),
    profit=st.sampled_from([None, "0", "-50", "-300", "nonsense"]),
    traded=st.booleans(),
    earlier=st.lists(ANSWERED, max_size=3),
)
# One to three limits at a time: with all of them on the first one hides the others.
CHOICES: dict[str, list[Any]] = {
    "max_positions": [1, 2],
    "max_positions_all_accounts": [3, 5, 8, 11],
    "max_order_notional_quote": [Decimal(60), Decimal(90)],
    "max_symbol_notional_quote": [Decimal(60), Decimal(110), Decimal(160)],
    "max_account_notional_quote": [Decimal(90), Decimal(160), Decimal(250)],
    "max_total_notional_quote": [Decimal(200), Decimal(400), Decimal(10**6)],
    "max_daily_loss_percent": [Decimal(10)],
    "max_drawdown_percent": [Decimal(25)],
    "max_entries_per_minute": [1, 2],
    "max_entries_per_minute_all_accounts": [2, 4, 6],
    "max_rejects_in_a_row": [1, 2],
    "price_collar_percent": [Decimal("0.1"), Decimal(5)],
    "duplicate_entry_seconds": [5.0],
}
LIMITS = st.lists(st.sampled_from(sorted(CHOICES)), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.builds(LimitRules, **{name: st.sampled_from(CHOICES[name]) for name in names})
)
HALTS = st.sampled_from([[], [], [], [], [HaltScope.BROKER], [HaltScope.SYMBOL], [HaltScope.SYMBOL, HaltScope.ALL]])


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, dict.fromkeys(USERS, "1000"))


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
            Follower(account=account, name=name, rules=user.rules, shadow=user.shadow, leaving=user.leaving)
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


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users=st.lists(USER, min_size=1, max_size=len(USERS)))
def test_all_users_at_once_get_the_orders_and_answers_of_one_after_the_other(bench: Bench, users: list[User]) -> None:
    def work(connection: Connection) -> None:
        set_up(connection, bench, users, [])
        both_ways(connection, bench, lane_of(bench, LimitRules(), users), an_entry(bench))

    undone(bench, work)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users=st.lists(READY, min_size=2, max_size=len(USERS)), limits=LIMITS, scopes=HALTS)
def test_all_entries_at_once_are_judged_as_one_after_the_other(
    bench: Bench, users: list[User], limits: LimitRules, scopes: list[HaltScope]
) -> None:
    def work(connection: Connection) -> None:
        set_up(connection, bench, users, scopes)
        both_ways(connection, bench, lane_of(bench, limits, users), an_entry(bench))

    undone(bench, work)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users=st.lists(USER, min_size=1, max_size=len(USERS)))
def test_an_exit_is_planned_for_all_users_at_once_as_for_one_after_the_other(bench: Bench, users: list[User]) -> None:
    readable = [replace(user, holds={k: v for k, v in user.holds.items() if v != "nonsense"}) for user in users]

    def work(connection: Connection) -> None:
        set_up(connection, bench, readable, [])
        _planned_before(connection, bench)
        item = replace(an_entry(bench), kind=OrderKind.EXIT, side=Side.SELL, size=Decimal("0.5"))
        both_ways(connection, bench, lane_of(bench, LimitRules(), readable), item)

    undone(bench, work)


def _planned_before(connection: Connection, bench: Bench) -> None:
    """The first user's entry was planned, and is not sent yet."""
    entry, now = an_entry(bench), bench.clock.now()
    signals.add_signal(connection, entry, account_id=MASTER.label, venue_order_id="M0", batch=0, now=now)
    row = {"signal_id": entry.signal_id, "account_id": f"{USERS[0]}_kraken", "planned_at": now, "status": "planned"}
    connection.execute(insert(copy_result).values(reason="", detail="", tries=0, last_error="", **row))


def test_an_exit_stays_owed_to_a_user_whose_position_cannot_be_read(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    spoil = text("UPDATE position SET quantity = 'x' WHERE account_id = 'ann_kraken'")
    bench.store.write(lambda connection: connection.execute(spoil))
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    with bench.store.read() as connection:
        of_exits = select(copy_result.c.account_id, copy_result.c.status).join(signal).where(signal.c.kind == "exit")
        assert dict(connection.execute(of_exits).all())["ann_kraken"] == "planned"


def test_a_row_that_cannot_be_written_is_its_own_users_failed_copy(bench: Bench) -> None:
    bob, fixed = bench.user("bob"), CopyRules(mode=CopyMode.FIXED_AMOUNT, fixed_amount_quote=Decimal(50))
    bench.followers = [replace(each, rules=fixed) for each in bench.followers]
    bob.balance_book.record(Holdings({"USD": AssetBalance(Decimal("Infinity"), Decimal(0))}, bench.clock.now()))
    bench.master_trades(Side.BUY, "0.01")
    assert bench.plan() == 1
    with bench.store.read() as connection:
        rows = dict(connection.execute(select(copy_result.c.account_id, copy_result.c.status)).all())
        orders = connection.execute(select(order_intent.c.account_id).where(order_intent.c.signal_id.is_not(None)))
        assert set(orders.scalars()) == {f"{name}_kraken" for name in USERS if name != "bob"}
    assert rows == {f"{name}_kraken": "failed" if name == "bob" else "planned" for name in USERS}


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (LimitRules(max_positions_all_accounts=2), VetoRule.MAX_POSITIONS_ALL),
        (LimitRules(max_total_notional_quote=Decimal(120)), VetoRule.ALL_NOTIONAL),
        (LimitRules(max_entries_per_minute_all_accounts=2), VetoRule.ORDER_RATE),
    ],
)
def test_entries_of_one_batch_count_for_those_behind_them(bench: Bench, limits: LimitRules, rule: VetoRule) -> None:
    everyone = [_plain_user() for _ in USERS]

    def work(connection: Connection) -> None:
        set_up(connection, bench, everyone, [])
        lane = lane_of(bench, limits, everyone)
        both_ways(connection, bench, lane, an_entry(bench))
        let_out = [entry.account_id for entry in lane.entries if entry.client_order_id not in lane.vetoes]
        assert let_out == ["ann_kraken", "bob_kraken"]
        assert {veto.rule for veto in lane.vetoes.values()} == {rule}

    undone(bench, work)


class WatchedLane:
    """Takes everybody aboard, and tells what departs."""

    def __init__(self) -> None:
        self.departed: list[list[str]] = []

    def board(self, connection: Connection, intents: Sequence[OrderIntent]) -> Sequence[str]:
        return [intent.client_order_id for intent in intents if intent.account_id != "bob_kraken"]

    def depart(self, client_order_ids: Sequence[str]) -> None:
        self.departed.append(list(client_order_ids))

    def tend(self) -> None:
        return None


def test_who_boarded_departs_once_and_only_the_others_are_woken(bench: Bench) -> None:
    lane = WatchedLane()
    bench.engine = bench.make_engine(lane)
    bench.master_trades(Side.BUY, "0.01")
    assert [bench.plan(), bench.plan()] == [1, 0]
    (departed,) = lane.departed
    assert len(departed) == len(USERS) - 1
    assert [account.label for account in bench.woken] == ["bob_kraken"]


def test_what_was_planned_departs_when_it_can_be_read_and_not_before(bench: Bench) -> None:
    lane = WatchedLane()
    bench.engine = bench.make_engine(lane)
    item = an_entry(bench)

    def work(connection: Connection) -> None:
        now = bench.clock.now()
        signals.add_signal(connection, item, account_id=MASTER.label, venue_order_id=None, batch=0, now=now)
        bench.engine.plan_in(connection, item)
        # The engine looks by itself while this transaction is still under way.
        assert bench.engine.step() == 0

    bench.store.write(work)
    assert lane.departed == []
    assert bench.engine.step() == 1
    assert len(lane.departed) == 1


def test_a_plan_that_was_rolled_back_and_made_again_departs_once(bench: Bench) -> None:
    lane = WatchedLane()
    bench.engine = bench.make_engine(lane)
    item = an_entry(bench)

    def plan(connection: Connection) -> None:
        now = bench.clock.now()
        signals.add_signal(connection, item, account_id=MASTER.label, venue_order_id=None, batch=0, now=now)
        bench.engine.plan_in(connection, item)

    undone(bench, plan)
    assert bench.engine.step() == 0
    bench.store.write(plan)
    assert [bench.engine.step(), bench.engine.step()] == [1, 0]
    assert len(lane.departed) == 1


def test_an_entry_that_was_sent_before_is_not_judged_in_a_batch(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    with bench.store.read() as connection:
        (entry,) = intents.unfinished(connection, "ann_kraken")
        limits = Limits(rules=LimitRules(), clock=bench.clock, listed=lambda _label, _symbol: None)
        with pytest.raises(ValueError, match="sent before"):
            limits.veto_all(connection, [replace(entry, attempt=1)])


def _plain_user() -> User:
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
