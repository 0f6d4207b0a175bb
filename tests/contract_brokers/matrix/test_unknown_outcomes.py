"""C60–C66: an order whose answer is lost is unknown, and then found exactly if the venue took it."""

import dataclasses
from collections.abc import Mapping

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import OutcomeUnknown, RetryLater
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.orders import OF_A_READING, accepted, market_order, resting_order
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import after_parking, now
from tests.exchange_process import ExchangeProcess, wait_until

# What leaves nobody sure about an order: the fault, and whether the venue took the order all the same.
DOUBTFUL: Mapping[str, bool] = {
    "drop_request": False,
    "drop_response": True,
    "accept_then_5xx": True,
    "accept_then_5xx 504": True,
    "5xx": False,
    "5xx 504": False,
    "html": False,
    "malformed": True,
    "reset": False,
    "hang": False,
    "drip": True,
    "delay 3": True,
}


@pytest.mark.parametrize("action", DOUBTFUL)
def test_c60_an_order_whose_answer_is_lost_is_sent_once_and_found_exactly_if_the_venue_took_it(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig, action: str
) -> None:
    before, seen, request = now(), exchange.last_seq(), market_order(rig)
    exchange.fault(action, account=account.user_id, endpoint=rig.endpoints.place)
    with pytest.raises(OutcomeUnknown):
        broker.place_order(request)
    exchange.clear_faults()
    if DOUBTFUL[action]:
        wait_until(lambda: accepted(exchange, rig, seen, request), what="the order in the journal")
    found = after_parking(lambda: broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=before))
    made = accepted(exchange, rig, seen, request)
    assert ([] if found is None else [found.venue_order_id]) == made
    assert len(made) == DOUBTFUL[action]
    lines = exchange.journal(seen, type="request", account=account.user_id, endpoint=rig.endpoints.place)
    assert len([line for line in lines if rig.places(line)]) == 1, "an order is sent once"


def test_c61_a_connection_refused_before_sending_is_no_unknown_order(
    wiring: Wiring, account: AccountRef, rig: Rig
) -> None:
    access = wiring.access(account)
    pairs = wiring.broker(account, access=access).get_trading_pairs()
    broker = wiring.broker_at("http://127.0.0.1:1", account)
    assert broker.get_trading_pairs() == pairs
    with pytest.raises(RetryLater):
        broker.place_order(market_order(rig))


def test_c62_an_order_that_is_not_shown_yet_is_not_found_and_later_it_is(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    sent_at, request = now(), market_order(rig)
    match = {"account": account.user_id}
    ids = [
        exchange.fault({"kind": "lookup_lag", "seconds": 60}, times=None, endpoint=endpoint, **match)
        for endpoint in rig.endpoints.find
    ]
    ack = broker.place_order(request)
    assert broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at) is None
    assert broker.settle_seconds >= 10, "not found right after the sending proves nothing"
    for number in ids:
        exchange.control("DELETE", f"/faults/{number}")
    found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id


@pytest.mark.parametrize("action", ["5xx", "html", "malformed", "reset", "drop_response"])
def test_c63_a_look_up_that_fails_in_part_is_an_error_and_never_not_found(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig, action: str
) -> None:
    for endpoint in rig.endpoints.find:
        exchange.clear_faults()
        exchange.fault(action, times=None, account=account.user_id, endpoint=endpoint)
        with pytest.raises(OF_A_READING):
            after_parking(lambda: broker.find_order("0" * 32, symbol=rig.symbol, sent_at=now()))


@pytest.mark.parametrize("action", ["drop_response", "accept_then_5xx", "html", "malformed", "reset", "5xx"])
def test_c64_a_cancel_whose_answer_is_lost_is_unknown_and_the_order_tells_what_became_of_it(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig, action: str
) -> None:
    ack = broker.place_order(resting_order(rig, broker))
    exchange.fault(action, account=account.user_id, endpoint=rig.endpoints.cancel)
    with pytest.raises(OutcomeUnknown):
        broker.cancel_order(ack.venue_order_id)
    order = after_parking(lambda: broker.get_order(ack.venue_order_id))
    assert order is not None
    assert order.status.ended == DOUBTFUL[action]


def test_c65_an_order_that_may_not_leave_any_more_is_not_sent(
    broker: BaseBroker, wiring: Wiring, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen = exchange.last_seq()
    request = dataclasses.replace(market_order(rig), leave_before=wiring.clock.monotonic() - 1)
    with pytest.raises(RetryLater):
        broker.place_order(request)
    assert accepted(exchange, rig, seen, request) == []


def test_c66_the_last_look_comes_right_before_the_wire_and_what_it_raises_stops_the_order(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    seen = exchange.last_seq()

    def look() -> None:
        raise RetryLater("held back")

    request = dataclasses.replace(market_order(rig), last_look=look)
    with pytest.raises(RetryLater, match="held back"):
        broker.place_order(request)
    lines = exchange.journal(seen, type="request", account=account.user_id, endpoint=rig.endpoints.place)
    assert [line for line in lines if rig.places(line)] == []
