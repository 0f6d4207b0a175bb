"""An order is looked at once more when nothing stands between it and the wire, at every brokerage."""

from dataclasses import replace

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import HeldBack
from bot.domain.veto import Veto, VetoRule
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order
from tests.exchange_process import ExchangeProcess


@pytest.fixture
def broker(wiring: Wiring, account: AccountRef) -> BaseBroker:
    made = wiring.broker(account)
    made.connect()
    return made


def test_an_order_that_is_held_back_at_the_last_look_never_reaches_the_venue(
    broker: BaseBroker, exchange: ExchangeProcess
) -> None:
    looks: list[int] = []

    def stop() -> None:
        looks.append(exchange.last_seq())
        raise HeldBack(Veto(VetoRule.HALTED, "pulled while it waited"))

    order = an_order()
    with pytest.raises(HeldBack, match="pulled while it waited"):
        broker.place_order(replace(order, last_look=stop))
    assert len(looks) == 1
    assert exchange.journal(looks[0], client_order_id=order.client_order_id) == []


def test_an_order_that_nobody_holds_back_is_looked_at_once_and_leaves(
    broker: BaseBroker, exchange: ExchangeProcess
) -> None:
    looks: list[int] = []
    order = an_order()
    broker.place_order(replace(order, last_look=lambda: looks.append(exchange.last_seq())))
    assert len(looks) == 1
    (accepted,) = exchange.journal(type="accept", client_order_id=order.client_order_id)
    assert accepted["seq"] > looks[0]
