"""C90–C96: limits, maintenance, clocks that are off, and answers that are none."""

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply, VenueError
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.orders import OF_A_READING, accepted, market_order
from tests.contract_brokers.matrix.rigs import NO_ANSWERS, Rig
from tests.contract_brokers.orders import now
from tests.exchange_process import ExchangeProcess


def test_c90_too_many_requests_is_not_processed_and_comes_later(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    seen, request = exchange.last_seq(), market_order(rig)
    exchange.fault({"kind": "api_error", "text": rig.rate_limit}, account=account.user_id, endpoint=rig.endpoints.place)
    with pytest.raises(RetryLater) as told:
        broker.place_order(request)
    assert told.value.retry_after_seconds > 0
    assert accepted(exchange, rig, seen, request) == []


def test_c91_a_reading_that_is_too_much_comes_later(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    exchange.fault(
        {"kind": "api_error", "text": rig.rate_limit}, account=account.user_id, endpoint=rig.endpoints.balance
    )
    with pytest.raises(RetryLater):
        broker.fetch_holdings()


def test_c92_a_venue_in_maintenance_fails_readings_and_takes_no_order_for_certain(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    seen, request = exchange.last_seq(), market_order(rig)
    match = {"account": account.user_id}
    exchange.fault({"kind": "api_error", "text": rig.maintenance}, times=None, **match)
    with pytest.raises((UnreadableReply, RetryLater)):
        broker.fetch_holdings()
    with pytest.raises(VenueError) as told:
        broker.place_order(request)
    assert not isinstance(told.value, CredentialsRejected)
    assert accepted(exchange, rig, seen, request) == []


@pytest.mark.parametrize("offset_seconds", [-3600, -120, 120, 3600])
def test_c93_connecting_orders_and_look_ups_work_with_a_clock_that_is_off(
    wiring: Wiring, account: AccountRef, rig: Rig, offset_seconds: int
) -> None:
    wiring.clock = SystemClock(offset_seconds=offset_seconds)
    broker = wiring.broker(account)
    broker.connect()
    sent_at, request = wiring.clock.now(), market_order(rig)
    ack = broker.place_order(request)
    found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    venue_now = broker.venue_now()
    assert venue_now is not None and abs((venue_now - now()).total_seconds()) < 5


def test_c94_a_reading_answered_with_nothing_that_can_be_read_is_an_error(
    tireless: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    lists = (tireless.get_open_orders, lambda: tireless.get_fills_since(now()))
    single = (tireless.fetch_holdings, lambda: tireless.find_order("0" * 32, symbol=rig.symbol, sent_at=now()))
    for text in NO_ANSWERS:
        exchange.clear_faults()
        exchange.fault({"kind": "body", "text": text or " "}, times=None, account=account.user_id)
        for read in (*single, *(() if text == "[]" and rig.bare_lists else lists)):
            with pytest.raises(OF_A_READING):
                read()


def test_c95_every_private_call_is_reported_with_its_outcome(
    broker: BaseBroker, wiring: Wiring, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    wiring.calls.clear()
    broker.fetch_holdings()
    good = len(wiring.calls)
    assert {(label, outcome) for label, _, _, outcome in wiring.calls} == {(account.label, "ok")}
    exchange.fault("html", account=account.user_id, endpoint=rig.endpoints.balance)
    with pytest.raises(UnreadableReply):
        broker.fetch_holdings()
    assert "UnreadableReply" in [outcome for _, _, _, outcome in wiring.calls[good:]]


def test_c96_one_accounts_trouble_is_not_anothers(
    stranger: BaseBroker, broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    exchange.fault("html", times=None, account=account.user_id)
    with pytest.raises(OF_A_READING):
        broker.fetch_holdings()
    assert stranger.fetch_holdings().of(rig.cash).total == 10000
