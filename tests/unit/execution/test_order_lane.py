"""What leaves in a batch was marked before, is looked at once more, leaves once, and is heard of once."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.account import AccountRef
from bot.domain.errors import Fenced, OutcomeUnknown, StoreUnavailable
from bot.domain.order import IntentState, Side
from bot.domain.veto import Veto, VetoRule
from bot.execution.entry_gate import OpenGate
from bot.execution.instance_guard import NoOtherInstance
from bot.execution.last_look import FIT_SECONDS
from bot.execution.order_lane import ANSWER_SECONDS, LONGEST_WAY_SECONDS, STREAM_SECONDS
from bot.seams import failpoints
from bot.storage import boardings, symbol_pauses
from bot.storage.intents import OrderIntent
from bot.storage.schema import order_event, veto
from bot.storage.store import Store
from tests.unit.copy_bench import KRAKEN
from tests.unit.lane_bench import LaneBench, states

ON_BOTH_DATABASES = True
USERS = ["ann", "ben", "cleo"]


@pytest.fixture
def bench(store: Store) -> LaneBench:
    return LaneBench(store, dict.fromkeys(USERS, "1000"))


def _planned(bench: LaneBench) -> None:
    """The master buys; its users' entries are planned and have boarded, and nothing has departed."""
    bench.master_trades(Side.BUY, "0.01")


def test_entries_of_all_users_leave_together_and_nobody_is_woken_before_an_answer_is_there(bench: LaneBench) -> None:
    bench.prompt = False
    _planned(bench)
    bench.plan()
    assert (len(bench.calls), bench.woken, states(bench, USERS)) == (1, [], ["submitted"] * 3)
    bench.run_loop()
    assert bench.written() == USERS
    assert sorted(account.user_id or "" for account in bench.woken) == USERS


def test_each_row_is_marked_with_what_leaves_under_whose_epoch_and_until_when(bench: LaneBench) -> None:
    _planned(bench)
    bench.plan()
    for name in USERS:
        entry, (request,) = bench.entry(name), bench.socket(name).written
        assert entry.payload_sha256 == request.payload_sha256
        assert (entry.attempt, entry.epoch) == (1, bench.epoch(AccountRef.user(KRAKEN, name)))
        assert entry.sent_at is not None and entry.settle_at is not None and entry.settle_at > entry.sent_at
        with bench.store.read() as connection:
            of_order = order_event.c.client_order_id == entry.client_order_id
            (event,) = connection.execute(select(order_event).where(of_order)).all()
        assert (event.old, event.new, event.at) == ("created", "submitted", entry.sent_at)


def test_a_plan_that_is_rolled_back_sends_nothing(bench: LaneBench, caplog: pytest.LogCaptureFixture) -> None:
    boarded: list[str] = []
    board = bench.lane.board

    def remember(connection: Connection, intents: list[OrderIntent]) -> list[str]:
        boarded.extend(board(connection, intents))
        return list(boarded)

    bench.lane.board = remember  # type: ignore[method-assign,assignment]
    failpoints.install("plan_transaction:raise")
    try:
        _planned(bench)
    finally:
        failpoints.install("")
    assert len(boarded) == 3
    bench.lane.depart(boarded)
    assert (bench.calls, bench.written(), bench.woken) == ([], [], [])


def test_an_account_that_is_shut_out_between_commit_and_departure_sends_nothing(bench: LaneBench) -> None:
    _planned(bench)
    bench.fence("ben")
    bench.plan()
    assert bench.written() == ["ann", "cleo"]


def test_an_account_that_was_opened_anew_before_the_plan_does_not_board_in_its_old_seat(bench: LaneBench) -> None:
    bench.fence("ben")
    _planned(bench)
    assert states(bench, USERS) == ["submitted", "created", "submitted"]
    bench.lane.take_seat(bench.seat(AccountRef.user(KRAKEN, "ben")))
    bench.plan()
    assert bench.written() == ["ann", "cleo"]


