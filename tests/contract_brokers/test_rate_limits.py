"""Against an exchange that counts: a strict account whose broker never goes over, and what an over-limit reply does."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bot.brokers.base import BaseBroker, Urgency
from bot.brokers.kraken.keys import KrakenKeys
from bot.brokers.kraken.rates import TIERS
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import OrderType
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order, now, resting_price
from tests.contract_brokers.raw_venue import Asked, RawVenue, Said
from tests.exchange_process import ExchangeProcess, wait_until

LIMIT_TEXTS = ("EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded")


@pytest.fixture
def strict(wiring: Wiring, request: pytest.FixtureRequest) -> BaseBroker:
    """A starter's account at the exchange that refuses what is too much, and a broker that counts along."""
    wiring.keys = KrakenKeys(TIERS["starter"])
    account = AccountRef.user(BrokerType.KRAKEN, f"strict{abs(hash(request.node.name)) % 10**9}")
    broker = wiring.broker(account, tier="starter", strict=True)
    broker.connect()
    return broker


def refusals(exchange: ExchangeProcess, broker: BaseBroker) -> list[object]:
    lines = exchange.journal(account=broker.account.user_id)
    return [line for line in lines if any(text in str(line) for text in LIMIT_TEXTS)]


def poll_until_there_is_no_room(broker: BaseBroker, urgency: Urgency) -> int:
    for count in range(100):
        try:
            with broker.urgent(urgency):
                broker.get_fills_since(now() - timedelta(hours=1))
                broker.get_open_orders()
        except RetryLater:
            return count
    raise AssertionError("no end")


