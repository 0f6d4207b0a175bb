"""Exits are debts: no gate stops them, nothing of them gets lost to rounding, and dust is no debt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Row, Table, delete, insert, select

from bot.brokers.capabilities import RepeatedId
from bot.domain.errors import Fenced, OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.order import IntentState, Side, VenueOrderStatus
from bot.position_sizer import CopyRules
from bot.storage import intents, positions, symbol_pauses
from bot.storage.schema import copy_result, dust, fill, order_event, order_intent, position
from bot.storage.store import Store
from tests.memory_broker import BTC, MemoryBroker
from tests.unit.copy_bench import Bench

ON_BOTH_DATABASES = True


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000"})


def _bought(bench: Bench, quantity: str = "0.01") -> MemoryBroker:
    bench.master_trades(Side.BUY, quantity)
    bench.plan()
    assert bench.copy("ann") is None
    return bench.user("ann")


def _position(bench: Bench) -> Decimal:
    with bench.store.read() as connection:
        position = positions.find_position(connection, bench.user("ann").account.label, "BTC/USD")
    return Decimal(0) if position is None else position.quantity


def _no_balance(bench: Bench) -> None:
    bench.user("ann").balance_error = "no answer"
    for _ in range(4):
        bench.user("ann").refresh_balance(max_age_seconds=0)


def _a_day_later(bench: Bench) -> None:
    bench.clock.seconds += 86_400


def _paused(bench: Bench) -> None:
    label = bench.user("ann").account.label
    bench.store.write(
        lambda connection: symbol_pauses.pause_symbol(
            connection, label, "BTC/USD", reason="traded by hand", now=bench.clock.now()
        )
    )


def _not_ready(bench: Bench) -> None:
    bench.not_ready = "connected no more"


def _not_hydrated(bench: Bench) -> None:
    bench.hydrated = False


def _denied(bench: Bench) -> None:
    bench.followers[:] = [
        type(each)(account=each.account, name=each.name, rules=CopyRules(deny_symbols=frozenset({"BTC/USD"})))
        for each in bench.followers
    ]


def _no_money(bench: Bench) -> None:
    bench.user("ann").cash = Decimal(0)
    bench.user("ann").refresh_balance(max_age_seconds=0)


GATES: list[Callable[[Bench], None]] = [
    _no_balance, _a_day_later, _paused, _not_ready, _not_hydrated, _denied, _no_money,
]  # fmt: skip


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__.strip("_"))
def test_a_shut_gate_stops_an_entry(bench: Bench, gate: Callable[[Bench], None]) -> None:
    if gate is _a_day_later:
        bench.master_trades(Side.BUY, "0.01")
        gate(bench)
    else:
        gate(bench)
        if gate is _no_balance:
            bench.clock.seconds += 61
        bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    assert bench.user("ann").received == []


def test_with_every_gate_shut_an_exit_still_sells(bench: Bench) -> None:
    ann = _bought(bench)
    bench.master_trades(Side.SELL, "0.01")
    for gate in GATES:
        gate(bench)
    bench.plan()
    assert bench.copy("ann") is None
    assert ann.coins == 0


def test_a_debt_is_a_row_with_its_tries_and_its_last_error_and_outlives_a_restart(bench: Bench) -> None:
    ann = _bought(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    ann.script = [OrderRefused("market in cancel_only mode")] * 3
    for _ in range(3):
        bench.copy("ann")  # a new copier each time
        bench.clock.seconds += 60
    with bench.store.read() as connection:
        row = connection.execute(select(copy_result).where(copy_result.c.status == "planned")).one()
    assert (row.tries, row.planned_quantity) == (3, Decimal("0.001"))
    assert "cancel_only" in row.last_error
    assert row.last_try_at == bench.clock.now() - timedelta(seconds=60)
    bench.copy("ann")
    assert ann.coins == 0
    assert bench.missing() == 0


def test_many_small_exits_leave_the_user_the_share_that_the_master_has_left(bench: Bench) -> None:
    """Each part alone is below the user's minimum; what it could not sell is carried to the next."""
    ann = _bought(bench, "0.02")
    assert ann.coins == Decimal("0.002")
    for _ in range(19):
        bench.master_trades(Side.SELL, "0.0004")  # a fiftieth: 0.00004 of the user's, below 0.00005
        bench.plan()
        bench.copy("ann")
    share = ann.coins - Decimal("0.002") * 31 / 50
    assert abs(share) < BTC.minimum_quantity
    bench.master_trades(Side.SELL, "0.0124")
    bench.plan()
    bench.copy("ann")
    assert ann.coins == 0


