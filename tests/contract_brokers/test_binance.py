"""What is Binance's own: ids that are free again, windows of time, weights, trades listed market by market."""

import dataclasses
import zlib
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from bot.brokers.base import Urgency
from bot.brokers.by_ccxt import binance as binance_profile
from bot.brokers.by_ccxt.broker import BinanceBroker
from bot.brokers.http_session import HttpReply
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import (
    ConfigurationError,
    CredentialsRejected,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
    VenueStopped,
)
from bot.domain.order import OrderType, Side
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order, now, resting_price
from tests.exchange_process import ExchangeProcess, wait_until

D = Decimal
BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"
PLACE = "order"


@pytest.fixture
def user(request: pytest.FixtureRequest) -> AccountRef:
    return AccountRef.user(BrokerType.BINANCE, f"b{zlib.crc32(request.node.name.encode())}")


@pytest.fixture
def binance(wiring: Wiring, user: AccountRef) -> BinanceBroker:
    broker = wiring.broker(user)
    assert isinstance(broker, BinanceBroker)
    broker.connect()
    broker.get_trading_pairs()
    return broker


@pytest.fixture
def by_hand(wiring: Wiring, binance: BinanceBroker, user: AccountRef) -> BinanceBroker:
    """Somebody else with a key of the same account."""
    broker = wiring.broker(user, access=binance._context.access)
    assert isinstance(broker, BinanceBroker)
    return broker


def accepted(exchange: ExchangeProcess, seen: int, client_order_id: str) -> int:
    return len(exchange.journal(seen, type="accept", client_order_id=client_order_id))


# -- once, and never twice ------------------------------------------------------------------------------------------
def test_an_order_that_reaches_the_engine_after_its_window_is_not_taken(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    exchange.fault("delay 2", account=user.user_id, endpoint=PLACE)
    seen, sent_at, request = exchange.last_seq(), now(), an_order(symbol=BTC)
    hasty = dataclasses.replace(binance._context, order_deadline_seconds=1.0)
    broker = BinanceBroker(binance.account_type, binance.user_id, context=hasty)
    with pytest.raises(OutcomeUnknown):
        broker.place_order(request)
    wait_until(
        lambda: [line for line in exchange.journal(seen) if "-1021" in str(line)], what="the refusal of the late order"
    )
    assert accepted(exchange, seen, request.client_order_id) == 0
    assert binance.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at) is None
    broker.close()


def test_the_id_of_an_open_order_again_means_that_it_exists(binance: BinanceBroker, exchange: ExchangeProcess) -> None:
    seen, sent_at = exchange.last_seq(), now()
    request = an_order(price=resting_price(binance, BTC), order_type=OrderType.LIMIT_GTC, symbol=BTC)
    ack = binance.place_order(request)
    with pytest.raises(OutcomeUnknown, match="Duplicate order sent"):
        binance.place_order(request)
    found = binance.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    assert accepted(exchange, seen, request.client_order_id) == 1


def test_no_id_is_good_for_ever_and_so_nothing_is_sent_again_before_it_is_proven_absent(
    binance: BinanceBroker,
) -> None:
    assert not binance.client_ids_are_forever and not binance.capabilities.client_ids_are_forever
    assert binance.order_expiry_seconds is not None
    assert binance.settle_seconds >= binance.order_expiry_seconds + 12


@pytest.mark.parametrize("code", ["-1006", "-1007"])
def test_an_unknown_execution_status_says_nothing_and_the_order_is_found(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef, code: str
) -> None:
    fault = {"kind": "accept_then_5xx", "status": 504, "text": code}
    exchange.fault(fault, account=user.user_id, endpoint=PLACE)
    sent_at, request = now(), an_order(symbol=BTC)
    with pytest.raises(OutcomeUnknown, match=code):
        binance.place_order(request)
    found = binance.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.filled_quantity == request.quantity


