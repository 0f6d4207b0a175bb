"""Documents of OKX and Binance as values: orders, trades, markets, candles."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.brokers.by_ccxt import binance_market, binance_orders, okx_market, okx_orders
from bot.brokers.by_ccxt.ccxt_broker import in_order
from bot.brokers.by_ccxt.markets import Markets, markets_from
from bot.brokers.by_ccxt.okx_account import OkxAccount
from bot.brokers.by_ccxt.profile import named_order
from bot.domain.errors import KeyUnfit, OutcomeUnknown, UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side, VenueOrderStatus

D = Decimal
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_MILLISECONDS = 1_772_366_400_000
ID = "a" * 32
MARKETS = Markets([Instrument("BTC/USDT", "BTCUSDT", D("0.00001"), D("0.01"), D("0.00001"), D(5))])
OKX_BTC = Instrument("BTC/USDT", "BTC-USDT", D("0.00000001"), D("0.1"), D("0.00001"), D(0))


def request(order_type: OrderType = OrderType.MARKET, quantity: str = "0.00000001") -> OrderRequest:
    return OrderRequest(
        client_order_id=ID,
        symbol="BTC/USDT",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        order_type=order_type,
        quantity=D(quantity),
        limit_price=None if order_type is OrderType.MARKET else D("50000.10"),
    )


def okx_order(**changes: object) -> dict[str, Any]:
    return {
        "ordId": "17",
        "clOrdId": ID,
        "instId": "BTC-USDT",
        "side": "buy",
        "ordType": "ioc",
        "sz": "0.5",
        "px": "50000",
        "tgtCcy": "",
        "accFillSz": "0.2",
        "avgPx": "49000.5",
        "state": "canceled",
        "fee": "-0.0002",
        "feeCcy": "BTC",
        "cTime": str(NOON_MILLISECONDS),
        "cancelSourceReason": "",
    } | changes


def okx_fill(**changes: object) -> dict[str, Any]:
    return {
        "tradeId": "5",
        "ordId": "17",
        "clOrdId": ID,
        "instId": "BTC-USDT",
        "side": "buy",
        "fillSz": "0.2",
        "fillPx": "49000.5",
        "fee": "-0.0002",
        "feeCcy": "BTC",
        "execType": "T",
        "ts": str(NOON_MILLISECONDS + 250),
        "billId": "99",
    } | changes


def binance_order(**changes: object) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "orderId": 17,
        "clientOrderId": ID,
        "price": "0.00",
        "origQty": "0.50000000",
        "executedQty": "0.20000000",
        "cummulativeQuoteQty": "9800.10000000",
        "status": "EXPIRED",
        "timeInForce": "IOC",
        "type": "LIMIT",
        "side": "BUY",
        "time": NOON_MILLISECONDS,
    } | changes


def binance_trade(**changes: object) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "id": 5,
        "orderId": 17,
        "price": "49000.5",
        "qty": "0.2",
        "quoteQty": "9800.1",
        "commission": "0.0002",
        "commissionAsset": "BTC",
        "time": NOON_MILLISECONDS,
        "isBuyer": True,
        "isMaker": False,
    } | changes


# -- what is sent ---------------------------------------------------------------------------------------------------
def test_a_market_buy_at_okx_says_that_its_size_is_base_and_must_not_shrink() -> None:
    assert okx_orders.order_body(request(), OKX_BTC) == {
        "instId": "BTC-USDT",
        "tdMode": "cash",
        "clOrdId": ID,
        "side": "buy",
        "ordType": "market",
        "sz": "0.00000001",
        "tgtCcy": "base_ccy",
        "banAmend": True,
    }


def test_a_limit_at_okx_has_its_price_as_plain_text() -> None:
    body = okx_orders.order_body(request(OrderType.LIMIT_IOC), OKX_BTC)
    assert (body["ordType"], body["px"], body["sz"]) == ("ioc", "50000.1", "0.00000001")
    assert okx_orders.order_body(request(OrderType.LIMIT_GTC), OKX_BTC)["ordType"] == "limit"


def test_orders_at_binance_are_by_quantity_and_their_numbers_plain_text() -> None:
    market = MARKETS["BTC/USDT"]
    sent = binance_orders.order_params(request(), market)
    assert (sent["type"], sent["quantity"]) == ("MARKET", "0.00000001")
    assert "quoteOrderQty" not in sent and "timeInForce" not in sent
    limit = binance_orders.order_params(request(OrderType.LIMIT_IOC), market)
    assert (limit["type"], limit["timeInForce"], limit["price"]) == ("LIMIT", "IOC", "50000.1")
    assert binance_orders.order_params(request(OrderType.LIMIT_GTC), market)["timeInForce"] == "GTC"


# -- answers to an order --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "document",
    [
        {"code": "0", "data": []},
        {"code": "0", "data": [{"sCode": "51008", "ordId": ""}]},
        {"code": "1", "data": [{"sCode": "0", "ordId": "1"}]},
        {"code": "1", "data": [{"sCode": "51008", "ordId": "1"}]},
        {"code": "0", "data": [{"sCode": "0", "ordId": "1", "clOrdId": "b" * 32}]},
        {"code": "0", "data": [{"sCode": "0", "ordId": "1"}, {"sCode": "0", "ordId": "2"}]},
    ],
)
def test_an_answer_of_okx_that_contradicts_itself_is_neither_yes_nor_no(document: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        okx_orders.accepted_number(document, request(), where="here")


def test_an_accepted_order_has_its_number() -> None:
    yes = {"code": "0", "data": [{"sCode": "0", "ordId": "17", "clOrdId": ID, "tag": None}]}
    assert okx_orders.accepted_number(yes, request(), where="here") == "17"
    ack = {"symbol": "BTCUSDT", "orderId": 17, "clientOrderId": ID, "transactTime": 1}
    assert binance_orders.accepted_number(ack, request(), MARKETS["BTC/USDT"], where="here") == "17"


@pytest.mark.parametrize("change", [{"symbol": "ETHUSDT"}, {"clientOrderId": "other"}, {"side": "SELL"}])
def test_an_answer_of_binance_about_another_order_is_no_acceptance(change: dict[str, str]) -> None:
    with pytest.raises(OutcomeUnknown):
        binance_orders.accepted_number({"orderId": 17, **change}, request(), MARKETS["BTC/USDT"], where="here")


# -- orders ---------------------------------------------------------------------------------------------------------
def test_an_order_of_okx_that_was_cancelled_keeps_what_it_filled() -> None:
    order = okx_orders.order_from(okx_order())
    assert order.venue_order_id == "BTC-USDT-17"
    assert (order.symbol, order.status, order.client_order_id) == ("BTC/USDT", VenueOrderStatus.CANCELLED, ID)
    assert (order.quantity, order.filled_quantity, order.average_price) == (D("0.5"), D("0.2"), D("49000.5"))
    assert order.fee_quote == D("0.0002") * D("49000.5"), "the fee was taken in base"
    assert order.opened_at == NOON


def test_an_order_of_okx_made_in_money_has_no_quantity_but_what_it_filled() -> None:
    order = okx_orders.order_from(okx_order(ordType="market", tgtCcy="quote_ccy", sz="100", state="filled"))
    assert order.quantity == order.filled_quantity == D("0.2")


def test_a_fresh_order_of_okx_with_empty_fields_is_open() -> None:
    order = okx_orders.order_from(okx_order(accFillSz="0", avgPx="", fee="", feeCcy="", state="live", clOrdId=""))
    assert (order.status, order.average_price, order.client_order_id) == (VenueOrderStatus.OPEN, None, None)


@pytest.mark.parametrize(
    "change",
    [{"state": "new_state"}, {"sz": "NaN"}, {"ordId": ""}, {"side": ""}, {"clOrdId": None}, {"accFillSz": None}],
)
def test_an_order_of_okx_that_cannot_be_read_is_no_order(change: dict[str, object]) -> None:
    with pytest.raises(UnreadableReply):
        okx_orders.order_from(okx_order(**change))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"timeInForce": "IOC"}, VenueOrderStatus.CANCELLED),
        ({"timeInForce": "GTC"}, VenueOrderStatus.EXPIRED),
        ({"timeInForce": "GTC", "type": "MARKET"}, VenueOrderStatus.CANCELLED),
        ({"status": "EXPIRED_IN_MATCH"}, VenueOrderStatus.CANCELLED),
        ({"status": "NEW"}, VenueOrderStatus.OPEN),
        ({"status": "PARTIALLY_FILLED"}, VenueOrderStatus.OPEN),
        ({"status": "PENDING_NEW"}, VenueOrderStatus.PENDING),
        ({"status": "FILLED"}, VenueOrderStatus.FILLED),
        ({"status": "REJECTED"}, VenueOrderStatus.REJECTED),
    ],
)
def test_the_end_of_an_immediate_order_at_binance_is_a_cancellation(
    change: dict[str, str], status: VenueOrderStatus
) -> None:
    order = binance_orders.order_from(binance_order(**change), MARKETS)
    assert (order.status, order.venue_order_id) == (status, "BTCUSDT-17")
    assert order.average_price == D("49000.5")


def test_a_sum_that_binance_does_not_know_is_no_price() -> None:
    assert binance_orders.order_from(binance_order(cummulativeQuoteQty="-1"), MARKETS).average_price is None


@pytest.mark.parametrize(
    "change", [{"orderId": "17"}, {"orderId": 0}, {"orderId": True}, {"status": "X"}, {"side": "?"}]
)
def test_an_order_of_binance_that_cannot_be_read_is_no_order(change: dict[str, object]) -> None:
    with pytest.raises(UnreadableReply):
        binance_orders.order_from(binance_order(**change), MARKETS)


def test_a_market_that_binance_no_longer_lists_keeps_its_name() -> None:
    assert binance_orders.order_from(binance_order(symbol="OLDUSDT"), MARKETS).symbol == "OLDUSDT"


# -- trades ---------------------------------------------------------------------------------------------------------
def test_what_okx_charges_is_a_fee_and_what_it_pays_is_a_negative_one() -> None:
    charged, paid = okx_orders.fill_from(okx_fill()), okx_orders.fill_from(okx_fill(fee="0.1", feeCcy="USDT"))
    assert (charged.fee, charged.fee_currency, charged.maker) == (D("0.0002"), "BTC", False)
    assert (paid.fee, paid.fee_currency) == (D("-0.1"), "USDT")
    assert charged.executed_at == NOON + timedelta(milliseconds=250)
    assert okx_orders.fill_from(okx_fill(fillTime=str(NOON_MILLISECONDS))).executed_at == NOON


def test_a_trade_at_binance_has_the_currency_of_its_fee() -> None:
    bought = binance_orders.fill_from(binance_trade(), MARKETS)
    sold = binance_orders.fill_from(binance_trade(isBuyer=False, commissionAsset="BNB"), MARKETS)
    assert (bought.side, bought.fee, bought.fee_currency, bought.maker) == (Side.BUY, D("0.0002"), "BTC", False)
    assert (sold.side, sold.fee_currency, sold.trade_id) == (Side.SELL, "BNB", "5")
    with pytest.raises(UnreadableReply):
        binance_orders.fill_from(binance_trade(isBuyer=None), MARKETS)


def test_trades_are_listed_once_and_in_the_order_of_their_numbers() -> None:
    trades = [binance_orders.fill_from(binance_trade(id=number), MARKETS) for number in (10, 9, 10)]
    assert [fill.trade_id for fill in in_order(trades)] == ["9", "10"]


def test_an_order_is_named_by_its_market_and_its_number() -> None:
    assert named_order("BTC-USDT-17") == ("BTC-USDT", "17")
    assert named_order("BTCUSDT-17") == ("BTCUSDT", "17")
    for name in ("17", "", "BTC-USDT", "-17", "BTC-USDT-17x", "BTC-USDT-٣"):
        with pytest.raises(UnreadableReply):
            named_order(name)


# -- markets --------------------------------------------------------------------------------------------------------
def binance_market_row(**changes: object) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "baseAssetPrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "100", "stepSize": "0"},
            {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True},
        ],
    } | changes


def test_filters_of_binance_are_the_rules_and_a_zero_is_no_rule() -> None:
    market = binance_market.instrument_from(binance_market_row())
    assert (market.symbol, market.venue_symbol, market.tradable) == ("BTC/USDT", "BTCUSDT", True)
    assert (market.lot_step, market.tick_size) == (D("0.00001"), D("0.01"))
    assert (market.minimum_quantity, market.minimum_notional) == (D("0.00001"), D(5))
    free = binance_market.instrument_from(
        binance_market_row(
            filters=[
                {"filterType": "PRICE_FILTER", "tickSize": "0.00"},
                {"filterType": "LOT_SIZE", "minQty": "0", "stepSize": "0"},
                {"filterType": "MIN_NOTIONAL", "minNotional": "10"},
            ]
        )
    )
    assert (free.tick_size, free.lot_step, free.minimum_notional) == (D("1E-8"), D("1E-8"), D(10))


@pytest.mark.parametrize(
    "change",
    [{"status": "BREAK"}, {"status": "HALT"}, {"isSpotTradingAllowed": False}, {"orderTypes": ["LIMIT_MAKER"]}],
)
def test_a_market_of_binance_that_takes_no_orders_is_not_entered(change: dict[str, object]) -> None:
    assert not binance_market.instrument_from(binance_market_row(**change)).tradable


@pytest.mark.parametrize("state", ["suspend", "preopen", "test", "rebase"])
def test_a_market_of_okx_that_is_not_live_is_not_entered(state: str) -> None:
    row = {
        "instId": "BTC-USDT",
        "baseCcy": "BTC",
        "quoteCcy": "USDT",
        "lotSz": "0.00000001",
        "tickSz": "0.1",
        "minSz": "0.00001",
    }
    assert okx_market.instrument_from(row | {"state": "live"}) == OKX_BTC
    market = okx_market.instrument_from(row | {"state": state})
    assert (market.tradable, market.status) == (False, state)


def test_a_market_that_cannot_be_read_is_left_out_and_none_at_all_is_an_error() -> None:
    rows: list[object] = [
        binance_market_row(),
        binance_market_row(symbol="币USDT", baseAsset="币"),
        None,
        {"symbol": 1},
    ]
    assert list(markets_from(rows, binance_market.instrument_from, venue="Binance")) == ["BTC/USDT"]
    with pytest.raises(UnreadableReply):
        markets_from(rows[1:], binance_market.instrument_from, venue="Binance")


def test_only_closed_candles_count() -> None:
    old, forming = (str(NOON_MILLISECONDS + minutes * 60_000) for minutes in (0, 1))
    okx = [[forming, "1", "1", "1", "1", "0", "0", "0", "0"], [old, "1", "3", "0.5", "2", "7", "0", "0", "1"]]
    (candle,) = okx_market.candles_from(okx, where="here")
    assert (candle.opened_at, candle.high, candle.low, candle.close, candle.volume) == (NOON, 3, D("0.5"), 2, 7)
    binance = [
        [NOON_MILLISECONDS, "1", "3", "0.5", "2", "7", NOON_MILLISECONDS + 59_999],
        [NOON_MILLISECONDS + 60_000, "1", "1", "1", "1", "0", NOON_MILLISECONDS + 119_999],
    ]
    now = NOON + timedelta(seconds=90)
    assert binance_market.candles_from(binance, now=now, where="here") == [candle]
    with pytest.raises(UnreadableReply):
        okx_market.candles_from([[old, "5", "3", "0.5", "2", "7", "0", "0", "1"]], where="here")


# -- the account at OKX ---------------------------------------------------------------------------------------------
def okx_config(**changes: object) -> dict[str, object]:
    return {"acctLv": "1", "perm": "read_only,trade", "uid": "44", "mainUid": "44"} | changes


def test_an_okx_key_is_reported_with_its_rights_and_its_account() -> None:
    account = OkxAccount(label="okx", quote_currency="USDT")
    report = account.report(okx_config(), where="here")
    assert (report.identity, report.withdraw_rights) == ("account 44", ())
    assert account.report(okx_config(perm="read_only,trade,withdraw"), where="here").withdraw_rights == ("withdraw",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"perm": "read_only"}, "right to trade"),
        ({"acctLv": "3"}, "mode 3"),
        ({"acctLv": "4"}, "mode 4"),
        ({"enableSpotBorrow": True}, "borrowed money"),
    ],
)
def test_an_okx_account_that_cannot_be_traded_for_cash_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(KeyUnfit, match=words):
        OkxAccount(label="okx", quote_currency="USDT").report(okx_config(**change), where="here")


def test_what_is_free_and_what_is_held_are_told_apart_and_a_debt_is_nothing_to_spend() -> None:
    details = [
        {"ccy": "USDT", "cashBal": "100", "availBal": "60", "frozenBal": "40"},
        {"ccy": "BTC", "cashBal": "-1", "availBal": "", "frozenBal": "0"},
    ]
    found = OkxAccount(label="okx", quote_currency="USDT").balances({"details": details}, where="here")
    assert (found["USDT"].available, found["USDT"].held, found["BTC"].total) == (60, 40, 0)
    with pytest.raises(UnreadableReply):
        OkxAccount(label="okx", quote_currency="USDT").balances({"details": None}, where="here")
