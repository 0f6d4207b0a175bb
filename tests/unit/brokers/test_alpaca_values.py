"""What Alpaca writes, as values: stocks and their steps, cash that is never borrowed, orders, fills, bars."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.brokers.alpaca.account import account_from, positions_from
from bot.brokers.alpaca.context import misplaced_key
from bot.brokers.alpaca.market_data import candles_from, gathered, quotes_from
from bot.brokers.alpaca.orders import fills_from, order_body, order_from
from bot.brokers.alpaca.stocks import stocks_from
from bot.domain.errors import UnreadableReply
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side, VenueOrderStatus
from bot.domain.quote import Candle

D = Decimal


def an_asset(**changes: object) -> dict[str, object]:
    return {
        "id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": "AAPL",
        "name": "Apple Inc. Common Stock",
        "status": "active",
        "tradable": True,
        "fractionable": True,
    } | changes


def an_account(**changes: object) -> dict[str, object]:
    return {
        "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98",
        "account_number": "010203ABCD",
        "status": "ACTIVE",
        "currency": "USD",
        "cash": "1000.50",
        "buying_power": "4002",
        "non_marginable_buying_power": "1000.50",
        "equity": "30000",
        "multiplier": "4",
        "daytrade_count": 0,
        "pattern_day_trader": False,
        "trading_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
    } | changes


# -- stocks ---------------------------------------------------------------------------------------------------------
def test_only_what_is_fractionable_is_traded_in_fractions() -> None:
    stocks = stocks_from([an_asset(), an_asset(symbol="BRK.B", fractionable=False)])
    apple, berkshire = stocks["AAPL/USD"], stocks["BRK.B/USD"]
    assert apple.floor_quantity(D("0.1234567891")) == D("0.123456789")
    assert berkshire.floor_quantity(D("2.9")) == 2
    assert berkshire.below_minimum(D(0), D(400)) is not None
    assert apple.below_minimum(D("0.001"), D(200)) is not None, "less than a dollar"
    assert berkshire.below_minimum(D(1), D("0.50")) is None


def test_prices_from_a_dollar_on_are_in_cents_and_below_it_in_hundredths_of_one() -> None:
    stock = stocks_from([an_asset()])["AAPL/USD"]
    assert stock.buy_cap(D("187.4567")) == D("187.45")
    assert stock.sell_floor(D("187.4512")) == D("187.46")
    assert stock.buy_cap(D("0.98765")) == D("0.9876")
    assert stock.sell_floor(D("0.99991")) == D("1.0000")
    assert stock.buy_cap(D("1.00004")) == D("1.00")


def test_what_is_no_stock_or_cannot_be_read_is_not_listed_and_what_does_not_trade_says_so() -> None:
    stocks = stocks_from(
        [
            an_asset(symbol="BTC/USD", **{"class": "crypto"}),
            an_asset(symbol="bad symbol"),
            {"symbol": None},
            an_asset(symbol="HALT", tradable=False),
            an_asset(symbol="GONE", status="inactive"),
            an_asset(),
        ]
    )
    assert sorted(stocks) == ["AAPL/USD", "GONE/USD", "HALT/USD"]
    assert [stocks[symbol].tradable for symbol in sorted(stocks)] == [True, False, False]
    assert [stocks[symbol].status for symbol in ("GONE/USD", "HALT/USD")] == ["inactive", "not tradable"]
    with pytest.raises(UnreadableReply):
        stocks_from([{"symbol": "AAPL"}])


# -- accounts -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cash", "powers", "available", "held"),
    [
        ("1000", ("1000", "4000"), "1000", "0"),
        ("1000", ("600", "2600"), "600", "400"),
        ("1000", ("5000", "300"), "300", "700"),
        ("-200", ("0", "4000"), "0", "0"),
        ("1000", ("-5", "100"), "0", "1000"),
    ],
)
def test_available_is_cash_that_is_there_and_never_margin(
    cash: str, powers: tuple[str, str], available: str, held: str
) -> None:
    fields = an_account(cash=cash, non_marginable_buying_power=powers[0], buying_power=powers[1])
    balance = account_from(fields, where="account").balance
    assert (balance.available, balance.held) == (D(available), D(held))


@pytest.mark.parametrize("name", ["cash", "equity", "status", "currency"])
@pytest.mark.parametrize("value", [None, "", "NaN", True, []])
def test_an_account_with_holes_is_unreadable(name: str, value: object) -> None:
    if name == "status" and value in ("", "NaN"):
        assert not account_from(an_account(status=value), where="account").may_trade
        return
    with pytest.raises(UnreadableReply):
        account_from(an_account(**{name: value}), where="account")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "ACCOUNT_UPDATED"}, "status at Alpaca is ACCOUNT_UPDATED"),
        ({"trading_blocked": True}, "trading is blocked"),
        ({"account_blocked": True}, "account is blocked"),
        ({"trade_suspended_by_user": True}, "own settings"),
    ],
)
def test_an_account_that_may_not_trade_says_why(changes: dict[str, object], words: str) -> None:
    state = account_from(an_account(**changes), where="account")
    assert not state.may_trade
    assert words in state.hindrance


@pytest.mark.parametrize(
    ("changes", "limited"),
    [
        ({"pattern_day_trader": True, "equity": "24999"}, True),
        ({"pattern_day_trader": True, "equity": "25000"}, False),
        ({"daytrade_count": 3, "equity": "10000"}, True),
        ({"daytrade_count": 2, "equity": "10000"}, False),
        ({"daytrade_count": 9, "equity": "10000", "multiplier": "1"}, False),
    ],
)
def test_what_could_not_be_sold_on_the_same_day_is_not_bought(changes: dict[str, object], limited: bool) -> None:
    assert bool(account_from(an_account(**changes), where="account").day_trade_limit) is limited


def test_positions_are_shares_and_what_was_sold_short_is_no_holding() -> None:
    def position(symbol: str, quantity: str, available: str, side: str = "long", kind: str = "us_equity") -> object:
        return {"symbol": symbol, "asset_class": kind, "qty": quantity, "qty_available": available, "side": side}

    held = positions_from(
        [
            position("AAPL", "1.5", "0.5"),
            position("TSLA", "-3", "-3", "short"),
            position("BTCUSD", "1", "1", kind="crypto"),
        ],
        where="positions",
    )
    assert {ticker: (each.available, each.held) for ticker, each in held.items()} == {"AAPL": (D("0.5"), D(1))}
    for nonsense in (position("AAPL", "1", "2"), position("AAPL", "one", "1"), {"symbol": "AAPL"}, None):
        with pytest.raises(UnreadableReply):
            positions_from([nonsense], where="positions")


@pytest.mark.parametrize(
    ("url", "key", "refused"),
    [
        ("https://api.alpaca.markets", "PKABCDEF", True),
        ("https://paper-api.alpaca.markets", "AKABCDEF", True),
        ("https://api.alpaca.markets", "AKABCDEF", False),
        ("https://paper-api.alpaca.markets", "PKABCDEF", False),
        ("http://127.0.0.1:8000", "PKABCDEF", False),
        ("https://api.alpaca.markets", "CKOTHER", False),
    ],
)
def test_a_key_of_the_other_environment_is_told_by_its_first_letters(url: str, key: str, refused: bool) -> None:
    why = misplaced_key(url, key)
    assert bool(why) is refused
    assert not refused or "alpaca.rest_url" in why
    assert key not in why


# -- orders ---------------------------------------------------------------------------------------------------------
def a_request(order_type: OrderType, quantity: str, price: str | None = None) -> OrderRequest:
    return OrderRequest(
        client_order_id="a" * 32,
        symbol="AAPL/USD",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        order_type=order_type,
        quantity=D(quantity),
        limit_price=None if price is None else D(price),
    )


@pytest.mark.parametrize(
    ("order_type", "quantity", "price", "time_in_force"),
    [
        (OrderType.MARKET, "3", None, "day"),
        (OrderType.MARKET, "0.5", None, "day"),
        (OrderType.LIMIT_IOC, "3", "187.45", "ioc"),
        (OrderType.LIMIT_IOC, "0.5", "187.45", "day"),
        (OrderType.LIMIT_GTC, "3", "187.45", "gtc"),
        (OrderType.LIMIT_GTC, "0.000000001", "187.45", "day"),
    ],
)
def test_fractions_go_out_as_orders_for_the_day(
    order_type: OrderType, quantity: str, price: str | None, time_in_force: str
) -> None:
    body = order_body(a_request(order_type, quantity, price))
    assert body["time_in_force"] == time_in_force
    assert (body["qty"], body.get("limit_price")) == (quantity, price)
    assert all(isinstance(value, str) for value in body.values())
    assert "notional" not in body and "extended_hours" not in body


def an_order(**changes: object) -> dict[str, object]:
    return {
        "id": "904837e3-3b76-47ec-b432-046db621571b",
        "client_order_id": "a" * 32,
        "created_at": "2026-01-30T15:00:00.123456789Z",
        "submitted_at": "2026-01-30T15:00:00.123Z",
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "notional": None,
        "qty": "2",
        "filled_qty": "0",
        "filled_avg_price": None,
        "side": "buy",
        "status": "new",
    } | changes


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, VenueOrderStatus.OPEN),
        ({"status": "accepted"}, VenueOrderStatus.PENDING),
        ({"status": "held"}, VenueOrderStatus.PENDING),
        ({"status": "partially_filled", "filled_qty": "1"}, VenueOrderStatus.OPEN),
        ({"status": "filled", "filled_qty": "2"}, VenueOrderStatus.FILLED),
        ({"status": "calculated", "filled_qty": "2"}, VenueOrderStatus.FILLED),
        ({"status": "done_for_day", "filled_qty": "1"}, VenueOrderStatus.OPEN),
        ({"status": "canceled"}, VenueOrderStatus.CANCELLED),
        ({"status": "replaced", "replaced_by": "x"}, VenueOrderStatus.CANCELLED),
        ({"status": "expired"}, VenueOrderStatus.EXPIRED),
        ({"status": "rejected"}, VenueOrderStatus.REJECTED),
    ],
)
def test_every_status_of_the_venue_has_its_meaning(changes: dict[str, object], status: VenueOrderStatus) -> None:
    assert order_from(an_order(**changes)).status is status


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "never_seen"},
        {"status": None},
        {"client_order_id": None},
        {"side": "hold"},
        {"filled_qty": "many"},
        {"id": "../account"},
        {"symbol": None},
    ],
)
def test_an_order_with_holes_is_unreadable(changes: dict[str, object]) -> None:
    with pytest.raises(UnreadableReply):
        order_from(an_order(**changes))


def test_an_order_by_its_cost_counts_as_what_it_got() -> None:
    order = order_from(an_order(qty=None, notional="100", filled_qty="0.5", status="filled", filled_avg_price="200"))
    assert (order.quantity, order.filled_quantity, order.average_price) == (D("0.5"), D("0.5"), D(200))


def test_fills_are_told_once_and_carry_no_fee() -> None:
    row = {
        "id": "20260130150000123::8efc7b9a-8b2b-4000-9955-d36e7db0df74",
        "activity_type": "FILL",
        "transaction_time": "2026-01-30T15:00:00.123Z",
        "type": "fill",
        "price": "187.45",
        "qty": "0.5",
        "side": "buy",
        "symbol": "AAPL",
        "order_id": "904837e3-3b76-47ec-b432-046db621571b",
    }
    (fill,) = fills_from([row, dict(row), row | {"symbol": "BTC/USD"}])
    assert (fill.trade_id, fill.quantity, fill.price) == ("8efc7b9a-8b2b-4000-9955-d36e7db0df74", D("0.5"), D("187.45"))
    assert (fill.fee, fill.fee_currency) == (0, "USD")
    for hole in ({"id": None}, {"qty": "0"}, {"order_id": None}, {"transaction_time": "then"}, {"side": ""}):
        with pytest.raises(UnreadableReply):
            fills_from([row | hole])


# -- market data ----------------------------------------------------------------------------------------------------
def test_days_that_are_an_hour_apart_in_summer_are_on_one_grid() -> None:
    def day(text: str) -> dict[str, object]:
        return {"t": text, "o": D(10), "h": D(12), "l": D(9), "c": D(11), "v": 5}

    rows = [day("2026-03-09T04:00:00Z"), day("2026-03-06T05:00:00Z")]
    candles = candles_from(rows, interval_minutes=1440, now=datetime(2026, 3, 10, tzinfo=UTC), where="bars")
    assert [candle.opened_at for candle in candles] == [
        datetime(2026, 3, 6, tzinfo=UTC),
        datetime(2026, 3, 9, tzinfo=UTC),
    ]


def test_four_hours_are_gathered_of_hours_without_the_first_and_the_forming_ones() -> None:
    start = datetime(2026, 1, 30, 10, tzinfo=UTC)
    hours = [Candle(start + timedelta(hours=n), D(n + 10), D(n + 12), D(n + 9), D(n + 11), D(n)) for n in range(12)]
    candles = gathered(hours, interval_minutes=240, now=start + timedelta(hours=12))
    assert [(each.opened_at.hour, each.open, each.high, each.low, each.close, each.volume) for each in candles] == [
        (12, D(12), D(17), D(11), D(16), D(14)),
        (16, D(16), D(21), D(15), D(20), D(30)),
    ]


def test_the_bar_that_is_forming_is_left_out() -> None:
    now = datetime(2026, 1, 30, 15, 0, 30, tzinfo=UTC)
    opened = [now.replace(second=0), now.replace(second=0) - timedelta(minutes=1)]
    rows = [{"t": f"{t:%Y-%m-%dT%H:%M:%SZ}", "o": 1, "h": 1, "l": 1, "c": 1, "v": 0} for t in opened]
    (candle,) = candles_from(rows, interval_minutes=1, now=now, where="bars")
    assert candle.opened_at == opened[1]


def test_a_stock_without_both_sides_or_with_nonsense_has_no_price_and_the_others_do() -> None:
    taken_at = datetime(2026, 1, 30, 15, 0, tzinfo=UTC)
    document = {
        "quotes": {
            "AAPL": {"bp": D("187.44"), "ap": D("187.46")},
            "TSLA": {"bp": 0, "ap": D(250)},
            "SPY": {"bp": "many", "ap": D(600)},
            "QQQ": {"bp": D(500), "ap": D(499)},
            "F": None,
        }
    }
    quotes = quotes_from(document, taken_at=taken_at)
    assert list(quotes) == ["AAPL/USD"]
    assert (quotes["AAPL/USD"].bid, quotes["AAPL/USD"].ask) == (D("187.44"), D("187.46"))