def test_polls_as_fast_as_they_can_never_meet_the_keys_limit_and_leave_an_exit_its_room(
    strict: BaseBroker, exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.brokers.kraken.calls.RATE_WAIT_SECONDS", 0.05)
    assert poll_until_there_is_no_room(strict, Urgency.POLL) >= 1
    with strict.urgent(Urgency.EXIT):
        ack = strict.place_order(an_order())
        assert strict.get_order(ack.venue_order_id) is not None, "the look-up that an exit needs"
    assert refusals(exchange, strict) == []


def test_orders_placed_and_cancelled_at_once_never_meet_the_pairs_limit(
    strict: BaseBroker, exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh order's cancel is dear: nine of each fill the counter of a pair."""
    monkeypatch.setattr("bot.brokers.kraken.calls.RATE_WAIT_SECONDS", 0.05)
    price = resting_price(strict)
    ended = 0
    with pytest.raises(RetryLater, match="order counter"), strict.urgent(Urgency.CANCEL):
        for _ in range(20):
            ack = strict.place_order(an_order(price=price, order_type=OrderType.LIMIT_GTC))
            strict.cancel_order(ack.venue_order_id)
            ended += 1
    assert 4 <= ended <= 7
    with strict.urgent(Urgency.EXIT):
        strict.place_order(an_order())
    assert refusals(exchange, strict) == []


def test_a_key_that_another_program_uses_as_well_backs_off_at_the_first_refusal(
    wiring: Wiring, strict: BaseBroker, exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.brokers.kraken.calls.RATE_WAIT_SECONDS", 0.05)
    exchange.fault({"kind": "api_error", "text": "EAPI:Rate limit exceeded"}, account=strict.account.user_id)
    with pytest.raises(RetryLater, match="Rate limit exceeded"):
        strict.fetch_holdings()
    seen = exchange.last_seq()
    for urgency in Urgency:
        with strict.urgent(urgency), pytest.raises(RetryLater, match="not sent"):
            strict.fetch_holdings()
    again = wiring.broker(strict.account)  # the counter is the key's, not the broker object's
    with pytest.raises(RetryLater, match="not sent"):
        again.fetch_holdings()
    assert exchange.journal(seen, type="request", account=strict.account.user_id) == []


def test_a_call_that_waits_for_room_holds_nothing_that_another_account_needs(
    wiring: Wiring, strict: BaseBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.brokers.kraken.calls.RATE_WAIT_SECONDS", 0.0)
    with pytest.raises(RetryLater, match="no room"):
        for _ in range(20):
            strict.get_open_orders()
    monkeypatch.setattr("bot.brokers.kraken.calls.RATE_WAIT_SECONDS", 8.0)
    other = wiring.broker(AccountRef.user(BrokerType.KRAKEN, f"{strict.account.user_id}b"))
    budget = wiring.keys.key(  # type: ignore[call-arg]
        strict._context.nonce_path,  # type: ignore[attr-defined]
        api_key=strict._context.access.credentials.api_key,  # type: ignore[attr-defined]
        clock=wiring.clock,
        reserve_milliseconds=2000,
    ).rates.calls
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(strict.get_open_orders)
        wait_until(lambda: budget.waiting == 1 or waiting.done())
        assert not waiting.done(), "it waits for room"
        other.connect()
        assert other.fetch_holdings().assets
        assert not waiting.done()
        waiting.result(30)


# -- public calls ---------------------------------------------------------------------------------------------------
def test_a_scan_takes_its_turn_and_an_exits_price_goes_first(wiring: Wiring) -> None:
    """One address, one pace: the scan of one account must not keep another's exit from its price."""
    wiring.public_budget = RateBudget(wiring.clock, name="public calls", limit=5, decay_per_second=2)
    accounts = [AccountRef.user(BrokerType.KRAKEN, f"scan{number}{id(wiring)}") for number in range(2)]
    scanning, exiting = (wiring.broker(account) for account in accounts)
    exiting.get_trading_pairs()
    end = threading.Event()

    def scan() -> int:
        calls = 0
        while not end.is_set():
            with contextlib.suppress(RetryLater):
                scanning.get_candles("BTC/USD", interval_minutes=1, limit=10)
                calls += 1
        return calls

    clock = wiring.clock
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(scan)
        try:
            wait_until(lambda: wiring.public_budget is not None and wiring.public_budget.waiting > 0)
            for _ in range(3):
                started = clock.monotonic()
                with exiting.urgent(Urgency.EXIT):
                    assert exiting.get_best_bid_ask("BTC/USD").bid > 0
                assert clock.monotonic() - started < 2
        finally:
            end.set()
        assert future.result(30) > 0


# -- what a venue says, through the whole broker --------------------------------------------------------------------
@pytest.fixture
def venue(wiring: Wiring) -> Iterator[RawVenue]:
    wiring.read_seconds = wiring.locks.for_key("any").hold_seconds = 10  # nothing hangs here but a busy machine
    with RawVenue() as made:
        yield made


def ask(broker: BaseBroker) -> None:
    with pytest.raises((RetryLater, UnreadableReply)):
        broker.fetch_holdings()


PAGE = b"<html><title>Attention Required!</title></html>"


@pytest.mark.parametrize(
    ("said", "exit_may_try"),
    [
        (Said(b"banned", 418, {"Retry-After": "300"}), False),
        (Said(PAGE, 403, {"Content-Type": "text/html"}), True),
        (Said(PAGE, 429, {"Retry-After": "300"}), True),
    ],
    ids=["418", "403 page", "429 page"],
)
def test_a_venue_that_shuts_the_address_out_hears_nothing_more_from_any_account(
    wiring: Wiring, venue: RawVenue, account: AccountRef, said: Said, exit_may_try: bool
) -> None:
    gate = wiring.gate = VenueGate(wiring.clock, str(account.broker))
    first, second = (
        wiring.broker_at(venue.url, AccountRef.user(account.broker, f"{account.user_id}{letter}")) for letter in "ab"
    )
    venue.answer = lambda _: said
    ask(first)
    asked = len(venue.asked)
    until = gate.state().stopped_until
    assert until is not None
    for broker in (first, second):
        for urgency in Urgency:
            with broker.urgent(urgency), pytest.raises(RetryLater, match=f"until {until:%Y-%m-%d %H:%M}"):
                broker.fetch_holdings()
        with pytest.raises(RetryLater, match="not sent"):
            broker.place_order(an_order())
    assert len(venue.asked) == asked, "nothing was sent, by nobody"
    gate._exit_tried_at -= 5.1
    with second.urgent(Urgency.EXIT):
        ask(second)
    assert len(venue.asked) == asked + exit_may_try


def test_too_many_requests_of_the_address_stop_all_accounts(wiring: Wiring, venue: RawVenue) -> None:
    wiring.gate = VenueGate(wiring.clock, "kraken")
    brokers = [wiring.broker_at(venue.url, AccountRef.user(BrokerType.KRAKEN, f"many{n}{id(venue)}")) for n in "ab"]
    venue.answer = lambda _: Said.of({"error": ["EGeneral:Too many requests"]})
    ask(brokers[0])
    asked = len(venue.asked)
    with pytest.raises(RetryLater, match=r"Too many requests.*until"):
        brokers[1].fetch_holdings()
    assert len(venue.asked) == asked


TROUBLES = {
    "5xx": Said(PAGE, 503),
    "hang up": Said(b"", hang_up=True),
    "page": Said(PAGE, 200),
}


@pytest.mark.parametrize("said", TROUBLES.values(), ids=TROUBLES)
def test_what_half_of_the_accounts_meet_is_tried_by_one_of_them_until_it_works(
    wiring: Wiring, venue: RawVenue, account: AccountRef, said: Said
) -> None:
    gate = wiring.gate = VenueGate(wiring.clock, str(account.broker))
    brokers = [wiring.broker_at(venue.url, AccountRef.user(account.broker, f"{account.user_id}{n}")) for n in range(4)]
    for broker in brokers:
        broker.venue_clock.measured(now())  # type: ignore[attr-defined]
    venue.answer = lambda _: said
    for broker in brokers[:3]:
        ask(broker)
    assert gate.state().breaker == "open"
    asked = len(venue.asked)
    for broker in brokers:
        with pytest.raises(RetryLater, match=r"not sent.*breaker open since"):
            broker.fetch_holdings()
        with broker.urgent(Urgency.ENTRY), pytest.raises(RetryLater, match="breaker open"):
            broker.place_order(an_order())
    assert len(venue.asked) == asked
    with brokers[3].urgent(Urgency.EXIT), pytest.raises(OutcomeUnknown):
        brokers[3].place_order(an_order())
    assert len(venue.asked) == asked + 1, "an exit is sent"
    gate._probe_at -= 5.1
    ask(brokers[0])
    with pytest.raises(RetryLater, match="1 probe"):
        brokers[1].fetch_holdings()
    gate._probe_at -= 60.1
    good: object = {"error": [], "result": {}} if account.broker is BrokerType.KRAKEN else {"accounts": []}
    venue.answer = lambda _: Said.of(good)
    brokers[1].fetch_holdings()
    assert gate.state().breaker == "closed"
    brokers[2].fetch_holdings()


def test_refused_keys_of_all_accounts_are_no_trouble_of_the_venue(
    wiring: Wiring, venue: RawVenue, account: AccountRef
) -> None:
    gate = wiring.gate = VenueGate(wiring.clock, str(account.broker))
    brokers = [wiring.broker_at(venue.url, AccountRef.user(account.broker, f"{account.user_id}{n}")) for n in range(4)]
    kraken = account.broker is BrokerType.KRAKEN
    venue.answer = lambda _: Said.of({"error": ["EAPI:Invalid key"]}) if kraken else Said(b"Unauthorized", 401)
    for broker in brokers:
        with contextlib.suppress(Exception):
            broker.fetch_holdings()
    assert gate.state().breaker == "closed" and gate.state().stopped_until is None


def test_a_coinbase_key_keeps_its_pace_and_a_429_of_the_api_is_about_the_key_alone(
    wiring: Wiring, venue: RawVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.brokers.coinbase.calls.RATE_WAIT_SECONDS", 0.0)
    gate = wiring.gate = VenueGate(wiring.clock, "coinbase")
    wiring.key_budgets = RateBudgets(
        lambda label: RateBudget(wiring.clock, name=label, limit=10, decay_per_second=0.01)
    )
    limited, other = (
        wiring.broker_at(venue.url, AccountRef.user(BrokerType.COINBASE, f"pace{n}{id(venue)}")) for n in "ab"
    )
    limit_reply: object = {"errors": [{"id": "rate_limit_exceeded", "message": "too many"}]}

    def answer(asked: Asked) -> Said:
        return Said.of(limit_reply, 429) if len(venue.asked) == 1 else Said.of({"accounts": []})

    venue.answer = answer
    with pytest.raises(RetryLater, match="429"):
        limited.fetch_holdings()
    assert gate.state().stopped_until is None
    with limited.urgent(Urgency.EXIT), pytest.raises(RetryLater, match="not sent"):
        limited.fetch_holdings()
    for _ in range(6):
        other.fetch_holdings()
    with pytest.raises(RetryLater, match="no room for a call of kind poll"):
        other.fetch_holdings()
    with other.urgent(Urgency.EXIT):
        other.fetch_holdings()
