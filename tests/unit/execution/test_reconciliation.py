"""Open orders, trades and holdings against the books, one account at a time."""

import logging
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from bot.domain.drift import DriftKind
from bot.domain.errors import InsufficientFunds, OutcomeUnknown, RetryLater
from bot.domain.order import IntentState, Side, VenueOrderStatus
from bot.storage import positions, symbol_pauses
from bot.storage.schema import signal
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import MASTER
from tests.unit.execution.reconciler_bench import ANN, OURS, ReconcilerBench

ORPHAN_ID = OURS + "0" * 28


@pytest.fixture
def bench(store: Store) -> ReconcilerBench:
    return ReconcilerBench(store)


def _lost(bench: ReconcilerBench, broker: MemoryBroker) -> None:
    """The next order is accepted, its reply lost, and look-ups do not show it yet."""
    broker.script = [(OutcomeUnknown("timed out"), True)]
    broker.on_place = lambda request: broker.hidden_orders.add(request.client_order_id)


# -- hydration ------------------------------------------------------------------------------------------------------
def test_an_account_is_hydrated_by_one_complete_pass(bench: ReconcilerBench) -> None:
    assert not bench.reconcilers[ANN].hydrated
    assert bench.state().hydrated_at is None
    assert bench.run()
    assert bench.reconcilers[ANN].hydrated
    state = bench.state()
    assert state.hydrated_at == state.reconciled_at == bench.clock.now()


@pytest.mark.parametrize("reading", ["open_orders_error", "history_error", "balance_error"])
def test_a_reading_that_failed_is_no_empty_account(bench: ReconcilerBench, reading: str) -> None:
    bench.copied()
    setattr(bench.ann, reading, "503 from the edge")
    bench.ann.coins = Decimal(0)
    for _ in range(5):
        assert not bench.run(after=61)
    assert not bench.reconcilers[ANN].hydrated
    assert "503 from the edge" in bench.reconcilers[ANN].problem
    assert "503 from the edge" in bench.state().waiting_for
    assert bench.state().hydrated_at is None
    assert bench.lots() == Decimal("0.005")


def test_what_an_earlier_process_has_seen_hydrates_nobody(bench: ReconcilerBench) -> None:
    bench.run()
    bench.restart()
    assert not bench.reconcilers[ANN].hydrated
    assert bench.state().hydrated_at is None


def test_a_pass_comes_when_its_time_is_over_and_after_a_failed_one_at_once(bench: ReconcilerBench) -> None:
    reconciler = bench.reconcilers[ANN]
    bench.ann.history_error = "no"
    reconciler.run_if_due()
    bench.ann.history_error = None
    reconciler.run_if_due()
    assert reconciler.hydrated
    bench.ann.history_error = "no"
    bench.clock.seconds += 100
    reconciler.run_if_due()
    assert reconciler.problem == ""
    bench.clock.seconds += 40
    reconciler.run_if_due()
    assert reconciler.problem == "no"
    assert reconciler.hydrated


def test_a_master_whose_order_has_no_outcome_is_not_hydrated_and_its_history_not_booked_past_it(
    bench: ReconcilerBench,
) -> None:
    _lost(bench, bench.master)
    bench.bench.master_trades(Side.BUY, "0.01")
    bench.master.by_hand(Side.BUY, "0.02")
    assert not bench.run(MASTER)
    assert "is not known yet" in bench.reconcilers[MASTER].problem
    assert bench.lots(MASTER) == 0
    bench.master.hidden_orders.clear()
    (waiting,) = bench.intents(MASTER)
    bench.bench.executors[MASTER].settle(waiting)
    assert bench.run(MASTER)
    assert bench.lots(MASTER) == Decimal("0.03")