def test_an_order_that_the_look_up_does_not_know_is_found_in_the_list_of_all(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    sent_at, request = now(), an_order(symbol=BTC)
    ack = binance.place_order(request)
    exchange.fault("api_error -2013", account=user.user_id, endpoint="queryOrder")
    found = binance.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id


def test_an_order_that_ended_without_a_trade_and_was_archived_is_an_order_that_nobody_knows(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    """Binance archives cancelled orders without a trade after 90 days, and says so to who asks for one."""
    sent_at, request = now(), an_order(price=resting_price(binance, BTC), order_type=OrderType.LIMIT_GTC, symbol=BTC)
    ack = binance.place_order(request)
    binance.cancel_order(ack.venue_order_id)
    exchange.fault("api_error -2026", account=user.user_id, endpoint="queryOrder", times=2)
    exchange.fault({"kind": "body", "text": "[]"}, account=user.user_id, endpoint="allOrders")
    assert binance.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at) is None
    assert binance.get_order(ack.venue_order_id) is None
    assert binance.get_order_fills(ack.venue_order_id, since=sent_at) == []
    assert binance.fetch_holdings().of("USDT").total == D(10000)


def test_an_order_whose_time_is_over_does_not_leave(binance: BinanceBroker, exchange: ExchangeProcess) -> None:
    seen, request = exchange.last_seq(), an_order(symbol=BTC)
    with pytest.raises(RetryLater, match="not sent"):
        binance.place_order(dataclasses.replace(request, leave_before=SystemClock().monotonic() + 0.1))
    assert exchange.journal(seen, type="request", client_order_id=request.client_order_id) == []


def test_a_reading_signed_by_a_wrong_time_is_made_again_by_a_new_one_and_an_order_is_not(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    seen = exchange.last_seq()
    exchange.fault("api_error -1021", account=user.user_id, endpoint="account")
    assert binance.fetch_holdings().of("USDT").total == D(10000)
    assert len(exchange.journal(seen, type="request", account=user.user_id, endpoint="account")) == 2
    exchange.fault("api_error -1021", account=user.user_id, endpoint=PLACE)
    request = an_order(symbol=BTC)
    with pytest.raises(RetryLater):
        binance.place_order(request)
    assert accepted(exchange, seen, request.client_order_id) == 0


def test_a_cancel_that_is_refused_says_nothing_of_the_order(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    price = resting_price(binance, BTC)
    ack = binance.place_order(an_order(price=price, order_type=OrderType.LIMIT_GTC, symbol=BTC))
    for words in ("-1102", "-2011: Order was not canceled due to cancel restrictions."):
        exchange.fault(f"api_error {words}", account=user.user_id, endpoint="cancelOrder")
        with pytest.raises(OutcomeUnknown):
            binance.cancel_order(ack.venue_order_id)
    assert binance.cancel_order(ack.venue_order_id) is True
    assert binance.cancel_order(ack.venue_order_id) is False


# -- trades, market by market ---------------------------------------------------------------------------------------
def test_what_somebody_else_trades_is_found_by_the_balances_that_it_moves(
    binance: BinanceBroker, by_hand: BinanceBroker, wiring: Wiring
) -> None:
    since = now()
    assert binance.get_fills_since(since) == []
    bought = by_hand.place_order(an_order(quantity="1", symbol=SOL))
    sold = by_hand.place_order(an_order(Side.SELL, quantity="0.01", symbol=BTC))
    wiring.calls.clear()
    fills = binance.get_fills_since(since)
    assert {fill.venue_order_id for fill in fills} == {bought.venue_order_id, sold.venue_order_id}
    assert {fill.symbol for fill in fills} >= {SOL, BTC}
    assert [endpoint for _, endpoint, _, _ in wiring.calls].count("GET myTrades") <= 3


def _begun_millisecond() -> datetime:
    """Binance tells times in whole milliseconds, and an order may be there within the one that has begun."""
    moment = now()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_trades_are_looked_for_where_an_order_of_ours_is_though_no_balance_tells(binance: BinanceBroker) -> None:
    since = _begun_millisecond()
    ack = binance.place_order(an_order(quantity="50", symbol="XLM/USDT"))
    fills = binance.get_fills_since(since)
    assert {fill.venue_order_id for fill in fills} == {ack.venue_order_id}
    assert sum(fill.quantity for fill in fills) == D("50")


def test_a_list_of_trades_that_fails_fails_the_reading_and_the_trade_is_found_later(
    binance: BinanceBroker, by_hand: BinanceBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    since = now()
    binance.get_fills_since(since)
    ack = by_hand.place_order(an_order(quantity="1", symbol=SOL))
    exchange.fault("5xx", account=user.user_id, endpoint="myTrades")
    with pytest.raises(UnreadableReply):
        binance.get_fills_since(since)
    assert {fill.venue_order_id for fill in binance.get_fills_since(since)} == {ack.venue_order_id}


def test_a_reading_of_many_markets_that_breaks_off_goes_on_where_it_was(
    binance: BinanceBroker, by_hand: BinanceBroker, wiring: Wiring, exchange: ExchangeProcess, user: AccountRef
) -> None:
    since = now()
    binance.get_fills_since(since)
    acks = [by_hand.place_order(an_order(quantity=much, symbol=one)) for much, one in (("1", SOL), ("0.1", ETH))]
    exchange.fault("5xx", account=user.user_id, endpoint="myTrades", nth=3)
    with pytest.raises(UnreadableReply):
        binance.get_fills_since(since)
    wiring.calls.clear()
    fills = binance.get_fills_since(since)
    assert {fill.venue_order_id for fill in fills} == {ack.venue_order_id for ack in acks}
    asked = [endpoint for _, endpoint, _, _ in wiring.calls].count("GET myTrades")
    wiring.calls.clear()
    binance.get_fills_since(since)
    whole = [endpoint for _, endpoint, _, _ in wiring.calls].count("GET myTrades")
    assert asked == whole - 2, "two were read before it broke off"


def test_what_was_sold_in_whole_while_nobody_looked_is_found_by_the_books(
    by_hand: BinanceBroker, wiring: Wiring, user: AccountRef
) -> None:
    since = now()
    by_hand.place_order(an_order(quantity="1", symbol=ETH))
    sold = by_hand.place_order(an_order(Side.SELL, quantity=str(by_hand.fetch_holdings().of("ETH").total), symbol=ETH))
    after = wiring.broker(user, access=by_hand._context.access)
    assert after.get_fills_since(since) == []
    informed = wiring.broker(user, access=by_hand._context.access)
    informed.expect_trades([ETH])
    assert sold.venue_order_id in {fill.venue_order_id for fill in informed.get_fills_since(since)}


@pytest.mark.parametrize("days", [0, 3])
def test_trades_of_more_than_a_page_are_read_from_the_first_to_the_last(
    binance: BinanceBroker, exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setattr(binance_profile, "PAGE", 5)
    since = _begun_millisecond()
    sent = [an_order(quantity="0.001", symbol=BTC) for _ in range(12)]
    acks = [binance.place_order(request) for request in sent]
    fills = binance.get_fills_since(since - timedelta(days=days))
    assert [fill.venue_order_id for fill in fills] == [ack.venue_order_id for ack in acks]
    exchange.fault("api_error -2013", endpoint="queryOrder")
    found = binance.find_order(sent[0].client_order_id, symbol=BTC, sent_at=since)
    assert found is not None and found.venue_order_id == acks[0].venue_order_id


def test_orders_with_one_number_in_two_markets_are_two_orders(binance: BinanceBroker) -> None:
    since = now()
    ack = binance.place_order(an_order(symbol=BTC))
    number = ack.venue_order_id.rpartition("-")[2]
    assert binance.get_order(f"ETHUSDT-{number}") is None
    order = binance.get_order(ack.venue_order_id)
    assert order is not None and order.symbol == BTC
    assert binance.get_order_fills(ack.venue_order_id, since=since)
    assert binance.get_order_fills(f"ETHUSDT-{number}", since=since) == []


def test_a_fee_is_taken_of_what_was_received(binance: BinanceBroker) -> None:
    since = now()
    bought = binance.get_order_fills(
        binance.place_order(an_order(quantity="0.01", symbol=BTC)).venue_order_id, since=since
    )
    sold = binance.get_order_fills(
        binance.place_order(an_order(Side.SELL, quantity="0.005", symbol=BTC)).venue_order_id, since=since
    )
    assert {fill.fee_currency for fill in bought} == {"BTC"}
    assert {fill.fee_currency for fill in sold} == {"USDT"}
    assert binance.fetch_holdings().of("BTC").total == D("0.505") - sum(fill.fee for fill in bought)


# -- keys -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("action", ["5xx 404", "api_error -5000: Path /sapi/v1/account/apiRestrictions is invalid"])
def test_a_venue_without_the_page_of_rights_is_asked_for_the_account_only(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef, action: str
) -> None:
    told = binance.key_report
    exchange.fault(action, account=user.user_id, endpoint="account/apiRestrictions")
    assert binance.connect()
    report = binance.key_report
    assert told is not None and report is not None
    assert report.identity == told.identity and report.names_account
    assert "apiRestrictions" in told.said_by and "canTrade" in report.said_by


def test_an_unknown_key_comes_with_what_to_do(
    binance: BinanceBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    exchange.fault("api_error -2015", account=user.user_id, endpoint="account")
    with pytest.raises(CredentialsRejected, match="test net"):
        binance.connect()


# -- pace -----------------------------------------------------------------------------------------------------------
def test_the_weight_of_every_call_is_counted_for_the_address_and_orders_for_the_key(
    wiring: Wiring, user: AccountRef
) -> None:
    wiring.key_budgets = RateBudgets(lambda label: RateBudget(wiring.clock, name=label, limit=9, decay_per_second=1e-4))
    wiring.public_budget = RateBudget(wiring.clock, name="address", limit=300, decay_per_second=1e-4)
    broker = wiring.broker(user)
    assert isinstance(broker, BinanceBroker)
    broker.connect()
    broker.get_trading_pairs()
    key = wiring.key_budgets.for_key(broker._context.access.credentials.api_key, label="")
    before = wiring.public_budget.used
    broker.fetch_holdings()
    assert wiring.public_budget.used - before == pytest.approx(1, abs=0.01), "a weight of 20"
    assert key.used == 0
    broker.place_order(an_order(symbol=BTC))
    assert key.used == pytest.approx(0.5, abs=0.01)


def test_a_ban_of_the_address_stops_every_account_at_binance(
    wiring: Wiring, user: AccountRef, exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiring.gate = VenueGate(wiring.clock, "binance")
    banned, other = (wiring.broker(one) for one in (user, AccountRef.user(BrokerType.BINANCE, f"{user.user_id}x")))
    assert isinstance(banned, BinanceBroker)
    banned.connect()
    other.connect()
    other.get_trading_pairs()
    body = b'{"code":-1003,"msg":"Way too much request weight used; IP banned until 1772366400000."}'
    monkeypatch.setattr(banned._session, "exchange", lambda *_, **__: HttpReply(418, body, retry_after_seconds=60.0))
    with pytest.raises(RetryLater, match="-1003") as told:
        banned.fetch_holdings()
    assert told.value.retry_after_seconds == 60
    seen = exchange.last_seq()
    for act in (other.fetch_holdings, lambda: other.place_order(an_order(symbol=BTC))):
        with other.urgent(Urgency.EXIT), pytest.raises(VenueStopped):
            act()
    assert exchange.journal(seen, type="request", account=f"{user.user_id}x") == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'{"code":-1003,"msg":"Too many requests."}', RetryLater),
        (429, b"<html>", OutcomeUnknown),
        (403, b"<html>", OutcomeUnknown),
        (403, b'{"code":-1003,"msg":"WAF limit"}', RetryLater),
        (503, b'{"code":-1003,"msg":"Too many requests."}', OutcomeUnknown),
        (504, b'{"code":-1007,"msg":"Timeout waiting for response."}', OutcomeUnknown),
        (200, b'{"code":-2010,"msg":"Duplicate order sent."}', OutcomeUnknown),
        (409, b'{"code":-2021,"msg":"Order cancel-replace partially failed."}', OutcomeUnknown),
        (451, b'{"code":0,"msg":"Service unavailable from a restricted location"}', CredentialsRejected),
    ],
)
def test_an_order_is_refused_only_by_the_api_and_in_words_that_prove_it(
    binance: BinanceBroker, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, kind: type[VenueError]
) -> None:
    sent: list[object] = []

    def answer(*asked: object, **_: object) -> HttpReply:
        sent.append(asked)
        return HttpReply(status, body)

    monkeypatch.setattr(binance._session, "exchange", answer)
    with pytest.raises(VenueError) as raised:
        binance.place_order(an_order(symbol=BTC))
    assert type(raised.value) is kind
    assert len(sent) == 1


@pytest.mark.parametrize("seconds", [0.5, 61.0])
def test_a_deadline_that_binance_cannot_keep_is_refused_at_the_start(binance: BinanceBroker, seconds: float) -> None:
    context = dataclasses.replace(binance._context, order_deadline_seconds=seconds)
    with pytest.raises(ConfigurationError, match="order_deadline_seconds"):
        BinanceBroker(binance.account_type, binance.user_id, context=context)


# -- others at the same address -------------------------------------------------------------------------------------
def test_weight_that_others_use_up_leaves_what_is_left_to_exits(wiring: Wiring, user: AccountRef) -> None:
    wiring.public_budget = budget = RateBudget(wiring.clock, name="the address", limit=60, decay_per_second=0.01)
    broker = wiring.broker(user)
    assert isinstance(broker, BinanceBroker)
    broker.connect()
    broker.get_trading_pairs()
    exchange, heard = broker._session.exchange, list[HttpReply]()

    def crowded(*asked: object, **more: object) -> HttpReply:
        heard.append(exchange(*asked, **more))  # type: ignore[arg-type]
        return dataclasses.replace(heard[-1], used_weight=5700)

    broker._session.exchange = crowded  # type: ignore[method-assign]
    broker.fetch_holdings()
    assert heard[-1].used_weight is not None and heard[-1].used_weight > 0, "the venue says what it counts"
    assert budget.used >= 57
    with pytest.raises(RetryLater, match="no room"):
        broker.fetch_holdings()
    with broker.urgent(Urgency.EXIT):
        assert broker.place_order(an_order(side=Side.SELL, symbol=BTC)).venue_order_id