class Halted(OpenGate):
    """Stopped by somebody; `names` are the accounts that are."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def still_all(self, connection: Connection, intents: list[OrderIntent]) -> dict[str, Veto]:  # type: ignore[override]
        halted = Veto(VetoRule.HALTED, "stopped by hand")
        return {one.client_order_id: halted for one in intents if one.account_id in self.names}

    admit_all = still_all  # type: ignore[assignment]

    def admit(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return self.still_all(connection, [intent]).get(intent.client_order_id)


def _with_a_gate(bench: LaneBench) -> Halted:
    gate = Halted()
    bench.gate = gate
    for account in bench.executors:
        bench.restarted(account)
    bench.lane = bench.make_lane()
    bench.engine = bench.make_engine(bench.lane)
    return gate


def test_a_halt_between_commit_and_departure_holds_everything_back(bench: LaneBench) -> None:
    gate = _with_a_gate(bench)
    _planned(bench)
    gate.names = {f"{name}_kraken" for name in USERS}
    bench.plan()
    assert bench.written() == []
    for name in USERS:
        bench.copy(name)
    assert sorted(bench.rows()) == [(name, "skipped", "halted") for name in USERS]
    assert bench.written() == []


def test_a_veto_in_the_plan_is_a_row_with_its_numbers_and_the_others_leave(bench: LaneBench) -> None:
    gate = _with_a_gate(bench)
    gate.names = {"ben_kraken"}
    _planned(bench)
    assert states(bench, USERS) == ["submitted", "abandoned", "submitted"]
    with bench.store.read() as connection:
        (row,) = connection.execute(select(veto)).all()
    assert (row.account_id, row.rule, row.client_order_id) == (
        "ben_kraken",
        "halted",
        bench.entry("ben").client_order_id,
    )
    bench.plan()
    assert bench.written() == ["ann", "cleo"]


class Guard(NoOtherInstance):
    """`lost` is raised by every check."""

    lost: Exception | None = None

    def check(self, connection: Connection) -> None:
        if self.lost is not None:
            raise self.lost


@pytest.mark.parametrize("lost", [Fenced("another process"), StoreUnavailable("nobody knows")])
def test_nothing_leaves_once_another_process_may_have_the_database(store: Store, lost: Exception) -> None:
    guard = Guard()
    bench = LaneBench(store, dict.fromkeys(USERS, "1000"), instance=guard)
    _planned(bench)
    guard.lost = lost
    bench.plan()
    assert bench.written() == []
    assert [bench.departures.outcome(bench.entry(name).client_order_id) is not None for name in USERS] == [True] * 3


def test_nobody_boards_while_it_is_not_known_who_has_the_database_and_the_plan_is_made(store: Store) -> None:
    guard = Guard()
    bench = LaneBench(store, dict.fromkeys(USERS, "1000"), instance=guard)
    guard.lost = StoreUnavailable("nobody knows")
    _planned(bench)
    assert states(bench, USERS) == ["created"] * 3


def test_an_order_departs_once_however_often_it_is_told(bench: LaneBench) -> None:
    _planned(bench)
    ids = [bench.entry(name).client_order_id for name in USERS]
    for _ in range(3):
        bench.lane.depart(ids)
    bench.plan()
    assert bench.written() == USERS


def test_a_process_that_died_after_the_commit_sends_nothing_when_it_is_back(bench: LaneBench) -> None:
    _planned(bench)
    ids = [bench.entry(name).client_order_id for name in USERS]
    bench.departures = type(bench.departures)(bench.clock)
    bench.lane = bench.make_lane()
    bench.engine = bench.make_engine(bench.lane)
    bench.lane.depart(ids)
    bench.plan()
    assert bench.written() == []


def test_a_batch_that_waited_too_long_stays_behind(bench: LaneBench) -> None:
    _planned(bench)
    bench.clock.seconds += LONGEST_WAY_SECONDS
    bench.plan()
    assert bench.written() == []
    assert bench.departures.outcome(bench.entry("ann").client_order_id) is not None


def test_a_batch_whose_time_is_over_is_given_to_nobody_else_after_that(bench: LaneBench) -> None:
    _planned(bench)
    bench.clock.seconds += LONGEST_WAY_SECONDS + ANSWER_SECONDS
    assert bench.departures.outcome(bench.entry("ann").client_order_id) is not None
    bench.plan()
    assert bench.written() == []


@pytest.mark.parametrize("trouble", [RuntimeError("no loop"), OSError("closed")])
def test_what_cannot_be_handed_over_is_certainly_not_sent(
    bench: LaneBench, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    bench.handing_over_fails = trouble
    _planned(bench)
    bench.plan()
    for name in USERS:
        outcome = bench.departures.outcome(bench.entry(name).client_order_id)
        assert outcome is not None and "not sent" in str(outcome.error)


def test_one_account_whose_frame_cannot_be_made_holds_up_nobody(
    bench: LaneBench, caplog: pytest.LogCaptureFixture
) -> None:
    _planned(bench)
    bench.socket("ben").fails = ValueError("nonsense")
    bench.plan()
    assert bench.written() == ["ann", "cleo"]


def test_one_frame_that_fails_while_it_is_written_leaves_its_order_unknown_and_the_others_leave(
    bench: LaneBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.user("ann").script = [RuntimeError("half written")]  # type: ignore[list-item]
    _planned(bench)
    bench.plan()
    assert bench.written() == USERS
    bench.copy("ann")
    assert bench.entry("ann").state is IntentState.UNKNOWN


def test_who_has_no_socket_sends_by_its_own_thread(bench: LaneBench) -> None:
    bench.socket("ben").up = False
    _planned(bench)
    assert states(bench, USERS) == ["submitted", "created", "submitted"]
    bench.plan()
    assert bench.woken.count(AccountRef.user(KRAKEN, "ben")) == 1
    bench.copy("ben")
    assert bench.socket("ben").written == []
    assert len(bench.user("ben").received) == 1


def test_who_has_an_order_of_the_market_without_an_end_does_not_board(bench: LaneBench) -> None:
    bench.socket("ben").silent = True
    _planned(bench)
    bench.plan()
    bench.copy("ann")
    bench.master_trades(Side.BUY, "0.01")
    assert str(bench.entry("ann", 1).state) == "submitted"
    assert str(bench.entry("ben", 1).state) == "created"


def test_exits_do_not_board(bench: LaneBench) -> None:
    _planned(bench)
    bench.plan()
    for name in USERS:
        bench.copy(name)
    before = len(bench.calls), bench.written()
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert (len(bench.calls), bench.written()) == before


@pytest.mark.parametrize("why", ["paused", "sold", "stale", "ends"])
def test_what_comes_between_plan_and_departure_leaves_the_order_to_its_own_thread(bench: LaneBench, why: str) -> None:
    _planned(bench)
    if why == "paused":
        bench.store.write(
            lambda connection: symbol_pauses.pause_symbol(
                connection, "ben_kraken", "BTC/USD", reason="by hand", now=bench.clock.now()
            )
        )
    elif why == "sold":
        bench.master_trades(Side.SELL, "0.01")
    elif why == "stale":
        for _ in range(3):
            bench.user("ben").balance_book.record_failure("no reply")
    else:
        bench.stop.set()
    bench.clock.seconds += FIT_SECONDS
    bench.plan()
    assert bench.written() == ([] if why in ("sold", "ends") else ["ann", "cleo"])


@pytest.mark.parametrize(("traded_later_by", "state"), [(0, "created"), (1, "submitted")])
def test_where_older_books_were_put_back_only_trades_from_after_that_are_followed_in_batches(
    bench: LaneBench, traded_later_by: int, state: str
) -> None:
    bench.lane = bench.make_lane(restored_at=bench.clock.now())
    bench.engine = bench.make_engine(bench.lane)
    bench.clock.seconds += traded_later_by
    _planned(bench)
    assert states(bench, USERS) == [state] * 3


def test_trouble_of_the_lane_keeps_no_plan_from_being_made(
    bench: LaneBench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boardings, "submit_all", lambda *_rest, **_named: 1 / 0)
    _planned(bench)
    assert states(bench, USERS) == ["created"] * 3
    with bench.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(order_event)).scalar_one() > 0


def test_an_entry_that_is_not_as_it_was_written_lets_nobody_board(bench: LaneBench) -> None:
    board = bench.lane.board

    def other(connection: Connection, intents: list[OrderIntent]) -> object:
        return board(connection, [*intents[1:], replace(intents[0], client_order_id="f" * 32)])

    bench.lane.board = other  # type: ignore[method-assign,assignment]
    _planned(bench)
    assert states(bench, USERS) == ["created"] * 3


def test_an_acknowledgement_wakes_only_when_the_stream_has_said_nothing_for_a_moment(bench: LaneBench) -> None:
    timers = bench.with_timers()
    _planned(bench)
    bench.plan()
    assert bench.woken == []
    bench.copy("ann")
    assert bench.rows().count(("ann", "copied", "")) == 1
    for _seconds, work in timers:
        work()
    assert sorted(account.user_id or "" for account in bench.woken) == ["ben", "cleo"]


def test_whoever_is_answered_with_an_error_is_woken_at_once(bench: LaneBench) -> None:
    timers = bench.with_timers()
    bench.user("ben").script = [OutcomeUnknown("closed")]
    _planned(bench)
    bench.plan()
    assert ([account.user_id for account in bench.woken], len(timers)) == (["ben"], 2)


def test_a_batch_that_a_hung_loop_has_dropped_wakes_its_accounts_when_its_time_is_over(bench: LaneBench) -> None:
    bench.prompt = False
    _planned(bench)
    bench.plan()
    bench.calls.clear()
    bench.plan()
    assert bench.woken == []
    bench.clock.seconds += LONGEST_WAY_SECONDS + ANSWER_SECONDS
    for _ in range(2):
        bench.plan()
    assert sorted(account.user_id or "" for account in bench.woken) == USERS


def _names(bench: LaneBench) -> list[str]:
    return sorted(account.user_id or "" for account in bench.woken)


def test_where_no_stream_shows_orders_those_who_were_taken_are_told_when_the_last_is_heard(bench: LaneBench) -> None:
    """What their threads do next would keep the loop from hearing of the others."""
    bench.where_orders_are_requests()
    for name in USERS:
        bench.socket(name).silent = True
    _planned(bench)
    bench.plan()
    for name in USERS[:2]:
        bench.socket(name).answer()
    assert bench.woken == []
    bench.socket(USERS[2]).answer()
    assert _names(bench) == USERS


def test_one_of_whom_nothing_is_heard_keeps_the_others_for_a_moment_only(bench: LaneBench) -> None:
    timers = bench.where_orders_are_requests()
    for name in USERS:
        bench.socket(name).silent = True
    _planned(bench)
    bench.plan()
    bench.socket("ann").answer()
    ((seconds, tell),) = timers
    assert (seconds, bench.woken) == (STREAM_SECONDS, [])
    tell()
    assert _names(bench) == ["ann"]
    bench.socket("ben").answer()
    bench.socket("cleo").answer()
    assert _names(bench) == USERS


def test_who_was_refused_is_told_at_once(bench: LaneBench) -> None:
    bench.where_orders_are_requests()
    bench.user("ben").script = [OutcomeUnknown("no answer")]
    for name in USERS:
        bench.socket(name).silent = True
    _planned(bench)
    bench.plan()
    bench.socket("ben").answer()
    assert _names(bench) == ["ben"]


def test_where_no_stream_shows_orders_the_end_is_asked_right_after_the_acknowledgement(bench: LaneBench) -> None:
    bench.where_orders_are_requests()
    _planned(bench)
    bench.plan()
    for name in USERS:
        bench.copy(name)
    assert sorted(bench.rows()) == [(name, "copied", "") for name in USERS]
    assert [len(bench.user(name).received) for name in USERS] == [1, 1, 1]
