"""A user's thread and an order of its own that left in a batch: when it waits, what it writes down, what it sends."""

from decimal import Decimal

import pytest

from bot.brokers.socket_lane import LaneOutcome
from bot.domain.errors import Fenced, InsufficientFunds, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import IntentState, Side
from bot.execution.order_lane import ANSWER_SECONDS, LONGEST_WAY_SECONDS
from bot.storage import fills
from bot.storage.positions import find_position
from bot.storage.store import Store
from tests.unit.lane_bench import LaneBench, WriteCount

ON_BOTH_DATABASES = True
# From the mark until nobody waits for an answer any more.
AWAITED_SECONDS = LONGEST_WAY_SECONDS + ANSWER_SECONDS


@pytest.fixture
def bench(store: Store) -> LaneBench:
    return LaneBench(store, {"ann": "1000"})


def _left(bench: LaneBench) -> None:
    """The master has bought, and its users' entries have left."""
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()


def _asked_nothing(bench: LaneBench) -> None:
    """From here on the venue must not be asked about any order."""

    def ask(*_arguments: object, **_named: object) -> None:
        raise AssertionError("the venue was asked")

    bench.user("ann").find_order = ask  # type: ignore[method-assign,assignment]
    bench.user("ann").get_order = ask  # type: ignore[method-assign,assignment]


def test_an_acknowledged_order_is_booked_and_answered_in_one_transaction(bench: LaneBench) -> None:
    _left(bench)
    _asked_nothing(bench)
    writes = WriteCount(bench.store)
    assert bench.copy("ann") is None
    assert writes.commits == 1
    assert bench.rows() == [("ann", "copied", "")]
    assert bench.answers == [("ann", "copied", "")]
    entry = bench.entry("ann")
    assert (entry.state, entry.venue_order_id, entry.filled_quantity) == (IntentState.FILLED, "O1", entry.quantity)
    with bench.store.read() as connection:
        position = find_position(connection, "ann_kraken", "BTC/USD")
        assert fills.booked_of_order(connection, "ann_kraken", "O1")[0] == entry.quantity
    assert position is not None and position.quantity == entry.quantity


def test_the_same_copy_by_its_own_thread_takes_four_transactions(bench: LaneBench) -> None:
    bench.socket("ann").up = False
    _left(bench)
    writes = WriteCount(bench.store)
    bench.copy("ann")
    assert (writes.commits, bench.rows()) == (4, [("ann", "copied", "")])


def test_while_its_answer_may_come_the_venue_is_not_asked_and_nothing_is_written(bench: LaneBench) -> None:
    bench.socket("ann").silent = True
    _left(bench)
    find = bench.user("ann").find_order
    _asked_nothing(bench)
    writes = WriteCount(bench.store)
    for seconds in (0.0, 2.0, AWAITED_SECONDS - 2.5):
        bench.clock.seconds += seconds
        wait = bench.copy("ann")
        assert wait is not None and 0 < wait <= AWAITED_SECONDS
    assert writes.commits == 0
    bench.user("ann").find_order = find  # type: ignore[method-assign]
    bench.clock.seconds += 1
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]
    assert len(bench.user("ann").received) == 1


def test_an_order_that_the_stream_shows_before_its_acknowledgement_is_booked_at_once(bench: LaneBench) -> None:
    bench.socket("ann").silent = bench.socket("ann").shown_early = True
    _left(bench)
    _asked_nothing(bench)
    writes = WriteCount(bench.store)
    assert bench.copy("ann") is None
    assert (writes.commits, bench.rows()) == (1, [("ann", "copied", "")])
    bench.socket("ann").answer()
    assert bench.copy("ann") is None
    assert (writes.commits, len(bench.user("ann").received)) == (1, 1)


def test_an_order_that_the_stream_shows_early_and_whose_fills_cannot_be_read_waits_for_its_answer(
    bench: LaneBench,
) -> None:
    bench.socket("ann").silent = bench.socket("ann").shown_early = True
    _left(bench)
    broker = bench.user("ann")
    read = broker.get_order_fills

    def fails(*_arguments: object, **_named: object) -> None:
        raise UnreadableReply("no reply")

    broker.get_order_fills = fails  # type: ignore[method-assign,assignment]
    wait = bench.copy("ann")
    assert wait is not None and bench.entry("ann").state is IntentState.SUBMITTED
    broker.get_order_fills = read  # type: ignore[method-assign]
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]


def test_an_acknowledgement_that_comes_late_is_still_heard(bench: LaneBench) -> None:
    bench.socket("ann").silent = True
    _left(bench)
    bench.user("ann").lookups_fail = True
    bench.clock.seconds += AWAITED_SECONDS + 1
    bench.copy("ann")
    assert bench.entry("ann").state is IntentState.SUBMITTED
    bench.socket("ann").answer()
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]
    assert len(bench.user("ann").received) == 1


def test_an_order_that_the_stream_has_not_shown_yet_is_acknowledged_first(bench: LaneBench) -> None:
    bench.socket("ann").shown = False
    _left(bench)
    bench.copy("ann")
    assert (bench.entry("ann").state, bench.entry("ann").venue_order_id) == (IntentState.ACKNOWLEDGED, "O1")
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]