# -- open orders ----------------------------------------------------------------------------------------------------
def test_an_order_with_our_tag_that_the_books_do_not_know_is_an_alarm_and_is_left_alone(
    bench: ReconcilerBench, caplog: pytest.LogCaptureFixture
) -> None:
    order = bench.ann.resting(Side.BUY, "0.01", client_order_id=ORPHAN_ID)
    with caplog.at_level(logging.CRITICAL):
        for _ in range(3):
            assert bench.run()
    assert order.venue_order_id in bench.drifts()["orphan_order"]
    assert len(caplog.records) == 1
    assert bench.counts[ANN][DriftKind.ORPHAN_ORDER] == 1
    assert bench.ann.orders[order.venue_order_id] == order
    bench.ann.orders[order.venue_order_id] = replace(order, status=VenueOrderStatus.CANCELLED)
    bench.run()
    assert bench.drifts() == {}
    assert bench.counts[ANN][DriftKind.ORPHAN_ORDER] == 0


def test_an_orphan_that_trades_stays_reported_is_no_lot_and_pauses_its_symbol(bench: ReconcilerBench) -> None:
    bench.clock.seconds += 1
    order = bench.ann.by_hand(Side.BUY, "0.01", client_order_id=ORPHAN_ID)
    for _ in range(3):
        assert bench.run()
    assert "the books do not know it" in bench.drifts()["orphan_order"]
    assert order.venue_order_id in bench.drifts()["orphan_order"]
    assert bench.lots() == 0
    assert "our tag" in bench.pause()


def test_an_order_without_our_tag_is_nobodys_business(bench: ReconcilerBench) -> None:
    order = bench.ann.resting(Side.SELL, "0.5")
    assert bench.run()
    assert bench.drifts() == {}
    assert bench.ann.orders[order.venue_order_id] == order


def test_a_second_order_with_the_id_of_one_of_ours_is_an_orphan(bench: ReconcilerBench) -> None:
    intent = bench.copied()
    bench.ann.resting(Side.BUY, "0.005", client_order_id=intent.client_order_id)
    bench.run()
    assert f"it has the client order id of order {intent.venue_order_id}" in bench.drifts()["orphan_order"]


def test_an_order_that_lives_in_the_books_and_nowhere_else_is_a_phantom(bench: ReconcilerBench) -> None:
    bench.rewrite(bench.copied(), state="acknowledged", venue_order_id="GONE")
    bench.run()
    assert "the venue does not know it" in bench.drifts()["phantom"]