# The fixture makes a new store at each call, so no example sees another's.
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=12))
def test_after_any_exits_a_user_holds_its_share_within_the_minimum(
    fresh_store: Callable[[], Store], parts: list[int]
) -> None:
    bench = Bench(fresh_store(), {"ann": "1000"})
    ann = _bought(bench, "0.05")
    bought, left = ann.coins, Decimal("0.05")
    for part in parts:
        sold = min(left, Decimal(part) / 20_000)
        if BTC.below_minimum(sold, Decimal(50000)):
            continue
        bench.master_trades(Side.SELL, format(sold, "f"))
        left -= sold
        bench.plan()
        bench.copy("ann")
        # Less than the minimum too much, never too little but for a rest that could not be sold alone.
        assert -BTC.minimum_quantity < ann.coins - bought * left / Decimal("0.05") < BTC.minimum_quantity
        assert ann.coins == _position(bench)


def test_a_rest_below_the_minimum_is_closed_as_dust_and_not_tried_for_ever(bench: Bench) -> None:
    ann = _bought(bench)
    ann.fillable = Decimal("0.00098")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    for _ in range(3):
        wait = bench.copy("ann")
        bench.clock.seconds += wait or 0
    assert bench.missing() == 0
    assert _position(bench) == 0
    with bench.store.read() as connection:
        (row,) = connection.execute(select(dust)).all()
    assert row.quantity == Decimal("0.00002")
    assert len(ann.received) == 2


