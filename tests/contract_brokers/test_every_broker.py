"""One suite for every broker: what the bot may rely on, whatever the brokerage."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceStatus
from bot.domain.errors import (
    BalanceUnknown,
    CredentialsRejected,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side, VenueOrderStatus
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.nonsense import NonsenseVenue
from tests.contract_brokers.orders import BALANCE, BTC, PLACE, after_parking, an_order, now, resting_price
from tests.exchange_process import ExchangeProcess

D = Decimal
# What leaves nobody sure about an order: the fault, and whether the venue took the order all the same.
DOUBTFUL: Mapping[str, bool] = {
    "drop_request": False,
    "drop_response": True,
    "accept_then_5xx": True,
    "5xx": False,
    "html": False,
    "malformed": True,
    "reset": False,
    "hang": False,
    "drip": True,
}


# -- connection and balances ----------------------------------------------------------------------------------------
def test_connecting_proves_the_key(broker: BaseBroker) -> None:
    assert broker.connected


def test_a_key_the_venue_does_not_know_is_rejected_as_credentials(wiring: Wiring, account: AccountRef) -> None:
    other = wiring.access(account)
    stranger = wiring.access(AccountRef.user(account.broker, f"{account.user_id}x"))
    mixed = type(other)(
        base_url=other.base_url,
        credentials=type(other.credentials)(
            api_key=other.credentials.api_key, api_secret=stranger.credentials.api_secret
        ),
        mode="paper",
    )
    broker = wiring.broker(account, access=mixed)
    with pytest.raises(CredentialsRejected):
        broker.connect()
    assert not broker.connected


def test_a_key_without_the_right_to_trade_is_refused_by_name(wiring: Wiring, account: AccountRef) -> None:
    rights = {BrokerType.KRAKEN: ["query-funds"], BrokerType.COINBASE: ["view"]}[account.broker]
    broker = wiring.broker(account, permissions=rights)
    with pytest.raises(CredentialsRejected, match=r"modify-trades|can_trade"):
        broker.connect()


def test_a_venue_that_is_not_there_is_retried_later(wiring: Wiring, account: AccountRef) -> None:
    access = wiring.access(account)
    nowhere = type(access)(base_url="http://127.0.0.1:1", credentials=access.credentials, mode="paper")
    with pytest.raises(RetryLater):
        wiring.broker(account, access=nowhere).connect()


def test_balances_are_exact_and_separate_available_from_held(broker: BaseBroker) -> None:
    assert broker.get_account_balance() == D(10000)
    price = resting_price(broker)
    broker.place_order(an_order(quantity="0.1", price=price, order_type=OrderType.LIMIT_GTC))
    cash = broker.fetch_holdings().of("USD")
    assert cash.total == D(10000)
    assert cash.held >= price * D("0.1")
    assert broker.fetch_holdings().of("BTC").available == D("0.5")
    assert broker.fetch_holdings().of("NOBODY").total == 0


@pytest.mark.parametrize("action", ["5xx", "html", "malformed", "reset", "hang", "drop_response"])
def test_a_balance_that_cannot_be_read_is_unknown_and_never_zero(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, action: str
) -> None:
    exchange.fault(action, times=None, account=account.user_id, endpoint=BALANCE[account.broker])
    reading = broker.get_account_balance_detailed()
    assert reading.status is BalanceStatus.UNKNOWN
    assert reading.holdings is None
    assert reading.error_count == 1
    with pytest.raises(BalanceUnknown, match=account.label):
        broker.get_account_balance()


def test_after_three_failures_in_a_row_the_account_is_unavailable_until_one_succeeds(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef
) -> None:
    good = broker.get_account_balance()
    exchange.fault("5xx", times=3, account=account.user_id, endpoint=BALANCE[account.broker])
    for _ in range(3):
        assert broker.get_account_balance_detailed().holdings is not None, "the last known value is kept"
    assert broker.get_error_count() == 3
    assert not broker.is_available()
    assert broker.get_account_balance() == good
    assert broker.is_available()


def test_what_is_held_of_each_market_is_told_in_base_units(broker: BaseBroker) -> None:
    broker.place_order(an_order(quantity="0.05"))
    assert broker.get_positions() == {BTC: D("0.55")}


# -- market ---------------------------------------------------------------------------------------------------------
def test_markets_are_listed_with_their_rules(broker: BaseBroker) -> None:
    pairs = broker.get_trading_pairs()
    assert len(pairs) > 1000
    assert pairs[BTC].lot_step == D("0.00000001")
    assert all("/" in symbol and pair.symbol == symbol for symbol, pair in pairs.items())
    assert not any(symbol.startswith(("XBT/", "XDG/")) for symbol in pairs)


def test_candles_are_closed_and_oldest_first(broker: BaseBroker) -> None:
    candles = broker.get_candles(BTC, interval_minutes=1, limit=50)
    assert len(candles) == 50
    opened = [candle.opened_at for candle in candles]
    assert opened == sorted(set(opened))
    assert opened[-1] + timedelta(minutes=1) <= now() + timedelta(seconds=1)
    assert opened[-1] > now() - timedelta(minutes=3)


def test_quotes_of_many_symbols_come_in_one_answer_and_unlisted_ones_are_absent(broker: BaseBroker) -> None:
    quotes = broker.get_best_bid_ask_batch([BTC, "ETH/USD", "NOSUCH/USD"])
    assert set(quotes) == {BTC, "ETH/USD"}
    assert all(0 < quote.bid <= quote.ask for quote in quotes.values())
    with pytest.raises(UnreadableReply, match="NOSUCH"):
        broker.get_best_bid_ask("NOSUCH/USD")


# -- orders ---------------------------------------------------------------------------------------------------------
def test_a_market_order_is_found_by_our_id_with_its_fills(broker: BaseBroker) -> None:
    before = now()
    request = an_order(quantity="0.002")
    ack = broker.place_order(request)
    order = broker.find_order(request.client_order_id, symbol=BTC, sent_at=before)
    assert order is not None
    assert order.venue_order_id == ack.venue_order_id
    assert (order.status, order.symbol, order.side) == (VenueOrderStatus.FILLED, BTC, Side.BUY)
    fills = broker.get_order_fills(ack.venue_order_id, since=before)
    assert sum(fill.quantity for fill in fills) == D("0.002") == order.filled_quantity
    assert all(fill.fee > 0 and fill.fee_currency == "USD" for fill in fills)
    assert broker.get_fills_since(before - timedelta(seconds=2)) == fills


def test_what_was_bought_leaves_the_cash_to_the_last_digit(broker: BaseBroker) -> None:
    before = now()
    ack = broker.place_order(an_order(quantity="0.002"))
    spent = sum((fill.notional + fill.fee for fill in broker.get_order_fills(ack.venue_order_id, since=before)), D(0))
    assert abs(broker.fetch_holdings().of("USD").total - (D(10000) - spent)) < D("0.01")
    assert broker.fetch_holdings().of("BTC").total == D("0.502")


def test_an_order_by_notional_is_rounded_down_to_the_lot(broker: BaseBroker) -> None:
    request = broker.request_by_notional(
        client_order_id=SystemIds().token(), symbol=BTC, side=Side.BUY, kind=OrderKind.ENTRY, notional_quote=D(500)
    )
    ask = broker.get_best_bid_ask(BTC).ask
    assert request.quantity == broker.get_trading_pairs()[BTC].floor_quantity(request.quantity)
    assert abs(request.quantity * ask - 500) < 25
    assert broker.place_order(request).venue_order_id


def test_an_order_by_notional_below_the_minimum_is_not_made(broker: BaseBroker) -> None:
    with pytest.raises(ValueError, match="minimum"):
        broker.request_by_notional(
            client_order_id="a" * 32, symbol=BTC, side=Side.BUY, kind=OrderKind.ENTRY, notional_quote=D("0.01")
        )


def test_an_ioc_order_that_finds_no_price_ends_without_a_fill(broker: BaseBroker) -> None:
    before = now()
    request = an_order(price=resting_price(broker))
    broker.place_order(request)
    order = broker.find_order(request.client_order_id, symbol=BTC, sent_at=before)
    assert order is not None
    assert order.status is VenueOrderStatus.CANCELLED
    assert order.filled_quantity == 0
    assert broker.get_open_orders() == []


def test_a_resting_order_is_open_until_it_is_cancelled(broker: BaseBroker) -> None:
    before = now()
    request = an_order(price=resting_price(broker), order_type=OrderType.LIMIT_GTC)
    ack = broker.place_order(request)
    assert [order.venue_order_id for order in broker.get_open_orders()] == [ack.venue_order_id]
    found = broker.find_order(request.client_order_id, symbol=BTC, sent_at=before)
    assert found is not None and found.status is VenueOrderStatus.OPEN
    assert broker.cancel_order(ack.venue_order_id) is True
    assert broker.cancel_order(ack.venue_order_id) is False
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.CANCELLED


def test_orders_nobody_made_are_not_found(broker: BaseBroker) -> None:
    assert broker.find_order("0" * 32, symbol=BTC, sent_at=now()) is None


def test_an_order_that_cannot_be_paid_is_refused_for_want_of_funds(broker: BaseBroker) -> None:
    with pytest.raises(InsufficientFunds):
        broker.place_order(an_order(quantity="50"))


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: an_order(quantity="0.00000001"),
        lambda: an_order(price=D("100.123456"), order_type=OrderType.LIMIT_GTC),
        lambda: an_order(symbol="NOSUCH/USD"),
    ],
    ids=["below the minimum", "off the tick", "unlisted"],
)
def test_an_order_against_the_rules_is_refused(broker: BaseBroker, request_of: Callable[[], OrderRequest]) -> None:
    with pytest.raises(OrderRefused):
        broker.place_order(request_of())


def test_a_halted_market_takes_no_order(broker: BaseBroker, exchange: ExchangeProcess) -> None:
    exchange.market(symbol="ATOM/USD", halt=True)
    try:
        with pytest.raises(VenueError) as refused:
            broker.place_order(an_order(quantity="10", symbol="ATOM/USD"))
        assert not isinstance(refused.value, OutcomeUnknown)
    finally:
        exchange.market(symbol="ATOM/USD", halt=False)


@pytest.mark.parametrize("action", DOUBTFUL)
def test_an_order_whose_answer_is_lost_is_unknown_and_then_found_exactly_if_the_venue_took_it(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, action: str
) -> None:
    before, seen = now(), exchange.last_seq()
    exchange.fault(action, account=account.user_id, endpoint=PLACE[account.broker])
    request = an_order()
    with pytest.raises(OutcomeUnknown):
        broker.place_order(request)
    exchange.clear_faults()
    accepted = exchange.journal(seen, type="accept", client_order_id=request.client_order_id)
    assert len(accepted) == (1 if DOUBTFUL[action] else 0)
    found = after_parking(lambda: broker.find_order(request.client_order_id, symbol=BTC, sent_at=before))
    assert (found is not None) == DOUBTFUL[action]
    sent = [
        line
        for line in exchange.journal(seen, type="request", account=account.user_id)
        if line["quantity"] is not None or line["endpoint"] == "AddOrder"
    ]
    assert len(sent) == 1, "an order is sent once"


@pytest.mark.parametrize("offset_seconds", [-3600, 3600])
def test_orders_and_look_ups_work_with_a_clock_that_is_an_hour_off(
    wiring: Wiring, account: AccountRef, offset_seconds: int
) -> None:
    wiring.clock = SystemClock(offset_seconds=offset_seconds)
    broker = wiring.broker(account)
    broker.connect()
    sent_at = wiring.clock.now()
    request = an_order()
    ack = broker.place_order(request)
    found = broker.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id


def test_a_connection_refused_before_sending_is_no_unknown_order(wiring: Wiring, account: AccountRef) -> None:
    access = wiring.access(account)
    with_markets = wiring.broker(account, access=access)
    pairs = with_markets.get_trading_pairs()
    nowhere = type(access)(base_url="http://127.0.0.1:1", credentials=access.credentials, mode="paper")
    broker = wiring.broker(account, access=nowhere)
    kept = wiring.catalogues if account.broker is BrokerType.KRAKEN else wiring.instruments
    known = kept.get(access.base_url, lambda: None)
    kept.get(nowhere.base_url, lambda: known)
    assert broker.get_trading_pairs() == pairs
    with pytest.raises(RetryLater):
        broker.place_order(an_order())


def test_numbers_that_are_no_numbers_are_not_believed(wiring: Wiring, account: AccountRef) -> None:
    """A venue that answers nonsense: nothing of it becomes a balance."""
    for nonsense in ("-1", "NaN", "Infinity", "1e999", "1e-400000", "٣", "true", "1_0", "9" * 400, ""):
        with NonsenseVenue(account.broker, nonsense) as venue:
            access = wiring.access(account)
            broker = wiring.broker(
                account, access=type(access)(base_url=venue.url, credentials=access.credentials, mode="paper")
            )
            reading = broker.get_account_balance_detailed()
            assert reading.holdings is None, nonsense
            assert reading.reason


def test_every_call_is_reported_with_its_outcome(
    broker: BaseBroker, wiring: Wiring, exchange: ExchangeProcess, account: AccountRef
) -> None:
    wiring.calls.clear()
    broker.fetch_holdings()
    exchange.fault("5xx", account=account.user_id, endpoint=BALANCE[account.broker])
    with pytest.raises(UnreadableReply):
        broker.fetch_holdings()
    outcomes = [(label, outcome) for label, _, _, outcome in wiring.calls]
    assert outcomes == [(account.label, "ok"), (account.label, "UnreadableReply")]
