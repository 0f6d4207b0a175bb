"""Of each order that was sent it is told once how it stands, whoever has brought the venue's word of it.

That is what `last_order_at` and the counter `nija_orders` are made of.
"""

from collections.abc import Sequence

import pytest

from bot.domain.account import AccountRef
from bot.domain.errors import OutcomeUnknown, RetryLater, StoreUnavailable
from bot.domain.fill import Fill
from bot.domain.order import IntentState, Side, VenueOrder
from bot.execution.account_status import AccountStatus
from bot.execution.order_lane import ANSWER_SECONDS, LONGEST_WAY_SECONDS
from bot.execution.reconciliation import Reconciler
from bot.seams.ids import SeededIds
from bot.storage.intents import unfinished
from bot.storage.store import Store
from tests.unit.copy_bench import KRAKEN, MASTER
from tests.unit.lane_bench import LaneBench

ANN = AccountRef.user(KRAKEN, "ann")
FILLED = [(ANN.label, "filled")]


@pytest.fixture
def bench(store: Store) -> LaneBench:
    return LaneBench(store, {"ann": "1000"})


def _left(bench: LaneBench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.told.clear()


def _reconciler(bench: LaneBench) -> Reconciler:
    return Reconciler(
        broker=bench.brokers[ANN],
        store=bench.store,
        clock=bench.clock,
        ids=SeededIds(1),
        status=AccountStatus(store=bench.store, clock=bench.clock, account=ANN, mode="paper"),
        recorder=bench.recorders[ANN],
        executor=bench.executors[ANN],
        install_id="test",
    )


def _again(bench: LaneBench) -> None:
    """Everybody who might tell of it looks once more."""
    bench.executors[ANN].settle(bench.entry("ann"))
    _reconciler(bench).run()
    bench.copy("ann")


def test_an_order_whose_trades_the_stream_tells_before_its_acknowledgement_is_collected(bench: LaneBench) -> None:
    _left(bench)
    before = bench.entry("ann")
    _reconciler(bench).take_streamed(list(bench.user("ann").fills))
    assert bench.entry("ann").state is IntentState.FILLED
    assert bench.told == FILLED
    bench.executors[ANN].settle(before)
    assert bench.told == FILLED
    _again(bench)
    assert (bench.told, bench.rows()) == (FILLED, [("ann", "copied", "")])


def test_an_order_that_nobody_answered_and_that_was_looked_up(bench: LaneBench) -> None:
    bench.socket("ann").silent = True
    _left(bench)
    bench.clock.seconds += LONGEST_WAY_SECONDS + ANSWER_SECONDS + 1
    bench.copy("ann")
    assert bench.told == FILLED
    bench.socket("ann").answer()
    _again(bench)
    assert bench.told == FILLED


@pytest.mark.parametrize("early", [False, True])
def test_an_order_whose_acknowledgement_or_end_was_heard(bench: LaneBench, early: bool) -> None:
    bench.socket("ann").silent = bench.socket("ann").shown_early = early
    _left(bench)
    bench.copy("ann")
    assert bench.told == FILLED
    bench.socket("ann").answer()
    _again(bench)
    assert bench.told == FILLED


def test_an_order_that_was_acknowledged_first_and_followed_to_its_end(bench: LaneBench) -> None:
    bench.socket("ann").shown = False
    _left(bench)
    bench.copy("ann")
    assert bench.told == [(ANN.label, "acknowledged")]
    _again(bench)
    assert bench.entry("ann").state is IntentState.FILLED
    assert bench.told == [(ANN.label, "acknowledged")]


def test_an_order_whose_outcome_was_lost_and_found(bench: LaneBench) -> None:
    bench.user("ann").script = [(OutcomeUnknown("closed"), True)]
    _left(bench)
    bench.copy("ann")
    assert bench.told == [(ANN.label, "unknown")]
    _again(bench)
    assert bench.entry("ann").state is IntentState.FILLED
    assert bench.told == [(ANN.label, "unknown")]


def test_an_order_of_the_process_before_this_one(bench: LaneBench) -> None:
    _left(bench)
    bench.departures = type(bench.departures)(bench.clock)
    bench.restarted(ANN)
    bench.copy("ann")
    assert bench.told == FILLED
    _again(bench)
    assert bench.told == FILLED


def test_an_order_that_comes_back_unsent_is_told_as_that_and_once_more_when_it_was_sent(bench: LaneBench) -> None:
    bench.user("ann").script = [RetryLater("the socket is closed")]
    _left(bench)
    bench.copy("ann")
    assert bench.told == [(ANN.label, "created"), *FILLED]
    _again(bench)
    assert bench.told == [(ANN.label, "created"), *FILLED]


def test_an_order_whose_report_made_no_sense_when_it_had_just_been_acknowledged(bench: LaneBench) -> None:
    bench.where_orders_are_requests()
    _left(bench)
    broker = bench.user("ann")
    read = broker.get_order

    def nonsense(_venue_order_id: str) -> VenueOrder | None:
        raise ValueError("what is that?")

    broker.get_order = nonsense  # type: ignore[method-assign,assignment]
    with pytest.raises(ValueError, match="what is that"):
        bench.executors[ANN].settle(bench.entry("ann"))
    assert (bench.entry("ann").state, bench.told) == (IntentState.ACKNOWLEDGED, [])
    broker.get_order = read  # type: ignore[method-assign]
    bench.copy("ann")
    assert bench.told == FILLED
    _again(bench)
    assert bench.told == FILLED


def test_an_order_of_which_the_books_could_not_be_told_when_it_was_sent(bench: LaneBench) -> None:
    recorder = bench.recorders[MASTER]
    book = recorder.book_order

    def gone(*_arguments: object, **_named: object) -> Sequence[Fill]:
        raise StoreUnavailable("the disk is full")

    recorder.book_order = gone  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        bench.master_trades(Side.BUY, "0.01")
    recorder.book_order = book  # type: ignore[method-assign]
    with bench.store.read() as connection:
        (intent,) = unfinished(connection, MASTER.label)
    for _ in range(2):
        intent = bench.executors[MASTER].settle(intent)
    assert (intent.state, bench.told) == (IntentState.FILLED, [(MASTER.label, "filled")])
