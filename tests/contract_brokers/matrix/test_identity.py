"""C50–C56: one id, one order: what a repeated id does, and how an order is found by it."""

from datetime import timedelta

import pytest

from bot.brokers.base import BaseBroker
from bot.brokers.capabilities import Deadline, RepeatedId
from bot.domain.account import AccountRef
from bot.domain.errors import OutcomeUnknown
from bot.domain.order import VenueOrderStatus
from bot.seams.ids import client_order_id
from tests.contract_brokers.matrix.orders import accepted, hopeless_order, market_order, resting_order
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import now
from tests.exchange_process import ExchangeProcess


def test_c50_an_order_nobody_made_is_not_found(broker: BaseBroker, rig: Rig) -> None:
    assert broker.find_order("0" * 32, symbol=rig.symbol, sent_at=now()) is None


def test_c51_an_id_on_an_open_order_is_never_a_second_one(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen, sent_at, request = exchange.last_seq(), now(), resting_order(rig, broker)
    first = broker.place_order(request)
    if broker.capabilities.repeated_id is RepeatedId.SAME_ORDER:
        assert broker.place_order(request) == first
    else:
        with pytest.raises(OutcomeUnknown):
            broker.place_order(request)
    assert accepted(exchange, rig, seen, request) == [first.venue_order_id]
    found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
    assert found is not None and found.venue_order_id == first.venue_order_id


def test_c52_after_the_fill_an_id_does_what_the_brokerage_says_of_it(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen, sent_at, request = exchange.last_seq(), now(), market_order(rig)
    first = broker.place_order(request)
    last = first
    match broker.capabilities.repeated_id:
        case RepeatedId.SAME_ORDER:
            assert broker.place_order(request) == first
        case RepeatedId.REFUSED:
            with pytest.raises(OutcomeUnknown):
                broker.place_order(request)
        case RepeatedId.NEW_ORDER:
            last = broker.place_order(request)
            assert last != first
    assert len(accepted(exchange, rig, seen, request)) == (1 if broker.client_ids_are_forever else 2)
    found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
    assert found is not None and found.venue_order_id == last.venue_order_id


def test_c53_after_a_cancel_an_id_does_what_the_brokerage_says_of_it(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen, request = exchange.last_seq(), resting_order(rig, broker)
    broker.cancel_order(broker.place_order(request).venue_order_id)
    if broker.capabilities.repeated_id is RepeatedId.REFUSED:
        with pytest.raises(OutcomeUnknown):
            broker.place_order(request)
    else:
        broker.place_order(request)
    assert len(accepted(exchange, rig, seen, request)) == (1 if broker.client_ids_are_forever else 2)


def test_c54_an_order_is_found_by_its_id_behind_a_page_of_later_ones(broker: BaseBroker, rig: Rig) -> None:
    sent_at = now()
    filled, ended, resting = market_order(rig), hopeless_order(rig, broker), resting_order(rig, broker)
    acks = [broker.place_order(request) for request in (filled, ended, resting)]
    for _ in range(rig.page + 2):
        broker.place_order(hopeless_order(rig, broker))
    for request, ack in zip((filled, ended, resting), acks, strict=True):
        found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
        assert found is not None and found.venue_order_id == ack.venue_order_id


@pytest.mark.parametrize("days", [-3, 3])
def test_c55_an_order_noted_by_a_clock_that_was_days_off_is_still_found(
    broker: BaseBroker, rig: Rig, days: int
) -> None:
    request = market_order(rig)
    ack = broker.place_order(request)
    sent_at = now() + timedelta(days=days)
    found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    assert found.status is VenueOrderStatus.FILLED


def test_c56_what_a_broker_says_of_ids_and_deadlines_agrees_with_how_it_waits(
    broker: BaseBroker, account: AccountRef, rig: Rig
) -> None:
    able = broker.capabilities
    assert "capabilities" in vars(type(broker)), "each brokerage states its own"
    assert broker.client_ids_are_forever is able.client_ids_are_forever
    assert (broker.order_expiry_seconds is None) == (able.deadline is Deadline.NONE)
    assert broker.settle_seconds > (broker.order_expiry_seconds or 0)
    ours = client_order_id(install_id="i", decision_id="d", account_id=account.label, leg="entry", attempt=0)
    assert able.refusal_of(market_order(rig, client_order_id=ours)) == ""
