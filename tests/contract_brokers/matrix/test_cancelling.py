"""C70–C73: to cancel is to ask; what became of the order, the order tells."""

import contextlib
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.domain.errors import OutcomeUnknown
from bot.domain.order import VenueOrderStatus
from tests.contract_brokers.matrix.orders import market_order, resting_order
from tests.contract_brokers.matrix.rigs import Rig

D = Decimal


def test_c70_to_cancel_an_order_that_was_cancelled_is_told_that_it_is_gone(broker: BaseBroker, rig: Rig) -> None:
    ack = broker.place_order(resting_order(rig, broker))
    assert broker.cancel_order(ack.venue_order_id) is True
    assert broker.cancel_order(ack.venue_order_id) is False
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.CANCELLED


def test_c71_to_cancel_an_order_that_was_filled_meanwhile_is_told_that_it_is_gone(broker: BaseBroker, rig: Rig) -> None:
    ack = broker.place_order(market_order(rig))
    assert broker.cancel_order(ack.venue_order_id) is False
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.FILLED


def test_c72_an_order_cancelled_gives_back_what_it_held_and_keeps_its_fills(broker: BaseBroker, rig: Rig) -> None:
    ack = broker.place_order(resting_order(rig, broker))
    broker.cancel_order(ack.venue_order_id)
    cash = broker.fetch_holdings().of(rig.cash)
    assert (cash.available, cash.held) == (D(10000), 0)


def test_c73_an_order_of_another_account_cannot_be_cancelled_or_seen(
    stranger: BaseBroker, broker: BaseBroker, rig: Rig
) -> None:
    theirs = stranger.place_order(resting_order(rig, stranger))
    with contextlib.suppress(OutcomeUnknown):
        assert broker.cancel_order(theirs.venue_order_id) is False
    assert broker.get_order(theirs.venue_order_id) is None
    assert broker.get_open_orders() == []
    assert len(stranger.get_open_orders()) == 1
