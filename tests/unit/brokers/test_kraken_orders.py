"""Orders and trades in Kraken's words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.brokers.kraken.market_data import candles_from, quotes_from
from bot.brokers.kraken.orders import fill_from, order_fields, order_from, pick_order
from bot.brokers.kraken.symbols import catalogue_from
from bot.domain.errors import UnreadableReply
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side, VenueOrderStatus
from tests.unit.brokers.test_kraken_symbols import ASSETS, PAIRS

D = Decimal
CATALOGUE = catalogue_from(ASSETS, PAIRS)
ID = "6d1b345e282140e2ad834ecb18a06876"
OPENED = datetime(2023, 7, 6, 19, 22, 39, 897400, UTC)


def an_order(**changes: object) -> dict[str, object]:
    """The sample of Kraken's documentation."""
    return {
        "refid": None,
        "userref": None,
        "cl_ord_id": "6D1B345E-2821-40e2-ad83-4ecb18a06876",
        "status": "open",
        "opentm": D("1688671359.8974"),
        "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "30010.0"},
        "vol": "1.25000000",
        "vol_exec": "0.37500000",
        "cost": "11253.75000",
        "fee": "0.00000",
        "price": "30010.00000",
        **changes,
    }


def test_an_order_is_read_with_what_was_filled_and_our_id_without_hyphens() -> None:
    order = order_from("OQCLML-BW3P3-BUCMWZ", an_order(), CATALOGUE)
    assert (order.symbol, order.side, order.status) == ("BTC/USD", Side.BUY, VenueOrderStatus.OPEN)
    assert (order.quantity, order.filled_quantity, order.average_price) == (D("1.25"), D("0.375"), D(30010))
    assert order.client_order_id == ID
    assert order.opened_at == OPENED


@pytest.mark.parametrize(
    ("status", "ours"),
    [("closed", "filled"), ("canceled", "cancelled"), ("expired", "expired"), ("pending", "pending")],
)
def test_each_status_has_its_meaning(status: str, ours: str) -> None:
    assert order_from("O1", an_order(status=status), CATALOGUE).status == ours


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "maybe"},
        {"vol_exec": "-1"},
        {"vol_exec": "NaN"},
        {"vol": None},
        {"descr": None},
        {"descr": {"pair": "XBTUSD", "type": "swap"}},
        {"opentm": "soon"},
        {"price": "1e999"},
    ],
)
def test_an_order_that_makes_no_sense_is_unreadable(changes: dict[str, object]) -> None:
    with pytest.raises(UnreadableReply):
        order_from("O1", an_order(**changes), CATALOGUE)


def test_a_delisted_market_keeps_its_own_name() -> None:
    order = order_from("O1", an_order(descr={"pair": "GONEUSD", "type": "sell"}), CATALOGUE)
    assert order.symbol == "GONEUSD"


def test_of_several_orders_with_our_id_the_recent_one_is_meant_and_a_lone_old_one_still_counts() -> None:
    old = order_from("OLD", an_order(opentm=D("1688600000")), CATALOGUE)
    new = order_from("NEW", an_order(), CATALOGUE)
    stranger = order_from("OTHER", an_order(cl_ord_id=None), CATALOGUE)
    picked = pick_order([new, old, stranger], ID, not_before=OPENED - timedelta(seconds=5))
    assert picked is new
    assert pick_order([old, stranger], ID, not_before=OPENED) is old
    assert pick_order([stranger], ID, not_before=OPENED) is None


def test_an_order_goes_out_in_plain_numbers_with_its_deadline() -> None:
    request = OrderRequest(
        client_order_id=ID,
        symbol="DOGE/USD",
        side=Side.SELL,
        kind=OrderKind.EXIT,
        order_type=OrderType.LIMIT_IOC,
        quantity=D("1E+3"),
        limit_price=D("0.00000012"),
    )
    fields = order_fields(request, rest_id="XDGUSD", deadline=datetime(2026, 3, 1, 12, 0, 8, 123456, UTC))
    assert fields == {
        "pair": "XDGUSD",
        "type": "sell",
        "ordertype": "limit",
        "volume": "1000",
        "price": "0.00000012",
        "timeinforce": "IOC",
        "oflags": "fciq",
        "cl_ord_id": ID,
        "deadline": "2026-03-01T12:00:08.123Z",
    }


def test_a_trade_without_quantity_is_unreadable_and_one_without_maker_does_not_guess() -> None:
    trade: dict[str, object] = {
        "ordertxid": "O1",
        "pair": "XXBTZUSD",
        "time": D("1688667796.8802"),
        "type": "buy",
        "price": "30010",
        "fee": "0.5",
        "vol": "0.02",
    }
    fill = fill_from("T1", trade, CATALOGUE)
    assert fill.maker is None and fill.symbol == "BTC/USD" and fill.fee_currency == "USD"
    with pytest.raises(UnreadableReply):
        fill_from("T1", {**trade, "vol": "0"}, CATALOGUE)


def row(opened: int, close: str = "10") -> list[object]:
    return [opened, "10", "11", "9", close, "10", "5.5", 3]


def test_the_forming_candle_is_left_out_and_the_oldest_comes_first() -> None:
    result = {"XXBTZUSD": [row(60), row(120), row(180), row(240)], "last": 180}
    candles = candles_from(result, where="x", limit=2)
    assert [int(candle.opened_at.timestamp()) for candle in candles] == [120, 180]


@pytest.mark.parametrize("broken", [row(60, close="12"), row(60, close="-1"), row(60)[:5], "row", None])
def test_a_candle_that_contradicts_itself_is_unreadable(broken: object) -> None:
    with pytest.raises(UnreadableReply):
        candles_from({"XXBTZUSD": [broken], "last": 60}, where="x", limit=5)


def test_a_market_without_a_bid_crossed_or_with_nonsense_has_no_quote_and_spoils_no_other() -> None:
    result = {
        "XXBTZUSD": {"a": ["101", "1", "1"], "b": ["100", "1", "1"]},
        "XDGUSD": {"a": ["1", "1", "1"], "b": ["0", "1", "1"]},
        "SOLUSD": {"a": ["1", "1", "1"], "b": ["2", "1", "1"]},
        "ETHUSD": {"a": ["NaN", "1", "1"], "b": []},
        "LTCUSD": None,
    }
    assert set(quotes_from(result, CATALOGUE, taken_at=OPENED)) == {"BTC/USD"}
