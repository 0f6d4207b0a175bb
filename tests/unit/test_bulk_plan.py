"""The plan of all users at once, and the judgement of all their entries, are what user by user they would have been."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text

from bot.domain.balance import AssetBalance, Holdings
from bot.domain.halt import HaltScope
from bot.domain.leaving import WhenDisabled
from bot.domain.order import OrderKind, Side
from bot.position_sizer import CopyMode, CopyRules
from bot.risk.case import LimitRules
from bot.risk.limits import Limits
from bot.storage import intents, signals
from bot.storage.intents import OrderIntent
from bot.storage.schema import copy_result, order_intent, signal
from bot.storage.store import Store
from tests.unit.bulk_desk import BTC_USD, USERS, Earlier, User, both_ways, lane_of, set_up, undone
from tests.unit.copy_bench import MASTER, Bench
from tests.unit.plan_bench import an_entry

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