def test_an_order_whose_fills_are_not_all_there_is_not_booked_as_ended(bench: LaneBench) -> None:
    _left(bench)
    broker = bench.user("ann")
    (fill,) = broker.fills
    broker.fills.clear()
    bench.copy("ann")
    assert bench.entry("ann").state is IntentState.ACKNOWLEDGED
    broker.fills.append(fill)
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]


def test_a_refusal_is_the_answer(bench: LaneBench) -> None:
    bench.user("ann").script = [InsufficientFunds("no cash")]
    _left(bench)
    bench.copy("ann")
    assert bench.rows() == [("ann", "failed", "insufficient_funds")]
    assert bench.entry("ann").state is IntentState.REJECTED


def test_a_lost_acknowledgement_is_asked_about_and_never_sent_again(bench: LaneBench) -> None:
    bench.user("ann").script = [(OutcomeUnknown("closed"), True)]
    _left(bench)
    bench.copy("ann")
    assert bench.entry("ann").state is IntentState.UNKNOWN
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]
    assert len(bench.user("ann").received) == 1


def test_an_order_that_never_arrived_is_proven_absent_and_never_sent_again(bench: LaneBench) -> None:
    bench.user("ann").script = [OutcomeUnknown("closed")]
    _left(bench)
    for _ in range(6):
        bench.copy("ann")
        bench.clock.seconds += 11
    assert bench.rows() == [("ann", "failed", "proven_absent")]
    assert len(bench.user("ann").received) == 1


@pytest.mark.parametrize("where", ["no loop", "certainly not taken"])
def test_what_certainly_was_not_taken_is_sent_at_once_by_its_own_thread(
    bench: LaneBench, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    if where == "no loop":
        bench.handing_over_fails = RuntimeError("no loop")
    else:
        bench.user("ann").script = [RetryLater("the socket is closed")]
    _left(bench)
    assert bench.copy("ann") is None
    assert bench.rows() == [("ann", "copied", "")]
    assert bench.entry("ann").attempt == 2


def test_what_certainly_was_not_taken_is_not_sent_once_it_is_too_old(bench: LaneBench) -> None:
    bench.user("ann").script = [RetryLater("the socket is closed")]
    _left(bench)
    bench.clock.seconds += 61
    bench.copy("ann")
    assert bench.rows() == [("ann", "skipped", "too_old")]


def test_a_batch_that_was_never_told_is_sent_by_its_own_thread_when_its_time_is_over(bench: LaneBench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    assert bench.copy("ann") is not None
    assert bench.user("ann").received == []
    bench.clock.seconds += AWAITED_SECONDS
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]
    bench.plan()
    assert len(bench.user("ann").received) == 1


def test_after_a_crash_a_marked_order_is_asked_about_and_not_sent(bench: LaneBench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.departures = type(bench.departures)(bench.clock)
    for account in bench.executors:
        bench.restarted(account)
    for _ in range(6):
        bench.copy("ann")
        bench.clock.seconds += 11
    assert bench.rows() == [("ann", "failed", "proven_absent")]
    assert bench.user("ann").received == []


def test_after_a_crash_between_departure_and_record_the_order_is_found(bench: LaneBench) -> None:
    _left(bench)
    bench.departures = type(bench.departures)(bench.clock)
    for account in bench.executors:
        bench.restarted(account)
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]
    assert len(bench.user("ann").received) == 1


def test_only_the_first_answer_counts(bench: LaneBench) -> None:
    _left(bench)
    order_id = bench.entry("ann").client_order_id
    assert not bench.departures.answer(order_id, LaneOutcome(error=RetryLater("a second answer")))
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]


def test_a_thread_that_was_shut_out_writes_down_nothing_of_what_it_heard(bench: LaneBench) -> None:
    _left(bench)
    bench.fence("ann")
    with pytest.raises(Fenced):
        bench.copy("ann")
    assert bench.entry("ann").state is IntentState.SUBMITTED
    with bench.store.read() as connection:
        assert find_position(connection, "ann_kraken", "BTC/USD") is None


def test_whoever_has_the_account_by_then_hears_the_answer_too(bench: LaneBench) -> None:
    bench.socket("ann").silent = True
    _left(bench)
    (account,) = [follower.account for follower in bench.followers]
    bench.restarted(account)
    assert bench.copy("ann") is not None
    bench.socket("ann").answer()
    bench.copy("ann")
    assert bench.rows() == [("ann", "copied", "")]
    assert len(bench.user("ann").received) == 1


def test_an_exit_behind_an_order_that_is_under_way_waits_for_it_and_sells_what_it_got(bench: LaneBench) -> None:
    bench.socket("ann").silent = True
    _left(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    assert len(bench.user("ann").received) == 1
    bench.socket("ann").answer()
    bench.copy("ann")
    bench.copy("ann")
    assert bench.user("ann").coins == Decimal(0)
    assert sorted(bench.rows()) == [("ann", "copied", ""), ("ann", "copied", "")]