def test_an_order_given_up_for_absent_that_is_open_after_all_is_followed_again(
    bench: ReconcilerBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.ann.script = [OutcomeUnknown("reset")]
    intent = bench.copied()
    bench.bench.executors[ANN].abandon(intent, "proven absent at the venue")
    order = bench.ann.resting(Side.BUY, "0.005", client_order_id=intent.client_order_id)
    bench.clock.seconds += 5
    with caplog.at_level(logging.CRITICAL):
        bench.run()
    (after,) = bench.intents()
    assert (after.state, after.venue_order_id) == (IntentState.ACKNOWLEDGED, order.venue_order_id)
    assert "was abandoned" in caplog.text


# -- trades ---------------------------------------------------------------------------------------------------------
def test_an_order_proven_absent_that_filled_after_all_is_booked_as_ours(bench: ReconcilerBench) -> None:
    bench.ann.script = [OutcomeUnknown("reset")]
    intent = bench.copied()
    bench.bench.executors[ANN].abandon(intent, "proven absent at the venue")
    bench.clock.seconds += 1
    bench.ann.by_hand(Side.BUY, "0.005", client_order_id=intent.client_order_id)
    assert bench.run()
    (after,) = bench.intents()
    assert (after.state, after.filled_quantity) == (IntentState.FILLED, Decimal("0.005"))
    assert bench.lots() == Decimal("0.005")
    assert bench.position().signal_id == intent.signal_id
    assert (bench.pause(), bench.drifts()) == ("", {})


def test_an_order_that_the_books_never_sent_and_the_venue_has_is_taken_over_and_not_sent_again(
    bench: ReconcilerBench,
) -> None:
    """As after an older copy of the database was put back."""
    bench.ann.script = [RetryLater("busy")]
    intent = bench.copied()
    assert intent.state is IntentState.CREATED
    bench.clock.seconds += 1
    bench.ann.by_hand(Side.BUY, "0.005", client_order_id=intent.client_order_id)
    sent = len(bench.ann.received)
    assert bench.run()
    assert bench.lots() == Decimal("0.005")
    assert bench.bench.copy("ann") is None
    assert len(bench.ann.received) == sent
    assert ("ann", "copied", "") in bench.bench.rows()


def test_trades_of_a_master_order_with_a_lost_reply_go_under_that_order(bench: ReconcilerBench) -> None:
    """Its balance from before decides on the ratio; as somebody else's trade it would be copied without one."""
    _lost(bench, bench.master)
    intent = bench.bench.master_trades(Side.BUY, "0.01")
    bench.bench.executors[MASTER].abandon(intent, "proven absent at the venue")
    bench.clock.seconds += 1
    assert bench.run(MASTER)
    bench.bench.plan()
    bench.bench.copy("ann")
    assert bench.bench.rows() == [("ann", "copied", "")]
    assert bench.lots() == Decimal("0.005")


def test_what_the_owner_of_a_master_trades_by_hand_is_copied(bench: ReconcilerBench) -> None:
    bench.clock.seconds += 5
    bench.master.by_hand(Side.BUY, "0.01")
    assert bench.run(MASTER)
    assert bench.lots(MASTER) == Decimal("0.01")
    assert bench.bench.plan() == 1
    assert bench.pause(MASTER) == ""


def test_a_trade_of_a_user_by_hand_pauses_that_symbol_and_is_no_lot(bench: ReconcilerBench) -> None:
    bench.clock.seconds += 1
    bench.ann.by_hand(Side.BUY, "0.02")
    assert bench.run()
    assert bench.lots() == 0
    assert "traded by hand: buy 0.02 BTC/USD" in bench.pause()
    bench.bench.master_trades(Side.BUY, "0.01")
    bench.bench.plan()
    assert ("ann", "skipped", "symbol_paused") in bench.bench.rows()


def test_what_a_user_sold_by_hand_is_never_bought_back_and_the_rest_still_exits(bench: ReconcilerBench) -> None:
    bench.copied()
    bench.clock.seconds += 1
    bench.ann.by_hand(Side.SELL, "0.004")
    for _ in range(4):
        bench.run(after=31)
    assert bench.lots() == Decimal("0.001")
    bench.bench.master_trades(Side.SELL, "0.01")
    bench.bench.plan()
    bench.bench.copy("ann")
    assert bench.ann.coins == 0
    assert [request.side for request in bench.ann.received] == [Side.BUY, Side.SELL]


def test_a_pause_that_was_lifted_does_not_come_back_by_the_same_trade(bench: ReconcilerBench) -> None:
    bench.clock.seconds += 1
    bench.ann.by_hand(Side.BUY, "0.02")
    bench.run()
    bench.store.write(lambda connection: symbol_pauses.resume_symbol(connection, ANN.label, "BTC/USD"))
    bench.restart()
    bench.run()
    assert bench.pause() == ""


def test_trades_from_before_the_account_was_known_change_nothing(bench: ReconcilerBench) -> None:
    bench.clock.seconds -= 5
    bench.ann.by_hand(Side.BUY, "0.02")
    bench.master.by_hand(Side.BUY, "0.02")
    bench.clock.seconds += 10
    assert bench.run() and bench.run(MASTER)
    assert not bench.pause()
    assert bench.lots(MASTER) == 0


def test_a_trade_dated_in_the_future_hides_none_that_come_before_it(bench: ReconcilerBench) -> None:
    bench.clock.seconds += 1
    bench.master.by_hand(Side.BUY, "0.01")
    bench.master.fills[-1] = replace(bench.master.fills[-1], executed_at=bench.clock.now().replace(year=2099))
    bench.run(MASTER)
    bench.clock.seconds += 3600
    bench.master.by_hand(Side.BUY, "0.02")
    bench.run(MASTER)
    assert bench.lots(MASTER) == Decimal("0.03")


# -- nonsense -------------------------------------------------------------------------------------------------------
def test_an_order_reported_in_nonsense_is_set_aside_after_three_tries_and_booked_when_it_can_be_read(
    bench: ReconcilerBench,
) -> None:
    bench.clock.seconds += 1
    bad = bench.master.by_hand(Side.BUY, "0.01")
    bench.clock.seconds += 1
    bench.master.by_hand(Side.BUY, "0.02")
    bench.master.unreadable_orders.add(bad.venue_order_id)
    assert [bench.run(MASTER, after=after) for after in (1, 1, 1, 29)] == [False, False, False, True]
    assert bench.lots(MASTER) == Decimal("0.02")
    assert "makes no sense" in bench.drifts(MASTER)["fill_missing"]
    bench.master.unreadable_orders.clear()
    assert bench.run(MASTER, after=86400)
    assert bench.lots(MASTER) == Decimal("0.03")
    assert bench.drifts(MASTER) == {}


def test_a_trade_of_a_contradictory_order_waits_for_a_person_and_holds_up_nothing_else(bench: ReconcilerBench) -> None:
    bench.ann.script = [OutcomeUnknown("reset")]
    intent = bench.copied()
    bench.clock.seconds += 1
    bench.ann.by_hand(Side.SELL, "0.005", client_order_id=intent.client_order_id)
    assert bench.run()
    (after,) = bench.intents()
    assert after.needs_person
    assert "waits for a person" in bench.drifts()["fill_missing"]
    assert bench.lots() == 0


# -- holdings -------------------------------------------------------------------------------------------------------
def test_lots_are_shrunk_to_what_is_there_after_three_readings_that_say_the_same(
    bench: ReconcilerBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.copied()
    bench.ann.coins = Decimal("0.002")
    for _ in range(2):
        bench.run(after=31)
        assert bench.lots() == Decimal("0.005")
        assert "shortfall" in bench.drifts()
    with caplog.at_level(logging.WARNING):
        bench.run(after=31)
    position = bench.position()
    assert (position.quantity, position.average_entry_price) == (Decimal("0.002"), Decimal(50000))
    assert "shrunk from 0.005 to 0.002" in caplog.text
    bench.run()
    assert "shortfall" not in bench.drifts()
    assert any("shrunk from 0.005 to 0.002" in str(row) for row in bench.dump()["drift"])
    assert [request.side for request in bench.ann.received] == [Side.BUY]


def test_readings_that_failed_or_came_too_soon_do_not_count(bench: ReconcilerBench) -> None:
    bench.copied()
    bench.ann.coins = Decimal(0)
    for _ in range(10):
        bench.run(after=1)
    bench.run(after=50)
    bench.ann.balance_error = "no answer"
    for _ in range(5):
        bench.run(after=61)
    assert bench.lots() == Decimal("0.005")


def test_an_order_of_ours_in_between_starts_the_count_anew(bench: ReconcilerBench) -> None:
    bench.copied()
    bench.ann.coins -= Decimal("0.001")
    bench.run(after=31), bench.run(after=31)
    bench.ann.refresh_balance(max_age_seconds=0)
    bench.copied("0.002")
    before = bench.lots()
    bench.run(after=31), bench.run(after=31)
    assert bench.lots() == before
    bench.run(after=31)
    assert bench.lots() == before - Decimal("0.001")


def test_an_order_without_an_outcome_keeps_the_lots_as_they_are(bench: ReconcilerBench) -> None:
    bench.copied()
    bench.ann.coins = Decimal(0)
    bench.ann.script = [OutcomeUnknown("reset")]
    bench.copied("0.02")
    for _ in range(5):
        bench.run(after=61)
    assert bench.lots() == Decimal("0.005")


def test_coins_without_lots_are_no_position(bench: ReconcilerBench) -> None:
    bench.copied()
    bench.ann.coins += 3
    for _ in range(5):
        assert bench.run(after=61)
    assert bench.lots() == Decimal("0.005")
    assert "the account holds 3.005 BTC" in bench.drifts()["surplus"]
    with bench.store.read() as connection:
        assert len(positions.positions_of(connection, ANN.label)) == 1


def test_lots_too_small_to_be_sold_are_shown_as_dust(bench: ReconcilerBench) -> None:
    bench.copied()
    bench.ann.coins = Decimal("0.00001")
    for _ in range(4):
        bench.run(after=31)
    assert "below the venue's minimum" in bench.drifts()["dust"]


def test_a_refused_copy_leaves_nothing_behind(bench: ReconcilerBench) -> None:
    bench.ann.script = [InsufficientFunds("EOrder:Insufficient funds")]
    bench.copied()
    assert bench.run()
    assert bench.drifts() == {}
    assert bench.lots() == 0


def test_what_a_masters_owner_traded_before_an_order_of_ours_is_booked_before_it(bench: ReconcilerBench) -> None:
    """Booked the other way round, the sale by hand would be one of nothing, and the purchase by hand would stay."""
    bench.bench.master_trades(Side.BUY, "0.01")
    for side in (Side.SELL, Side.BUY):
        bench.clock.seconds += 1
        bench.master.by_hand(side, "0.01")
    bench.clock.seconds += 1
    bench.bench.master_trades(Side.SELL, "0.01")
    assert bench.lots(MASTER) == 0
    assert bench.run(MASTER)
    with bench.bench.store.read() as connection:
        made = connection.execute(select(signal).order_by(signal.c.sequence)).all()
    assert [(row.kind, row.quantity) for row in made] == [
        (kind, Decimal("0.01")) for kind in ("entry", "exit", "entry", "exit")
    ]
    assert [row.size for row in made if row.kind == "exit"] == [1, 1]
    assert bench.lots(MASTER) == 0


def test_while_an_order_waits_for_a_person_its_markets_other_trades_of_a_master_wait_too(
    bench: ReconcilerBench,
) -> None:
    _lost(bench, bench.master)
    bench.bench.master_trades(Side.BUY, "0.01")
    (order,) = bench.master.orders.values()
    bench.master.orders[order.venue_order_id] = replace(order, quantity=Decimal("0.02"))
    bench.master.hidden_orders.clear()
    (intent,) = bench.intents(MASTER)
    executor = bench.bench.executors[MASTER]
    assert executor.settle(intent).needs_person
    bench.clock.seconds += 1
    bench.master.by_hand(Side.SELL, "0.01")
    for _ in range(3):
        assert bench.run(MASTER, after=1200)
    assert bench.dump()["signal"] == []
    bench.rewrite(intent, resolution=f"accepted:{order.venue_order_id}", resolved_by="eve")
    (intent,) = bench.intents(MASTER)
    executor.settle(intent)
    assert bench.run(MASTER)
    with bench.bench.store.read() as connection:
        kinds = connection.execute(select(signal.c.kind).order_by(signal.c.sequence)).scalars().all()
    assert kinds == ["entry", "exit"]
    assert bench.lots(MASTER) == 0


def test_trades_of_one_instant_are_booked_as_the_venue_lists_them_and_hide_none_before_them(
    bench: ReconcilerBench,
) -> None:
    _lost(bench, bench.master)
    bench.bench.master_trades(Side.BUY, "0.01")
    bench.master.by_hand(Side.SELL, "0.01")
    bench.master.hidden_orders.clear()
    (intent,) = bench.intents(MASTER)
    bench.bench.executors[MASTER].settle(intent)
    assert bench.bench.recorders[MASTER].cursor() is None
    assert bench.run(MASTER)
    with bench.bench.store.read() as connection:
        kinds = connection.execute(select(signal.c.kind).order_by(signal.c.sequence)).scalars().all()
    assert kinds == ["entry", "exit"]
    assert bench.lots(MASTER) == 0
