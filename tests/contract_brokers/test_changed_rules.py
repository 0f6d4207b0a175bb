"""A venue that changes a market's rules while its list of markets is known: the next order is rounded by them."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.brokers.shared_reading import SharedReading
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import InsufficientFunds, OrderRefused
from bot.domain.order import Side
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order
from tests.exchange_process import ExchangeProcess

D = Decimal
ETH = "ETH/USD"
LISTS = {BrokerType.KRAKEN: "AssetPairs", BrokerType.COINBASE: "products"}


@pytest.fixture
def broker(wiring: Wiring, account: AccountRef) -> BaseBroker:
    """With a list of its own that may be read again at once."""
    wiring.catalogues = SharedReading(wiring.clock, retry_seconds=0)
    wiring.instruments = SharedReading(wiring.clock, retry_seconds=0)
    made = wiring.broker(account)
    made.connect()
    made.get_trading_pairs()
    return made


@pytest.fixture
def rules(broker: BaseBroker, exchange: ExchangeProcess) -> Iterator[None]:
    """Whatever a test makes of the market, the next one finds it as it was."""
    known = broker.get_trading_pairs()[ETH]
    yield
    before = {"lot_step": known.lot_step, "minimum_quantity": known.minimum_quantity, "tick_size": known.tick_size}
    exchange.market(symbol=ETH, rules={name: format(value, "f") for name, value in before.items()})


@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize(
    ("changed", "quantity"), [({"lot_step": "0.01"}, "0.1234"), ({"minimum_quantity": "0.5"}, "0.2")], ids=str
)
def test_an_order_refused_for_its_size_brings_the_present_rules(
    broker: BaseBroker, exchange: ExchangeProcess, changed: dict[str, str], quantity: str
) -> None:
    old = broker.get_trading_pairs()[ETH]
    exchange.market(symbol=ETH, rules=changed)
    assert broker.get_trading_pairs()[ETH] == old, "the list is kept for a day"
    with pytest.raises(OrderRefused):
        broker.place_order(an_order(Side.BUY, quantity, symbol=ETH))
    new = broker.known_trading_pairs()[ETH]
    assert {name: getattr(new, name) for name in changed} == {name: D(value) for name, value in changed.items()}
    broker.place_order(an_order(Side.BUY, format(new.floor_quantity(D("0.51234")), "f"), symbol=ETH))


@pytest.mark.usefixtures("rules")
def test_an_order_refused_for_its_price_step_brings_the_present_rules(
    broker: BaseBroker, exchange: ExchangeProcess
) -> None:
    tick = broker.get_trading_pairs()[ETH].tick_size
    price = broker.get_best_bid_ask(ETH).ask.quantize(tick) // D(10) * D(10) + tick
    exchange.market(symbol=ETH, rules={"tick_size": "10"})
    with pytest.raises(OrderRefused):
        broker.place_order(an_order(Side.BUY, "0.5", price=price, symbol=ETH))
    assert broker.known_trading_pairs()[ETH].tick_size == D(10)


def test_an_order_refused_for_want_of_money_reads_no_list(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef
) -> None:
    seen = exchange.last_seq()
    with pytest.raises(InsufficientFunds):
        broker.place_order(an_order(Side.BUY, "900", symbol=ETH))
    assert exchange.journal(seen, type="request", endpoint=LISTS[account.broker]) == []


def test_refusals_within_a_minute_read_the_list_once(
    wiring: Wiring, exchange: ExchangeProcess, account: AccountRef
) -> None:
    wiring.forget_markets()
    broker = wiring.broker(account)
    broker.connect()
    broker.get_trading_pairs()
    seen = exchange.last_seq()
    for _ in range(3):
        with pytest.raises(OrderRefused):
            broker.place_order(an_order(Side.BUY, "0.000000001", symbol=ETH))
    assert exchange.journal(seen, type="request", endpoint=LISTS[account.broker]) == []
