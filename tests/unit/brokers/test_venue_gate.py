"""The venue's stop and the breaker: what one account meets is its own; what half of them meet is everybody's."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.base import Urgency
from bot.brokers.http_session import HttpReply, ReplyCut, ReplyLost, RequestNotSent, SessionClosed
from bot.brokers.venue_gate import Passage, Trouble, VenueGate, VenueState
from bot.domain.errors import RetryLater
from tests.unit.brokers.clocks import TurnedClock

PAGE = b"<html>Attention Required</html>"


class Venue:
    """A gate with so many accounts, and what is said of it."""

    def __init__(self, accounts: int) -> None:
        self.clock = TurnedClock()
        self.told: list[VenueState] = []
        self.gate = VenueGate(self.clock, "kraken", on_change=self.told.append)
        self.accounts = [f"kraken:user:u{number}" for number in range(accounts)]
        for account in self.accounts:
            self.gate.join(account)

    @contextlib.contextmanager
    def call(self, account: int = 0, urgency: Urgency = Urgency.POLL) -> Iterator[Passage]:
        label = self.accounts[account]
        with self.gate.visit(label, urgency), self.gate.passage(label, urgency) as passage:
            yield passage

    def fail(self, account: int, trouble: Trouble = Trouble.SILENCE, urgency: Urgency = Urgency.POLL) -> None:
        with self.call(account, urgency) as passage:
            passage.met(trouble, "HTTP 503")

    def succeed(self, account: int = 0, urgency: Urgency = Urgency.POLL) -> None:
        with self.call(account, urgency) as passage:
            passage.answered()

    def lets(self, urgency: Urgency) -> bool:
        """Whether a call of this urgency may leave; it comes to nothing that proves anything."""
        try:
            with self.call(0, urgency):
                return True
        except RetryLater:
            return False

    def opened(self) -> "Venue":
        for account in range(len(self.accounts)):
            with contextlib.suppress(RetryLater):
                self.fail(account)
        assert self.gate.state().breaker == "open"
        return self


# -- the breaker ----------------------------------------------------------------------------------------------------
def test_an_account_alone_never_opens_it_however_often_it_fails() -> None:
    venue = Venue(accounts=1)
    for _ in range(100):
        venue.fail(0)
        venue.clock.advance(1)
    assert venue.gate.state().breaker == "closed" and venue.told == []


@pytest.mark.parametrize(("accounts", "needed"), [(2, None), (3, 3), (5, 3), (6, 3), (7, 4), (50, 25)])
def test_it_opens_when_half_of_the_accounts_and_at_least_three_meet_the_same(accounts: int, needed: int | None) -> None:
    venue = Venue(accounts)
    for account in range(accounts):
        assert venue.gate.state().breaker == "closed"
        venue.fail(account)
        if account + 1 == needed:
            break
    assert (venue.gate.state().breaker == "open") == (needed is not None)


def test_different_troubles_and_old_ones_do_not_add_up() -> None:
    venue = Venue(accounts=4)
    for account, trouble in enumerate(Trouble):
        venue.fail(account, trouble)
    for account in range(4):
        venue.fail(account, Trouble.SILENCE)
        venue.clock.advance(35)
    assert venue.gate.state().breaker == "closed"


def test_an_account_that_works_again_does_not_count() -> None:
    venue = Venue(accounts=3)
    for _ in range(5):
        for account in range(3):
            venue.fail(account)
            if account:
                venue.succeed(account - 1)
        venue.succeed(2)
    assert venue.gate.state().breaker == "closed"


def test_while_it_is_open_polls_and_entries_are_told_why_and_exits_and_their_cancels_pass() -> None:
    venue = Venue(accounts=6).opened()
    allowed = {urgency for urgency in Urgency if venue.lets(urgency)}
    assert allowed == {Urgency.EXIT, Urgency.CANCEL}
    with pytest.raises(RetryLater, match="not sent: kraken breaker open since 2026-03-01 12:00:00 UTC: no complete"):
        venue.fail(0, urgency=Urgency.ENTRY)


def test_one_prober_at_a_time_tries_and_ever_more_rarely() -> None:
    venue = Venue(accounts=6).opened()
    probed_at: list[float] = []
    started = venue.clock.monotonic()
    while venue.clock.monotonic() - started < 400:
        with contextlib.suppress(RetryLater), venue.call(1) as probe:
            probed_at.append(venue.clock.monotonic() - started)
            assert not venue.lets(Urgency.POLL), "a second prober"
            assert venue.gate.state().breaker == "probing"
            probe.met(Trouble.SILENCE, "HTTP 503")
        venue.clock.advance(1)
    pauses = [later - earlier for earlier, later in itertools.pairwise(probed_at)]
    assert probed_at[0] == 5 and pauses[:3] == [10, 20, 40] and set(pauses[3:]) == {60}


def test_an_entry_is_never_a_probe() -> None:
    venue = Venue(accounts=6).opened()
    venue.clock.advance(3600)
    assert not venue.lets(Urgency.ENTRY) and venue.lets(Urgency.POLL)


def test_a_prober_that_is_lost_is_replaced() -> None:
    venue = Venue(accounts=6).opened()
    venue.clock.advance(6)
    with venue.call(1):
        venue.clock.advance(29)
        assert not venue.lets(Urgency.POLL)
        venue.clock.advance(2)
        assert venue.lets(Urgency.POLL)


@pytest.mark.parametrize("urgency", [Urgency.POLL, Urgency.EXIT])
def test_a_call_that_succeeds_closes_it_for_all(urgency: Urgency) -> None:
    venue = Venue(accounts=6).opened()
    venue.clock.advance(6)
    venue.succeed(4, urgency)
    assert venue.gate.state().breaker == "closed"
    assert all(venue.lets(urgency) for urgency in Urgency)


def test_an_answer_to_what_was_sent_before_it_opened_closes_nothing() -> None:
    venue = Venue(accounts=6)
    with venue.call(5) as early:
        for account in range(3):
            venue.fail(account)
        venue.clock.advance(1)
        early.answered()
    assert venue.gate.state().breaker == "open"


def test_what_comes_back_at_once_is_probed_as_rarely_as_before() -> None:
    venue = Venue(accounts=6).opened()
    venue.clock.advance(5)
    venue.fail(1)  # the next probe is due in 10 s
    venue.clock.advance(10)
    venue.succeed(1)
    venue.opened()
    venue.clock.advance(6)
    assert not venue.lets(Urgency.POLL)


def test_every_change_is_told_and_the_last_one_told_is_how_it_is() -> None:
    venue = Venue(accounts=4).opened()
    venue.clock.advance(6)
    venue.fail(1)
    venue.clock.advance(60)
    venue.succeed(1)
    assert [state.breaker for state in venue.told][0::2] == ["open", "closed"]
    assert venue.told[0].reason == "no complete answer at 3 of 4 accounts within 60 s (HTTP 503)"
    assert venue.told[-1] == venue.gate.state()


def test_whoever_wants_to_know_and_fails_costs_nobody_a_call() -> None:
    def fail(_: VenueState) -> None:
        raise OSError("no disk")

    gate = VenueGate(TurnedClock(), "kraken", on_change=fail)
    with gate.visit("a", Urgency.POLL), gate.passage("a", Urgency.POLL) as passage:
        passage.shut_out("HTTP 403", retry_after_seconds=5)
    assert gate.state().stopped_until is not None


# -- what counts ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reply", "from_api", "breaker", "stopped"),
    [
        (HttpReply(503, PAGE), False, "open", False),
        (HttpReply(520, b""), False, "open", False),
        (HttpReply(401, b'{"error":"x"}'), True, "closed", False),
        (HttpReply(403, b'{"error":"x"}'), True, "closed", False),
        (HttpReply(429, b'{"error":"x"}'), True, "closed", False),
        (HttpReply(403, PAGE), False, "closed", True),
        (HttpReply(429, PAGE), False, "closed", True),
        (HttpReply(418, b'{"error":"x"}'), True, "closed", True),
    ],
    ids=lambda value: str(value.status) if isinstance(value, HttpReply) else str(value),
)
def test_what_a_status_says_of_the_venue(reply: HttpReply, from_api: bool, breaker: str, stopped: bool) -> None:
    venue = Venue(accounts=3)
    for account in range(3):
        with contextlib.suppress(RetryLater), venue.call(account) as passage:
            passage.refused_by_status(reply, from_api=from_api)
    state = venue.gate.state()
    assert (state.breaker, state.stopped_until is not None) == (breaker, stopped)


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (RequestNotSent("refused"), True),
        (ReplyLost("no answer"), True),
        (SessionClosed("closed"), False),
        (ReplyCut("closed"), False),
    ],
)
def test_a_session_that_was_closed_says_nothing_of_the_venue(error: Exception, counts: bool) -> None:
    venue = Venue(accounts=3)
    for account in range(3):
        with venue.call(account) as passage:
            passage.not_answered(error)
    assert (venue.gate.state().breaker == "open") == counts


# -- the venue's stop -----------------------------------------------------------------------------------------------
def shut_out(venue: Venue, seconds: float | None = None, *, ban: bool = False) -> None:
    with venue.call(0, Urgency.EXIT) as passage:
        passage.shut_out("HTTP 418" if ban else "HTTP 403", retry_after_seconds=seconds, ban=ban)


def test_a_ban_stops_everything_exits_too_until_it_is_over_and_says_when() -> None:
    venue = Venue(accounts=2)
    shut_out(venue, 120, ban=True)
    venue.clock.advance(119)
    for urgency in Urgency:
        with pytest.raises(RetryLater, match=r"not sent.*not even exits, until 2026-03-01 12:02:00 UTC") as refused:
            venue.fail(1, urgency=urgency)
        assert refused.value.retry_after_seconds == pytest.approx(1)
    venue.clock.advance(1)
    assert all(venue.lets(urgency) for urgency in Urgency)


def test_another_stop_lets_one_exit_in_five_seconds_try() -> None:
    venue = Venue(accounts=2)
    shut_out(venue, 60)
    tried_at = []
    for second in range(1, 60):
        venue.clock.advance(1)
        assert not any(venue.lets(urgency) for urgency in Urgency if urgency is not Urgency.EXIT)
        if venue.lets(Urgency.EXIT):
            tried_at.append(second)
    assert tried_at == list(range(5, 60, 5))


def test_an_exit_that_gets_through_ends_the_stop_for_all() -> None:
    venue = Venue(accounts=2)
    shut_out(venue, 600)
    venue.clock.advance(5)
    venue.succeed(0, Urgency.EXIT)
    assert venue.lets(Urgency.POLL) and venue.gate.state().stopped_until is None


@pytest.mark.parametrize(("asked", "kept"), [(7.0, 7.0), (1e9, 600.0), (-3.0, 1.0), (0.0, 1.0)])
def test_the_venues_wish_is_kept_up_to_ten_minutes(asked: float, kept: float) -> None:
    venue = Venue(accounts=2)
    shut_out(venue, asked, ban=True)
    venue.clock.advance(kept - 0.1)
    assert not venue.lets(Urgency.EXIT)
    venue.clock.advance(0.2)
    assert venue.lets(Urgency.EXIT)


def test_without_a_wish_each_stop_is_twice_as_long_until_the_venue_answers_again() -> None:
    venue = Venue(accounts=2)
    lengths = []
    for _ in range(7):
        shut_out(venue, ban=True)
        until = venue.gate.state().stopped_until
        assert until is not None
        lengths.append((until - venue.clock.now()).total_seconds())
        venue.clock.advance(lengths[-1])
    assert lengths == [30, 60, 120, 240, 480, 600, 600]
    venue.succeed()
    shut_out(venue, ban=True)
    until = venue.gate.state().stopped_until
    assert until is not None and (until - venue.clock.now()).total_seconds() == 30


def test_calls_that_were_under_way_when_it_began_make_it_no_longer() -> None:
    venue = Venue(accounts=5)
    with contextlib.ExitStack() as under_way:
        passages = [under_way.enter_context(venue.call(account)) for account in range(5)]
        for passage in passages:
            passage.shut_out("HTTP 429")
    until = venue.gate.state().stopped_until
    assert until is not None and (until - venue.clock.now()).total_seconds() == 30


# -- whatever happens -----------------------------------------------------------------------------------------------
@settings(max_examples=200, deadline=None)
@given(
    accounts=st.integers(1, 8),
    steps=st.lists(
        st.tuples(
            st.integers(0, 7),
            st.sampled_from(list(Urgency)),
            st.sampled_from(["ok", "nothing", "edge", *Trouble]),
            st.sampled_from([0.0, 0.5, 3.0, 30.0]),
        ),
        max_size=120,
    ),
)
def test_whatever_happens_exits_find_a_way_and_everything_opens_again(
    accounts: int, steps: list[tuple[int, Urgency, str, float]]
) -> None:
    venue = Venue(accounts)
    for account, urgency, outcome, seconds in steps:
        with contextlib.suppress(RetryLater), venue.call(account % accounts, urgency) as passage:
            _conclude(passage, outcome)
        venue.clock.advance(seconds)
        if venue.gate.state().breaker != "closed":
            assert accounts >= 3
    venue.clock.advance(5)
    assert venue.lets(Urgency.EXIT), "an exit waits no longer than five seconds for its try"
    venue.clock.advance(601)
    venue.succeed()
    assert all(venue.lets(urgency) for urgency in Urgency)


def _conclude(passage: Passage, outcome: str) -> None:
    if outcome == "ok":
        passage.answered()
    elif outcome == "edge":
        passage.shut_out("HTTP 403")
    elif outcome != "nothing":
        passage.met(Trouble(outcome), "HTTP 503")


def test_of_many_threads_at_once_one_is_the_prober() -> None:
    venue = Venue(accounts=16).opened()
    venue.clock.advance(6)
    everybody_has_tried = threading.Barrier(16)

    def attempt(number: int) -> bool:
        with contextlib.ExitStack() as call:
            try:
                call.enter_context(venue.call(number))
                return True
            except RetryLater:
                return False
            finally:
                everybody_has_tried.wait(30)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(16))) == 1
    assert venue.told[-1].breaker == venue.gate.state().breaker
