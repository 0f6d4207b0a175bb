"""Exits in the cycles of an account: each position by itself, each decision in a row, nothing without a stop."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.errors import OrderRefused
from bot.domain.leaving import WhenDisabled
from bot.domain.position import ExitPlan, Position
from bot.domain.trading_session import TradingSession
from bot.storage import positions
from bot.storage.dust import dust_of
from bot.storage.exit_states import ExitState, exit_decisions_of, exit_states_of
from bot.storage.round_trips import round_trips_of
from bot.storage.store import Store
from tests.memory_broker import BTC, START
from tests.unit.test_cycles_of_one_who_left import ANN, Cycles

D = Decimal
ETH = "ETH/USD"


@pytest.fixture
def cycles(store: Store) -> Cycles:
    """Ann holds a copy of 50,000 with a stop 2 % below."""
    return Cycles(store)


def states(cycles: Cycles) -> Mapping[str, ExitState]:
    with cycles.store.read() as connection:
        return exit_states_of(connection, ANN.label)


def positions_held(cycles: Cycles) -> Sequence[str]:
    with cycles.store.read() as connection:
        return positions.symbols_held(connection, ANN.label)


def change(cycles: Cycles, statement: str) -> None:
    cycles.store.write(lambda connection: connection.exec_driver_sql(statement))


def also_holds_eth(cycles: Cycles, **more: Any) -> None:
    cycles.bench.ann.listed = {"BTC/USD": BTC, ETH: BTC}
    eth = Position(
        account_id=ANN.label,
        symbol=ETH,
        quantity=D(1),
        average_entry_price=D(50_000),
        opened_at=START,
        highest_price=D(50_000),
        exit_plan=ExitPlan(stop_loss_percent=D(90)),
        **more,
    )
    cycles.store.write(lambda connection: positions.save_position(connection, eth))


# -- one record per position and cycle ------------------------------------------------------------------------------
def test_how_a_position_stands_is_a_row_that_each_cycle_overwrites_and_its_sale_ends(cycles: Cycles) -> None:
    cycles.cycle(None)
    first = states(cycles)["BTC/USD"]
    assert (first.status, first.rule, first.bid) == ("armed", "", D(50_000))
    assert first.rules["hard_stop"] == {"level": "49000", "distance_percent": "2.0000", "armed": True}
    cycles.bench.ann.price = D(49_500)
    cycles.cycle(None)
    second = states(cycles)["BTC/USD"]
    assert (second.bid, second.at > first.at) == (D(49_500), True)
    cycles.bench.ann.price = D(49_000)
    cycles.cycle(None)
    (sale,) = cycles.sales()
    assert sale.decision == "hard_stop: bid 49000 is at or below the hard stop 49000"
    assert states(cycles) == {}
    with cycles.store.read() as connection:
        sold, armed = exit_decisions_of(connection, ANN.label)
        (trip,) = round_trips_of(connection, ANN.label)
    assert (armed.status, armed.client_order_id) == ("armed", None)
    assert (sold.status, sold.rule, sold.client_order_id) == ("selling", "hard_stop", sale.client_order_id)
    assert trip.exit_rule == "hard_stop"
    assert trip.is_loss


def test_a_sale_that_does_not_come_about_is_selling_or_waiting_and_never_forgotten(cycles: Cycles) -> None:
    ann = cycles.bench.ann
    ann.price, ann.fillable = D(48_000), D("0.00006")
    cycles.cycle(None)
    assert states(cycles)["BTC/USD"].status == "selling"
    ann.fillable, ann.session = None, TradingSession(False, None, "market closed")
    cycles.cycle(None)
    closed = states(cycles)["BTC/USD"]
    assert (closed.status, closed.reason, closed.bid) == ("waiting", "market closed", None)


def test_rows_that_cannot_be_read_or_written_keep_no_exit_from_running(cycles: Cycles) -> None:
    cycles.cycle(None)
    change(cycles, "UPDATE exit_state SET rules_json = '{', bid = 'x'")
    cycles.cycle(None)
    assert states(cycles)["BTC/USD"].status == "armed"
    change(cycles, "ALTER TABLE exit_decision RENAME TO gone")
    cycles.bench.ann.price = D(48_000)
    cycles.cycle(None)
    assert cycles.held() == 0


def test_a_refused_sale_is_tried_later_and_later_and_says_why(cycles: Cycles) -> None:
    ann = cycles.bench.ann
    ann.price, ann.script = D(48_000), [OrderRefused("volume minimum not met")] * 2
    cycles.cycle(None)
    state = states(cycles)["BTC/USD"]
    assert state.status == "waiting"
    assert state.reason.endswith("volume minimum not met; tried again after 1 s")
    cycles.cycle(None, after=0.5)
    assert len(cycles.sales()) == 1
    cycles.cycle(None, after=0.6)
    assert states(cycles)["BTC/USD"].reason.endswith("tried again after 2 s")
    cycles.cycle(None, after=2)
    assert cycles.held() == 0


# -- one poisoned market ----------------------------------------------------------------------------------------------
def test_a_market_whose_price_makes_no_sense_hides_no_other_stop_and_is_named_once(
    cycles: Cycles, caplog: pytest.LogCaptureFixture
) -> None:
    also_holds_eth(cycles)
    cycles.bench.ann.poisoned = {ETH}
    with caplog.at_level(logging.WARNING, logger="bot"):
        for _ in range(2):
            cycles.cycle(None)
    said = [record.getMessage() for record in caplog.records if "no price" in record.getMessage()]
    assert said == ["ann_kraken: no price, so these exits wait: ETH/USD (ETH/USD makes no sense)"]
    waiting = states(cycles)[ETH]
    assert (waiting.status, waiting.reason) == ("waiting", "no price: ETH/USD makes no sense")
    assert states(cycles)["BTC/USD"].status == "armed"
    cycles.bench.ann.price = D(48_000)
    cycles.cycle(None)
    assert cycles.held() == 0
    # The others were asked first this time.
    assert cycles.bench.ann.price_calls[-2:] == [("BTC/USD",), (ETH,)]


def test_a_position_whose_row_cannot_be_read_hides_no_other_stop(
    cycles: Cycles, caplog: pytest.LogCaptureFixture
) -> None:
    also_holds_eth(cycles)
    change(cycles, "UPDATE position SET highest_price = 'x' WHERE symbol = 'ETH/USD'")
    cycles.bench.ann.price = D(48_000)
    for _ in range(2):
        # What comes after the exits needs all of the books: the account enters nothing.
        with pytest.raises(ArithmeticError):
            cycles.cycle(None)
    assert positions_held(cycles) == [ETH]
    assert [record.levelname for record in caplog.records if "cannot be read" in record.getMessage()] == ["CRITICAL"]


# -- no position without a stop -------------------------------------------------------------------------------------
def test_a_plan_that_says_nothing_gets_the_accounts_stop(cycles: Cycles, caplog: pytest.LogCaptureFixture) -> None:
    cycles.stop_loss_percent = D(4)
    change(cycles, "UPDATE position SET stop_loss_percent = '0.02'")
    cycles.bench.ann.price = D("48000.1")
    for _ in range(3):
        cycles.cycle(None)
    state = states(cycles)["BTC/USD"]
    assert (state.status, state.rules["hard_stop"]["level"]) == ("armed", "48000")
    assert "the account's, 4 %, guards it" in state.faults
    assert [record.levelname for record in caplog.records if "guards it" in record.getMessage()] == ["ERROR"]
    cycles.bench.ann.price = D(48_000)
    cycles.cycle(None)
    assert cycles.held() == 0


def test_only_where_even_that_is_impossible_a_position_is_unguarded_and_that_is_critical_once(
    cycles: Cycles, caplog: pytest.LogCaptureFixture
) -> None:
    change(cycles, "UPDATE position SET stop_loss_percent = NULL")
    for _ in range(3):
        cycles.cycle(None)
    assert states(cycles)["BTC/USD"].status == "unguarded"
    assert [record.levelname for record in caplog.records if "has no stop" in record.getMessage()] == ["CRITICAL"]


def test_a_position_that_was_held_for_its_time_is_sold_by_the_venues_clock(cycles: Cycles) -> None:
    change(cycles, "UPDATE position SET max_hold_minutes = 10")
    cycles.bench.clock.wall_offset = 7_200.0
    cycles.cycle(None)
    assert cycles.sales() == []
    assert states(cycles)["BTC/USD"].rules["time"]["armed"]
    cycles.bench.clock.seconds += 600
    cycles.cycle(None)
    (sale,) = cycles.sales()
    assert sale.decision.startswith("time: held until ")


def test_what_its_owner_keeps_says_so_and_has_no_rules(cycles: Cycles) -> None:
    cycles.cycle(None)
    cycles.cycle(WhenDisabled.KEEP)
    state = states(cycles)["BTC/USD"]
    assert (state.status, state.rules) == ("waiting", {})
    assert "its owner's" in state.reason


# -- dust -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def dusty(cycles: Cycles) -> Cycles:
    """A stop is met, and all that is there is 0.00004 where 0.00005 can be sold."""
    change(cycles, "UPDATE position SET quantity = '0.00004'")
    cycles.bench.ann.price, cycles.bench.ann.coins = D(48_000), D("0.00004")
    cycles.cycle(None)
    return cycles


def reopened(cycles: Cycles) -> Decimal:
    cycles.bench.clock.seconds += 3_600
    cycles.cycle(None)
    return cycles.held()


def test_dust_is_a_row_with_its_reason_and_a_time_and_costs_nothing_until_then(
    dusty: Cycles, caplog: pytest.LogCaptureFixture
) -> None:
    assert dusty.held() == 0
    with dusty.store.read() as connection:
        (row,) = dust_of(connection, ANN.label)
    assert row.reason == "quantity 0.00004 is below the venue's minimum 0.00005"
    assert row.retry_at == row.closed_at + timedelta(minutes=60)
    assert states(dusty) == {}
    dusty.bench.ann.price_calls.clear()
    caplog.clear()
    for _ in range(5):
        dusty.cycle(None)
    assert dusty.bench.ann.price_calls == []
    assert [record for record in caplog.records if "BTC/USD" in record.getMessage()] == []
    assert dusty.sales() == []


def test_dust_that_is_still_too_small_gets_its_next_time(dusty: Cycles) -> None:
    assert reopened(dusty) == 0
    with dusty.store.read() as connection:
        (row,) = dust_of(connection, ANN.label)
    assert row.retry_at is not None and row.retry_at > row.closed_at + timedelta(minutes=119)
    assert len(dusty.bench.ann.price_calls) == 2


def test_dust_that_can_be_sold_is_a_position_again_with_the_accounts_exits_and_is_sold_by_them(dusty: Cycles) -> None:
    dusty.stop_loss_percent = D(2)
    dusty.bench.ann.listed = {"BTC/USD": _with_minimum("0.00001")}
    dusty.bench.ann.price = D(50_000)
    dusty.bench.ann.coins = D(3)
    assert reopened(dusty) == D("0.00004")
    with dusty.store.read() as connection:
        assert dust_of(connection, ANN.label) == []
    dusty.cycle(None)
    assert states(dusty)["BTC/USD"].rules["hard_stop"]["level"] == "49000"
    dusty.bench.ann.price = D(48_000)
    dusty.cycle(None)
    assert [sale.quantity for sale in dusty.sales()] == [D("0.00004")]
    assert dusty.bench.ann.coins == D(3) - D("0.00004")
    with dusty.store.read() as connection:
        (trip,) = round_trips_of(connection, ANN.label)
    assert (trip.bought_quote, trip.sold_quote) == (D(2), D("1.92"))


def test_dust_whose_coins_are_gone_is_no_position_and_never_takes_another_ones(dusty: Cycles) -> None:
    dusty.bench.ann.listed = {"BTC/USD": _with_minimum("0.00001")}
    dusty.bench.ann.coins = D(0)
    assert reopened(dusty) == 0
    with dusty.store.read() as connection:
        (row,) = dust_of(connection, ANN.label)
    assert row.reason == "the account has no BTC beside its lots"


def _with_minimum(quantity: str) -> Any:
    return replace(BTC, minimum_quantity=D(quantity))


def test_rules_are_written_as_text_that_is_exact(cycles: Cycles) -> None:
    cycles.cycle(None)
    with cycles.store.read() as connection:
        (text,) = connection.exec_driver_sql("SELECT rules_json FROM exit_state").scalars()
    assert json.loads(text)["hard_stop"]["level"] == "49000"