def test_a_later_entry_does_not_take_up_the_dust_again(bench: Bench) -> None:
    ann = _bought(bench)
    ann.fillable = Decimal("0.00098")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    for _ in range(3):
        bench.clock.seconds += bench.copy("ann") or 0
    ann.fillable = None
    ann.refresh_balance(max_age_seconds=0)
    bench.brokers[next(iter(bench.brokers))].refresh_balance(max_age_seconds=0)
    _bought(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    assert ann.coins == Decimal("0.00002")


def test_an_entry_not_yet_sent_is_superseded_when_the_master_has_left_altogether(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    assert bench.user("ann").received == []
    assert bench.rows() == [("ann", "skipped", "nothing_held"), ("ann", "superseded", "master_left")]


def test_a_live_entry_is_cancelled_when_the_master_leaves_and_what_it_got_is_sold(bench: Bench) -> None:
    ann = bench.user("ann")
    ann.fillable = Decimal("0.0004")
    ann.stays_open = True
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    assert bench.copy("ann") is not None
    assert [order.status for order in ann.orders.values()] == [VenueOrderStatus.OPEN]
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    ann.stays_open = False
    bench.copy("ann")
    buy, sale = ann.received
    assert (buy.quantity, sale.side, sale.quantity) == (Decimal("0.001"), Side.SELL, Decimal("0.0004"))
    assert ann.coins == 0
    with bench.store.read() as connection:
        entry = intents.find_intent(connection, buy.client_order_id)
    assert entry is not None
    assert (entry.state, entry.cancel_requested_at is not None) == (IntentState.CANCELLED, True)


def test_what_is_tied_up_in_the_accounts_own_orders_keeps_the_debt_open(bench: Bench) -> None:
    ann = _bought(bench)
    ann.held_coins = Decimal("0.001")
    ann.refresh_balance(max_age_seconds=0)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert bench.copy("ann") is not None
    assert [request.side for request in ann.received] == [Side.BUY]
    ann.held_coins = Decimal(0)
    bench.clock.seconds += 10
    assert bench.copy("ann") is None
    assert ann.coins == 0


def test_what_the_user_sold_by_hand_is_not_owed_any_more(bench: Bench) -> None:
    ann = _bought(bench)
    ann.coins -= Decimal("0.0006")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    ann.refresh_balance(max_age_seconds=0)
    for _ in range(3):
        bench.clock.seconds += bench.copy("ann") or 0
    assert ann.coins == 0
    assert bench.missing() == 0


def test_an_exit_proven_absent_goes_again_under_the_same_id_where_ids_are_for_ever(bench: Bench) -> None:
    ann = _bought(bench)
    ann.capabilities = replace(ann.capabilities, repeated_id=RepeatedId.SAME_ORDER)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    ann.script = [OutcomeUnknown("reset")]
    for _ in range(8):
        bench.copy("ann")
        bench.clock.seconds += 11
    first, second = (request for request in ann.received if request.side is Side.SELL)
    assert (first.client_order_id, first.payload_sha256) == (second.client_order_id, second.payload_sha256)
    assert ann.coins == 0


def test_an_exit_proven_absent_goes_again_under_a_new_id_where_ids_are_unique_among_open_orders_only(
    bench: Bench,
) -> None:
    ann = _bought(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    ann.script = [OutcomeUnknown("reset")]
    for _ in range(8):
        bench.copy("ann")
        bench.clock.seconds += 11
    first, second = (request for request in ann.received if request.side is Side.SELL)
    assert first.client_order_id != second.client_order_id
    assert ann.coins == 0


def test_a_busy_venue_slows_the_tries_down_and_never_ends_them(bench: Bench) -> None:
    ann = _bought(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    ann.script = [RetryLater("busy")] * 12
    copier, waits = bench.copier("ann"), []
    for _ in range(13):
        wait = copier.run()
        if wait is None:
            break
        waits.append(wait)
        bench.clock.seconds += wait
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == 60
    assert ann.coins == 0


def test_a_master_that_keeps_only_what_it_cannot_sell_has_left_altogether(store: Store) -> None:
    bench = Bench(store, {"ann": "100000"})
    ann = _bought(bench)
    bench.master_trades(Side.SELL, "0.00997")
    bench.plan()
    bench.copy("ann")
    assert ann.coins == 0


def test_a_replaced_thread_neither_plans_nor_answers(bench: Bench) -> None:
    ann = _bought(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    old = bench.copier("ann")
    bench.restarted(ann.account)
    with pytest.raises(Fenced):
        old.run()
    with bench.store.read() as connection:
        assert len(intents.unfinished(connection, ann.account.label)) == 0
    assert bench.copy("ann") is None
    assert ann.coins == 0


def test_after_an_older_copy_of_the_books_was_put_back_an_exit_is_looked_for_before_it_is_sent(bench: Bench) -> None:
    ann = _bought(bench)
    ann.coins += 1  # coins of her own
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    before = {
        table: bench.store.write(lambda connection, table=table: connection.execute(select(table)).all())
        for table in (copy_result, order_intent, position)
    }
    bench.copy("ann")
    assert ann.coins == 1
    bench.store.write(lambda connection: _put_back(connection, before))
    bench.clock.seconds += 3600
    bench.restored_at = bench.clock.now()
    bench.restarted(ann.account)
    ann.lookups_fail = True
    assert bench.copy("ann") is not None
    ann.lookups_fail = False
    bench.clock.seconds += 61
    assert bench.copy("ann") is None
    assert [request.side for request in ann.received] == [Side.BUY, Side.SELL]
    assert ann.coins == 1


def _put_back(connection: Connection, rows: Mapping[Table, Sequence[Row[Any]]]) -> None:
    """The books as they were before the exit was sent. The ledger keeps what it has: the venue shows it again."""
    for table in (copy_result, order_event, order_intent, position, fill):
        connection.execute(
            delete(table).where(table.c.account_id == "ann_kraken") if "account_id" in table.c else delete(table)
        )
    for table in (order_intent, copy_result, position):
        for row in rows[table]:
            if row.account_id == "ann_kraken":
                connection.execute(insert(table).values(row._asdict()))


def test_what_a_filled_part_has_left_below_the_minimum_is_sold_with_the_next_exit(bench: Bench) -> None:
    ann = _bought(bench)
    ann.fillable = Decimal("0.00006")
    bench.master_trades(Side.SELL, "0.001")
    bench.plan()
    for _ in range(3):
        bench.clock.seconds += bench.copy("ann") or 0
    assert ann.coins == Decimal("0.00094")
    assert bench.rows()[0] == ("ann", "partly_copied", "dust")
    ann.fillable = None
    bench.master_trades(Side.SELL, "0.0045")
    bench.plan()
    bench.copy("ann")
    assert ann.coins == Decimal("0.00045")  # half of the 0.0009 that should have been left
