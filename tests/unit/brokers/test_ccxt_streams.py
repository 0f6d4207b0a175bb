"""How the private streams of OKX and Binance are spoken."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.brokers.account_view import OrderEvent
from bot.brokers.by_ccxt.binance_stream import BinanceSpeech
from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.by_ccxt.okx_stream import OkxSpeech
from bot.brokers.by_ccxt.signer import CcxtSigner
from bot.brokers.stream_speech import LetDown, Live, Say
from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.order import Side, VenueOrderStatus

D = Decimal
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_MILLISECONDS = 1_772_366_400_000
MARKETS = Markets([Instrument("BTC/USDT", "BTCUSDT", D("0.00001"), D("0.01"), D("0.00001"), D(5))])


def signer(exchange_id: str) -> CcxtSigner:
    return CcxtSigner(
        exchange_id, urls={"rest": "http://127.0.0.1:1"}, api_key="k", api_secret="secret", milliseconds=lambda: 1
    )


def okx() -> OkxSpeech:
    return OkxSpeech(api_key="k", passphrase="phrase", signer=lambda: signer("okx"), now=lambda: NOON)


def binance(markets: Markets | None = MARKETS) -> BinanceSpeech:
    return BinanceSpeech(api_key="k", signer=lambda: signer("binance"), now=lambda: NOON, markets=lambda: markets)


def said(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def okx_push(**changes: object) -> bytes:
    row = {
        "instId": "BTC-USDT",
        "ordId": "17",
        "clOrdId": "a" * 32,
        "side": "buy",
        "ordType": "limit",
        "sz": "0.5",
        "accFillSz": "0.2",
        "avgPx": "49000",
        "state": "partially_filled",
        "fee": "-0.0002",
        "feeCcy": "BTC",
        "tradeId": "5",
        "fillPx": "49000",
        "fillSz": "0.2",
        "fillFee": "-0.0002",
        "fillFeeCcy": "BTC",
        "fillTime": str(NOON_MILLISECONDS),
        "execType": "M",
        "cTime": str(NOON_MILLISECONDS),
        "uTime": str(NOON_MILLISECONDS),
    }
    return said({"arg": {"channel": "orders", "instType": "SPOT", "uid": "1"}, "data": [row | changes]})


def binance_report(**changes: object) -> bytes:
    event = {
        "e": "executionReport",
        "E": NOON_MILLISECONDS,
        "s": "BTCUSDT",
        "c": "a" * 32,
        "C": "",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.50000000",
        "x": "TRADE",
        "X": "PARTIALLY_FILLED",
        "i": 17,
        "l": "0.20000000",
        "z": "0.20000000",
        "L": "49000.00000000",
        "n": "0.00020000",
        "N": "BTC",
        "T": NOON_MILLISECONDS + 250,
        "t": 5,
        "m": True,
        "Z": "9800.00000000",
    }
    return said({"subscriptionId": 0, "event": event | changes})


def test_the_login_at_okx_is_signed_over_the_venues_time_in_seconds() -> None:
    (login,) = json.loads(okx().hello())["args"]
    seconds = str(NOON_MILLISECONDS // 1000)
    expected = hmac.new(b"secret", f"{seconds}GET/users/self/verify".encode(), hashlib.sha256).digest()
    assert login == {
        "apiKey": "k",
        "passphrase": "phrase",
        "timestamp": seconds,
        "sign": base64.b64encode(expected).decode(),
    }


def test_the_subscription_at_binance_is_signed_over_its_parameters_in_order_of_name() -> None:
    request = json.loads(binance().hello())
    assert request["method"] == "userDataStream.subscribe.signature"
    text = f"apiKey=k&timestamp={NOON_MILLISECONDS}"
    assert request["params"]["signature"] == hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()


def test_okx_is_live_once_the_subscription_after_the_login_is_confirmed() -> None:
    (subscribe,) = okx().understand(said({"event": "login", "code": "0", "msg": ""}))
    assert isinstance(subscribe, Say)
    assert json.loads(subscribe.message) == {"op": "subscribe", "args": [{"channel": "orders", "instType": "SPOT"}]}
    assert okx().understand(said({"event": "subscribe", "arg": {"channel": "orders"}})) == [Live()]
    assert okx().understand(b"pong") == ()
    assert okx().understand(said({"event": "channel-conn-count", "channel": "orders"})) == ()


def test_binance_is_live_once_it_has_answered_the_subscription() -> None:
    assert binance().understand(said({"id": "hello", "status": 200, "result": {"subscriptionId": 0}})) == [Live()]
    assert binance().understand(said({"id": "ping1", "status": 200, "result": {}})) == ()


@pytest.mark.parametrize(("code", "by_key"), [("60009", True), ("60005", True), ("50111", True), ("60006", False)])
def test_a_login_that_okx_refuses_is_tried_again_soon_unless_it_is_for_the_key(code: str, by_key: bool) -> None:
    (told,) = okx().understand(said({"event": "error", "code": code, "msg": "no"}))
    assert isinstance(told, LetDown) and told.by_key is by_key and code in told.why


@pytest.mark.parametrize(("code", "by_key"), [(-2015, True), (-1022, True), (-1021, False), (-1003, False)])
def test_a_subscription_that_binance_refuses_is_tried_again_soon_unless_it_is_for_the_key(
    code: int, by_key: bool
) -> None:
    (told,) = binance().understand(said({"id": "hello", "status": 400, "error": {"code": code, "msg": "no"}}))
    assert isinstance(told, LetDown) and told.by_key is by_key and str(code) in told.why


def test_a_stream_that_binance_ends_is_begun_anew() -> None:
    (told,) = binance().understand(said({"event": {"e": "eventStreamTerminated", "E": 1}}))
    assert isinstance(told, LetDown) and not told.by_key


@pytest.mark.parametrize("venue", ["okx", "binance"])
def test_a_trade_is_told_with_its_order_as_the_lists_would_tell_it(venue: str) -> None:
    (event,) = okx().understand(okx_push()) if venue == "okx" else binance().understand(binance_report())
    assert isinstance(event, OrderEvent) and event.fill is not None
    name = "BTC-USDT-17" if venue == "okx" else "BTCUSDT-17"
    assert (event.venue_order_id, event.status, event.client_order_id) == (name, VenueOrderStatus.OPEN, "a" * 32)
    assert (event.quantity, event.filled_quantity) == (D("0.5"), D("0.2"))
    fill = event.fill
    assert (fill.trade_id, fill.venue_order_id, fill.symbol, fill.side) == ("5", name, "BTC/USDT", Side.BUY)
    assert (fill.quantity, fill.price, fill.fee, fill.fee_currency) == (D("0.2"), D(49000), D("0.0002"), "BTC")
    assert fill.maker is True
    late = timedelta(0) if venue == "okx" else timedelta(milliseconds=250)
    assert fill.executed_at == NOON + late


def test_what_is_no_trade_has_none() -> None:
    for event in (
        *okx().understand(okx_push(state="live", tradeId="", fillSz="0", fillFee="", accFillSz="0")),
        *okx().understand(okx_push(state="canceled", tradeId="", fillSz="0", fillFee="")),
        *binance().understand(binance_report(x="NEW", X="NEW", t=-1, z="0", Z="0", l="0", N=None)),
    ):
        assert isinstance(event, OrderEvent) and event.fill is None


def test_a_cancel_at_binance_is_of_the_order_with_the_original_id() -> None:
    (event,) = binance().understand(binance_report(x="CANCELED", X="CANCELED", c="by hand", C="a" * 32, t=-1))
    assert isinstance(event, OrderEvent)
    assert (event.client_order_id, event.status) == ("a" * 32, VenueOrderStatus.CANCELLED)


def test_a_trade_without_a_fee_at_binance_is_no_riddle() -> None:
    (event,) = binance().understand(binance_report(n="0", N=None))
    assert isinstance(event, OrderEvent) and event.fill is not None
    assert (event.fill.fee, event.fill.fee_currency) == (0, "USDT")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"<html>",
        said({"arg": None}),
        okx_push(fillFee=""),
        okx_push(fillPx="NaN"),
        okx_push(state="?"),
        said({"arg": {"channel": "orders"}, "data": None}),
    ],
)
def test_what_cannot_be_read_of_okx_is_an_error(text: bytes) -> None:
    with pytest.raises(UnreadableReply):
        okx().understand(text)


@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", binance_report(L="NaN"), binance_report(X="?"), binance_report(s="ETHUSDT")]
)
def test_what_cannot_be_read_of_binance_is_an_error(text: bytes) -> None:
    with pytest.raises(UnreadableReply):
        binance().understand(text)


def test_messages_of_a_new_kind_are_nobodys_trouble() -> None:
    assert okx().understand(b"{}") == ()
    assert okx().understand(said({"event": "notice", "code": "64008", "msg": "an upgrade"})) == ()
    assert okx().understand(said({"arg": {"channel": "account"}, "data": [{"any": "thing"}]})) == ()
    assert binance().understand(b"{}") == ()
    assert binance().understand(said({"event": {"e": "serverShutdown"}})) == ()


def test_an_order_in_a_market_that_was_never_read_is_an_error_and_not_another_market() -> None:
    with pytest.raises(UnreadableReply):
        binance(markets=None).understand(binance_report())


def test_an_ed25519_key_signs_the_subscription() -> None:
    pem = (
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
        "-----END PRIVATE KEY-----\n"
    )
    made = CcxtSigner("binance", urls={}, api_key="k", api_secret=pem.strip(), milliseconds=lambda: 1)
    assert len(base64.b64decode(made.signature("apiKey=k&timestamp=1"))) == 64
