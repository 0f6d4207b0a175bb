"""How a stop is written for each brokerage that is sent one."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from bot.brokers.alpaca import orders as alpaca
from bot.brokers.by_ccxt import binance_orders as binance
from bot.brokers.coinbase import orders as coinbase
from bot.brokers.kraken import orders as kraken
from bot.brokers.kraken.socket_requests import order_params
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side
from tests.memory_broker import BTC

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_stop(quantity: str = "2", **more: Decimal) -> OrderRequest:
    return OrderRequest(
        client_order_id="a" * 32,
        symbol="BTC/USD",
        side=Side.SELL,
        kind=OrderKind.EXIT,
        order_type=OrderType.STOP,
        quantity=Decimal(quantity),
        stop_price=Decimal("48704.0"),
        **more,
    )


def test_at_kraken_the_price_of_a_stop_is_its_trigger_over_rest_and_over_the_socket() -> None:
    fields = kraken.order_fields(a_stop(), rest_id="XXBTZUSD", deadline=NOON)
    assert (fields["ordertype"], fields["price"]) == ("stop-loss", "48704")
    assert "timeinforce" not in fields
    params = msgspec.json.decode(msgspec.json.encode(order_params(a_stop(), deadline=NOON)))
    assert params["order_type"] == "stop-loss"
    assert params["triggers"] == {"reference": "last", "price": 48704, "price_type": "static"}
    assert "limit_price" not in params


def test_at_binance_a_stop_has_a_stop_price_and_no_time_in_force() -> None:
    params = binance.order_params(a_stop(), BTC)
    assert (params["type"], params["stopPrice"]) == ("STOP_LOSS", "48704")
    assert {"price", "timeInForce"} & set(params) == set()


def test_at_coinbase_a_stop_looks_down_and_has_a_limit() -> None:
    (shape,) = coinbase.order_body(a_stop(limit_price=Decimal(46000)))["order_configuration"].items()
    assert shape == (
        "stop_limit_stop_limit_gtc",
        {
            "base_size": "2",
            "limit_price": "46000",
            "stop_price": "48704",
            "stop_direction": "STOP_DIRECTION_STOP_DOWN",
        },
    )


@pytest.mark.parametrize(("quantity", "stands"), [("2", "gtc"), ("0.5", "day")])
def test_at_alpaca_a_stop_of_whole_shares_stands_and_one_of_fractions_ends_with_the_day(
    quantity: str, stands: str
) -> None:
    body = alpaca.order_body(a_stop(quantity))
    assert (body["type"], body["stop_price"], body["time_in_force"]) == ("stop", "48704", stands)
    assert "limit_price" not in body


@pytest.mark.parametrize(
    ("order_type", "stop_price"), [(OrderType.STOP, None), (OrderType.MARKET, Decimal(1)), (OrderType.STOP, Decimal(0))]
)
def test_a_stop_has_a_stop_price_and_nothing_else_has_one(order_type: OrderType, stop_price: Decimal | None) -> None:
    with pytest.raises(ValueError, match="stop"):
        OrderRequest(
            client_order_id="a" * 32,
            symbol="BTC/USD",
            side=Side.SELL,
            kind=OrderKind.EXIT,
            order_type=order_type,
            quantity=Decimal(1),
            stop_price=stop_price,
        )


def test_what_a_stop_says_is_told_apart_by_its_price() -> None:
    one, other = a_stop(), a_stop(limit_price=Decimal(46000))
    assert one.payload_sha256 != other.payload_sha256
