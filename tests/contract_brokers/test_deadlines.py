"""Until when an order may arrive: counted by the venue's clock from the moment it leaves, whatever ours says."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from bot.brokers.base import BaseBroker, Urgency
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import OutcomeUnknown, RetryLater
from bot.seams.clock import SystemClock
from bot.seams.failpoints import install
from tests.contract_brokers import raw_venue
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order
from tests.contract_brokers.raw_venue import Asked, RawVenue, Said
from tests.exchange_process import ExchangeProcess, wait_until

# How late a venue may have told its time: whole seconds at Kraken, and the way back.
BEHIND_SECONDS = 1.5


@pytest.fixture
def venue() -> Iterator[RawVenue]:
    """Takes every request and answers none in a way that says anything."""
    with RawVenue(lambda _: Said(b"{}", 500)) as made:
        yield made


def deadline_of(asked: Asked) -> datetime:
    """When the venue stops taking this order, as it stands in the bytes that left."""
    if asked.name == "AddOrder":
        return datetime.fromisoformat(asked.form["deadline"])
    token = asked.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    return datetime.fromtimestamp(claims["exp"], UTC)


def send(broker: BaseBroker, leave_before: float | None = None) -> None:
    with pytest.raises(OutcomeUnknown):
        broker.place_order(replace(an_order(), leave_before=leave_before))


@pytest.mark.parametrize("offset_seconds", [-3600, -60, 0, 60, 3600])
def test_the_venue_takes_an_order_no_longer_than_was_said_however_wrong_our_clock_is(
    wiring: Wiring, account: AccountRef, venue: RawVenue, offset_seconds: int
) -> None:
    wiring.clock = SystemClock(offset_seconds=offset_seconds)
    broker = wiring.broker_at(venue.url, account)
    assert broker.order_expiry_seconds is not None
    before = datetime.now(UTC)
    send(broker)
    ahead = (deadline_of(venue.asked[-1]) - before).total_seconds()
    took = (datetime.now(UTC) - before).total_seconds()
    assert broker.order_expiry_seconds - BEHIND_SECONDS <= ahead <= broker.order_expiry_seconds + took
    assert ahead < broker.settle_seconds, "absence is judged only after the venue has stopped taking it"


def test_an_order_that_waited_for_its_turn_leaves_with_its_whole_deadline(wiring: Wiring, venue: RawVenue) -> None:
    broker = wiring.broker_at(venue.url, AccountRef.user(BrokerType.KRAKEN, "patient"))
    lock = wiring.locks.for_key("any")
    lock.hold_seconds = 30
    with ThreadPoolExecutor(1) as pool:
        with lock.hold(key="somebody", urgency=Urgency.EXIT, timeout_seconds=1):
            sending = pool.submit(send, broker)
            wait_until(lambda: lock.waiting == 1)
            threading.Event().wait(0.6)  # long enough to be seen in the deadline
            released = datetime.now(UTC)
        sending.result(10)
    # Kraken tells whole seconds only, so that is how exactly "the whole" can be known.
    assert deadline_of(venue.asked[-1]) >= released + timedelta(seconds=8 - BEHIND_SECONDS)


def test_an_order_whose_time_passed_while_it_waited_is_not_sent(wiring: Wiring, venue: RawVenue) -> None:
    broker = wiring.broker_at(venue.url, AccountRef.user(BrokerType.KRAKEN, "late"))
    broker.venue_clock.keep(broker._read_time)  # type: ignore[attr-defined]
    lock = wiring.locks.for_key("any")
    lock.hold_seconds = 30
    request = replace(an_order(), leave_before=wiring.clock.monotonic() + 0.3)
    with ThreadPoolExecutor(1) as pool:
        with lock.hold(key="somebody", urgency=Urgency.EXIT, timeout_seconds=1):
            sending = pool.submit(broker.place_order, request)
            wait_until(lambda: wiring.clock.monotonic() > (request.leave_before or 0))
        with pytest.raises(RetryLater, match="not sent"):
            sending.result(10)
    assert venue.asked == []


def test_a_thread_that_wakes_up_too_late_sends_nothing(wiring: Wiring, venue: RawVenue) -> None:
    """It was held up after it had its turn and its fields, and has been replaced since."""
    broker = wiring.broker_at(venue.url, AccountRef.user(BrokerType.KRAKEN, "asleep"))
    install("kraken.before_AddOrder:hang=0.6")
    try:
        with pytest.raises(RetryLater, match="not sent"):
            broker.place_order(replace(an_order(), leave_before=wiring.clock.monotonic() + 0.3))
    finally:
        install("")
    assert venue.asked == []


def test_an_order_without_time_left_for_its_way_is_not_sent(
    wiring: Wiring, account: AccountRef, venue: RawVenue
) -> None:
    broker = wiring.broker_at(venue.url, account)
    for left in (-5.0, 0.0):
        with pytest.raises(RetryLater, match="not sent"):
            broker.place_order(replace(an_order(), leave_before=wiring.clock.monotonic() + left))
    assert venue.asked == []


def test_a_token_lives_no_longer_than_the_order_it_signs(wiring: Wiring, venue: RawVenue) -> None:
    broker = wiring.broker_at(venue.url, AccountRef.user(BrokerType.COINBASE, "short"))
    send(broker, leave_before=wiring.clock.monotonic() + 20)
    assert deadline_of(venue.asked[-1]) <= datetime.now(UTC) + timedelta(seconds=20)
    with pytest.raises(RetryLater, match="not sent"):
        broker.place_order(replace(an_order(), leave_before=wiring.clock.monotonic() + 9))


def test_without_the_venues_time_no_order_is_sent(
    wiring: Wiring, account: AccountRef, venue: RawVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_venue, "venue_time", lambda _: None)
    broker = wiring.broker_at(venue.url, account)
    with pytest.raises(RetryLater, match=r"not sent.*time"):
        broker.place_order(an_order())
    assert {asked.name.lower() for asked in venue.asked} == {"time"}


@pytest.mark.parametrize(
    "told", ["0", "-1", "253402300799", "253402300799000", "99999999999999999", "soon", "NaN", None, [], "1e999"]
)
def test_a_time_that_is_none_is_not_believed(
    wiring: Wiring, account: AccountRef, venue: RawVenue, monkeypatch: pytest.MonkeyPatch, told: object
) -> None:
    document = {"error": [], "result": {"unixtime": told}, "epochMillis": told}
    monkeypatch.setattr(raw_venue, "venue_time", lambda asked: Said.of(document) if "ime" in asked.name else None)
    broker = wiring.broker_at(venue.url, account)
    with pytest.raises(RetryLater, match="not sent"):
        broker.place_order(an_order())
    assert venue.asked == []


def test_the_exchange_refuses_an_order_that_arrives_after_its_deadline(
    wiring: Wiring, exchange: ExchangeProcess
) -> None:
    """The deadline is one: what was held up in the network for longer never becomes an order."""
    account = AccountRef.user(BrokerType.KRAKEN, f"slow{time.monotonic_ns()}")
    broker = wiring.broker(account)
    broker.connect()
    broker.venue_clock.measured(datetime.now(UTC) - timedelta(seconds=8.5))  # type: ignore[attr-defined]
    seen = exchange.last_seq()
    with pytest.raises(RetryLater, match="Deadline elapsed"):
        broker.place_order(an_order())
    assert exchange.journal(seen, type="accept", account=account.user_id) == []
    assert broker.place_order(an_order()).venue_order_id, "with the time measured anew"
