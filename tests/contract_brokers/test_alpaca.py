"""What is Alpaca's own: sessions, fractions, ids that are used up for good, denials that are a state of the account."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import responses
from pydantic import SecretStr

from bot.brokers.alpaca.broker import AlpacaBroker
from bot.brokers.credentials import Credentials
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    KeyUnfit,
    MarketClosed,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
)
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrderStatus
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order
from tests.contract_brokers.raw_venue import Asked, RawVenue, Said
from tests.exchange_process import ExchangeProcess, wait_until

D = Decimal
AAPL = "AAPL/USD"


def stock_order(side: Side = Side.BUY, quantity: str = "0.5", **more: Any) -> OrderRequest:
    return an_order(side, quantity, symbol=AAPL, **more)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def session(exchange: ExchangeProcess) -> Iterator[None]:
    """Open, whatever the day of the week is, and left so."""
    exchange.control("POST", "/session", {"mode": "open"})
    yield
    exchange.control("POST", "/session", {"mode": "open"})


@pytest.fixture
def user(request: pytest.FixtureRequest) -> AccountRef:
    return AccountRef.user(BrokerType.ALPACA, f"p{abs(hash(request.node.name)) % 10**9}")


@pytest.fixture
def alpaca(wiring: Wiring, user: AccountRef) -> AlpacaBroker:
    broker = wiring.broker(user)
    assert isinstance(broker, AlpacaBroker)
    broker.connect()
    broker.get_trading_pairs()
    return broker


def close(exchange: ExchangeProcess, opening: datetime | None = None) -> None:
    body = {"mode": "closed"} | ({} if opening is None else {"next_open": opening.isoformat()})
    exchange.control("POST", "/session", body)


def set_state(exchange: ExchangeProcess, user: AccountRef, **flags: object) -> None:
    exchange.control("POST", f"/accounts/alpaca/{user.venue_account_name}/state", flags)


# -- connecting -----------------------------------------------------------------------------------------------------
def test_connecting_tells_the_account_and_asks_the_hours(alpaca: AlpacaBroker) -> None:
    report = alpaca.key_report
    assert report is not None
    assert report.names_account and report.identity.startswith("account PA3")
    assert report.withdraw_rights == ()
    assert alpaca.venue_now() is not None
    assert alpaca.trading_session().is_open is True


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("https://api.alpaca.markets", "PK0000000000000000AB", "begins with PK"),
        ("https://paper-api.alpaca.markets", "AK0000000000000000AB", "begins with AK"),
    ],
)
def test_a_key_of_the_other_environment_is_refused_before_any_call(
    wiring: Wiring, user: AccountRef, url: str, key: str, words: str
) -> None:
    credentials = Credentials(api_key=key, api_secret=SecretStr("s" * 40))
    broker = wiring.broker(user, access=VenueAccess(base_url=url, credentials=credentials, mode="paper"))
    wiring.calls.clear()
    with pytest.raises(KeyUnfit, match=words):
        broker.connect()
    assert wiring.calls == []


def test_a_key_that_the_venue_does_not_know_is_refused(wiring: Wiring, user: AccountRef) -> None:
    access = wiring.access(user)
    wrong = replace(access.credentials, api_secret=SecretStr("w" * 40))
    broker = wiring.broker(user, access=replace(access, credentials=wrong))
    with pytest.raises(CredentialsRejected) as refused:
        broker.connect()
    assert not isinstance(refused.value, KeyUnfit)


@pytest.mark.parametrize("flag", ["trading_blocked", "account_blocked", "trade_suspended_by_user"])
def test_an_account_that_may_not_trade_is_not_taken_up(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef, flag: str
) -> None:
    set_state(exchange, user, **{flag: True})
    with pytest.raises(KeyUnfit, match="nothing is traded"):
        alpaca.connect()
    set_state(exchange, user, **{flag: False})
    assert alpaca.connect()


def test_an_account_that_is_blocked_meanwhile_enters_nothing_and_says_why(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    assert alpaca.entry_hindrance == ""
    set_state(exchange, user, trading_blocked=True)
    alpaca.fetch_holdings()
    assert "blocked by Alpaca" in alpaca.entry_hindrance
    set_state(exchange, user, trading_blocked=False)
    alpaca.fetch_holdings()
    assert alpaca.entry_hindrance == ""


# -- money and shares -----------------------------------------------------------------------------------------------
def test_an_open_order_ties_up_cash_and_a_sale_ties_up_shares(alpaca: AlpacaBroker) -> None:
    before = alpaca.fetch_holdings().of("USD")
    instrument = alpaca.get_trading_pairs()[AAPL]
    quote = alpaca.get_best_bid_ask(AAPL)
    alpaca.place_order(stock_order(quantity="2"))
    low = instrument.buy_cap(quote.bid / 2)
    alpaca.place_order(stock_order(quantity="3", price=low, order_type=OrderType.LIMIT_GTC))
    holdings = alpaca.fetch_holdings()
    assert holdings.of("USD").held == 3 * low
    assert holdings.of("USD").total < before.total
    shares = holdings.of("AAPL")
    high = instrument.sell_floor(quote.ask * 2)
    for order in alpaca.get_open_orders():
        alpaca.cancel_order(order.venue_order_id)
    alpaca.place_order(stock_order(Side.SELL, "1", price=high, order_type=OrderType.LIMIT_GTC))
    after = alpaca.fetch_holdings().of("AAPL")
    assert (after.total, after.held) == (shares.total, D(1))


def test_what_was_bought_has_its_fills_and_no_fee(alpaca: AlpacaBroker) -> None:
    before, request = now(), stock_order(quantity="0.123456789")
    ack = alpaca.place_order(request)
    order = alpaca.find_order(request.client_order_id, symbol=AAPL, sent_at=before)
    assert order is not None
    assert (order.venue_order_id, order.status) == (ack.venue_order_id, VenueOrderStatus.FILLED)
    fills = alpaca.get_order_fills(ack.venue_order_id, since=before)
    assert sum(fill.quantity for fill in fills) == D("0.123456789") == order.filled_quantity
    assert {(fill.fee, fill.fee_currency) for fill in fills} == {(D(0), "USD")}


def test_fills_are_complete_over_more_than_one_page(alpaca: AlpacaBroker) -> None:
    before = now()
    acks = [alpaca.place_order(stock_order(quantity="0.05")) for _ in range(105)]
    fills = alpaca.get_fills_since(before - timedelta(seconds=2))
    assert {fill.venue_order_id for fill in fills} == {ack.venue_order_id for ack in acks}
    assert sum(fill.quantity for fill in fills) == D("0.05") * 105
    assert len({fill.trade_id for fill in fills}) == len(fills)
    assert fills == sorted(fills, key=lambda fill: (fill.executed_at, fill.trade_id))


def test_fills_are_found_by_a_machine_whose_clock_is_an_hour_ahead(wiring: Wiring, user: AccountRef) -> None:
    wiring.clock = SystemClock(offset_seconds=3600)
    broker = wiring.broker(user)
    broker.connect()
    sent_at = wiring.clock.now()
    ack = broker.place_order(stock_order())
    assert sum(fill.quantity for fill in broker.get_order_fills(ack.venue_order_id, since=sent_at)) == D("0.5")


# -- market data ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("minutes", [1, 60, 240, 1440])
def test_candles_are_closed_oldest_first_and_as_many_as_asked(alpaca: AlpacaBroker, minutes: int) -> None:
    candles = alpaca.get_candles(AAPL, interval_minutes=minutes, limit=30)
    venue_now = alpaca.venue_now()
    assert venue_now is not None
    opened = [candle.opened_at for candle in candles]
    assert len(candles) == 30
    assert opened == sorted(set(opened))
    assert opened[-1] + timedelta(minutes=minutes) <= venue_now
    assert all((later - earlier) % timedelta(minutes=minutes) == timedelta(0) for earlier, later in pairwise(opened))


def test_an_interval_without_an_even_grid_is_not_offered(alpaca: AlpacaBroker) -> None:
    with pytest.raises(ValueError, match="360"):
        alpaca.get_candles(AAPL, interval_minutes=360, limit=10)


def test_market_data_that_cannot_be_had_stops_no_order(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    exchange.fault("5xx", times=None, account=user.user_id, endpoint="stocks/quotes/latest")
    for _ in range(5):
        with pytest.raises(UnreadableReply):
            alpaca.get_best_bid_ask(AAPL)
    assert alpaca.place_order(stock_order()).venue_order_id


# -- orders ---------------------------------------------------------------------------------------------------------
def test_an_id_is_used_up_for_good_and_the_first_order_is_found(
    alpaca: AlpacaBroker, exchange: ExchangeProcess
) -> None:
    seen, sent_at = exchange.last_seq(), now()
    request = stock_order()
    ack = alpaca.place_order(request)
    with pytest.raises(OutcomeUnknown, match="exists"):
        alpaca.place_order(request)
    found = alpaca.find_order(request.client_order_id, symbol=AAPL, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    assert len(exchange.journal(seen, type="accept", client_order_id=request.client_order_id)) == 1


def test_the_id_of_a_cancelled_order_is_used_up_too(alpaca: AlpacaBroker, exchange: ExchangeProcess) -> None:
    seen = exchange.last_seq()
    low = alpaca.get_trading_pairs()[AAPL].buy_cap(alpaca.get_best_bid_ask(AAPL).bid / 2)
    request = stock_order(quantity="1", price=low, order_type=OrderType.LIMIT_GTC)
    ack = alpaca.place_order(request)
    assert alpaca.cancel_order(ack.venue_order_id) is True
    assert alpaca.cancel_order(ack.venue_order_id) is False
    with pytest.raises(OutcomeUnknown):
        alpaca.place_order(request)
    assert len(exchange.journal(seen, type="accept", client_order_id=request.client_order_id)) == 1


@pytest.mark.parametrize(("action", "taken"), [("drop_response", True), ("accept_then_5xx", True), ("5xx", False)])
def test_an_order_whose_answer_is_lost_is_sent_once_and_found_if_it_was_taken(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef, action: str, taken: bool
) -> None:
    seen, sent_at, request = exchange.last_seq(), now(), stock_order()
    exchange.fault(action, account=user.user_id, endpoint="orders")
    with pytest.raises(OutcomeUnknown):
        alpaca.place_order(request)
    assert len(exchange.journal(seen, type="accept", client_order_id=request.client_order_id)) == int(taken)
    sent = [
        line
        for line in exchange.journal(seen, type="request", account=user.user_id)
        if line["endpoint"] == "orders" and line["client_order_id"] == request.client_order_id
    ]
    assert len(sent) == 1
    found = alpaca.find_order(request.client_order_id, symbol=AAPL, sent_at=sent_at)
    assert (found is not None) is taken
    if not taken:
        # The same again can make no second one, so an exit that is owed may be sent again.
        assert alpaca.place_order(request).venue_order_id


def test_a_504_after_acceptance_is_not_answered_by_the_library_with_another_try(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, wiring: Wiring
) -> None:
    with responses.RequestsMock() as venue:
        venue.add(responses.GET, f"{exchange.rest_url('alpaca')}/v2/clock", json=_open_clock())
        venue.add(responses.POST, f"{exchange.rest_url('alpaca')}/v2/orders", body="gateway timeout", status=504)
        with pytest.raises(OutcomeUnknown):
            alpaca.place_order(stock_order())
        assert [call.request.method for call in venue.calls].count("POST") == 1


def _open_clock() -> dict[str, object]:
    moment = now()
    return {
        "timestamp": moment.isoformat(),
        "is_open": True,
        "next_open": (moment + timedelta(hours=20)).isoformat(),
        "next_close": (moment + timedelta(hours=3)).isoformat(),
    }


def test_fractions_of_what_is_not_fractionable_are_no_size_at_all(alpaca: AlpacaBroker) -> None:
    whole = [each for each in alpaca.get_trading_pairs().values() if each.lot_step == 1 and each.tradable]
    assert whole, "the exchange lists some"
    instrument = whole[0]
    assert instrument.floor_quantity(D("0.9")) == 0
    with pytest.raises(OrderRefused):
        alpaca.place_order(an_order(quantity="0.5", symbol=instrument.symbol))


def test_a_bounded_order_of_fractions_stands_until_it_is_cancelled_and_one_of_shares_ends_at_once(
    alpaca: AlpacaBroker,
) -> None:
    low = alpaca.get_trading_pairs()[AAPL].buy_cap(alpaca.get_best_bid_ask(AAPL).bid / 2)
    fraction = alpaca.place_order(stock_order(quantity="0.5", price=low))
    shares = alpaca.place_order(stock_order(quantity="2", price=low))
    standing, ended = alpaca.get_order(fraction.venue_order_id), alpaca.get_order(shares.venue_order_id)
    assert standing is not None and not standing.status.ended
    assert ended is not None and ended.status.ended and ended.filled_quantity == 0
    assert alpaca.cancel_order(fraction.venue_order_id) is True


def test_an_order_that_cannot_be_paid_is_refused_for_want_of_funds(alpaca: AlpacaBroker) -> None:
    with pytest.raises(InsufficientFunds):
        alpaca.place_order(stock_order(quantity="100000"))
    with pytest.raises(InsufficientFunds):
        alpaca.place_order(stock_order(Side.SELL, quantity="100000"))


def test_open_orders_are_complete_over_pages_and_where_many_were_made_at_one_moment(
    wiring: Wiring, user: AccountRef
) -> None:
    """A page is of 500, `until` leaves its own moment out, and ten orders at a time have the same one."""
    start = datetime(2026, 1, 30, 15, tzinfo=UTC)
    made = [
        {
            "id": f"00000000-0000-4000-8000-{number:012d}",
            "client_order_id": f"{number:032d}",
            "submitted_at": (start + timedelta(seconds=number // 10)).isoformat(),
            "symbol": "AAPL",
            "asset_class": "crypto" if number == 700 else "us_equity",
            "qty": "1",
            "filled_qty": "0",
            "side": "buy",
            "status": "new",
        }
        for number in range(1203)
    ]

    def answer(asked: Asked) -> Said:
        query = dict(asked.query)
        assert (query["status"], query["direction"]) == ("open", "desc")
        until = datetime.fromisoformat(query["until"]) if "until" in query else None
        shown = [one for one in made if until is None or datetime.fromisoformat(str(one["submitted_at"])) < until]
        return Said.of(shown[::-1][: int(query["limit"])])

    with RawVenue() as venue:
        venue.answer = answer
        broker = wiring.broker_at(venue.url, user)
        orders = broker.get_open_orders()
    assert sorted(order.client_order_id or "" for order in orders) == [
        one["client_order_id"] for one in made if one["asset_class"] == "us_equity"
    ]


def test_orders_nobody_made_are_not_found(alpaca: AlpacaBroker) -> None:
    assert alpaca.find_order(SystemIds().token(), symbol=AAPL, sent_at=now()) is None
    assert alpaca.get_order("904837e3-3b76-47ec-b432-046db621571b") is None


def test_a_404_of_something_in_front_of_the_venue_does_not_say_that_there_is_no_order(
    alpaca: AlpacaBroker, exchange: ExchangeProcess
) -> None:
    with responses.RequestsMock() as venue:
        url = f"{exchange.rest_url('alpaca')}/v2/orders:by_client_order_id"
        venue.add(responses.GET, url, body="<html>not here</html>", status=404)
        with pytest.raises(UnreadableReply):
            alpaca.find_order("a" * 32, symbol=AAPL, sent_at=now())


def test_what_the_account_does_not_hold_is_not_sold_short(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    """An account with margin may sell short, and the venue would take the sale of lots that the owner has sold."""
    state = alpaca._state
    assert state is not None and not state.may_short
    alpaca._state = replace(state, may_short=True)
    alpaca.place_order(stock_order(quantity="2"))
    seen = exchange.last_seq()
    for symbol, quantity in ((AAPL, "60"), ("MSFT/USD", "1")):
        with pytest.raises(InsufficientFunds, match="short sale"):
            alpaca.place_order(an_order(Side.SELL, quantity, symbol=symbol))
    assert [line for line in exchange.journal(seen, type="request") if line["endpoint"] == "orders"] == []
    assert alpaca.place_order(stock_order(Side.SELL, "2")).venue_order_id


def test_a_position_that_cannot_be_read_holds_a_sale_back_that_could_be_a_short_one(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    assert alpaca._state is not None
    alpaca._state = replace(alpaca._state, may_short=True)
    exchange.fault("5xx", account=user.user_id, endpoint="positions/{symbol_or_asset_id}")
    seen = exchange.last_seq()
    with pytest.raises(RetryLater, match="not sent"):
        alpaca.place_order(stock_order(Side.SELL, "1"))
    assert exchange.journal(seen, type="accept") == []


# -- the session ----------------------------------------------------------------------------------------------------
def test_a_closed_market_is_sent_nothing_and_says_until_when(alpaca: AlpacaBroker, exchange: ExchangeProcess) -> None:
    opening = (now() + timedelta(hours=5)).replace(second=0, microsecond=0)
    close(exchange, opening)
    seen = exchange.last_seq()
    for request in (stock_order(), stock_order(Side.SELL)):
        with pytest.raises(MarketClosed) as refused:
            alpaca.place_order(request)
        assert refused.value.opens_at == opening
        assert refused.value.retry_after_seconds > 4 * 3600
    assert exchange.journal(seen, type="accept") == []
    assert [line for line in exchange.journal(seen, type="request") if line["endpoint"] == "orders"] == []
    session = alpaca.trading_session()
    assert (session.is_open, session.until) == (False, opening)
    assert session.says == f"market closed until {opening:%Y-%m-%d %H:%M} UTC"
    awaited = alpaca.awaits(AAPL, Side.SELL)
    assert awaited is not None and awaited.sentence == f"waits for the opening at {opening:%Y-%m-%d %H:%M} UTC"


def test_what_waited_for_the_opening_is_sent_then(alpaca: AlpacaBroker, exchange: ExchangeProcess) -> None:
    alpaca.place_order(stock_order(quantity="1"))
    close(exchange, now() + timedelta(seconds=2))
    request = stock_order(Side.SELL, "1")
    with pytest.raises(MarketClosed):
        alpaca.place_order(request)
    wait_until(lambda: alpaca.renew_trading_session().is_open, seconds=15, what="the opening")
    ack = alpaca.place_order(request)
    order = alpaca.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.FILLED


def test_right_before_the_close_nothing_leaves_any_more(alpaca: AlpacaBroker, exchange: ExchangeProcess) -> None:
    """Its acknowledgement could come after the close, and the venue would keep the order for the next day."""
    closing = now() + timedelta(seconds=8)
    exchange.control("POST", "/session", {"mode": "open", "next_close": closing.isoformat()})
    seen = exchange.last_seq()
    with pytest.raises(MarketClosed):
        alpaca.place_order(stock_order())
    assert exchange.journal(seen, type="accept") == []


def test_in_the_last_minute_an_exit_is_sent_and_an_entry_is_not(
    alpaca: AlpacaBroker, exchange: ExchangeProcess
) -> None:
    closing = now() + timedelta(seconds=50)
    exchange.control("POST", "/session", {"mode": "open", "next_close": closing.isoformat()})
    with pytest.raises(MarketClosed):
        alpaca.place_order(stock_order(quantity="1"))
    assert alpaca.place_order(stock_order(Side.SELL, "1")).venue_order_id


def test_while_the_hours_are_not_known_no_entry_is_sent_and_an_exit_is_tried(
    wiring: Wiring, user: AccountRef, exchange: ExchangeProcess
) -> None:
    first = wiring.broker(user)
    first.connect()
    first.place_order(stock_order(quantity="1"))
    exchange.fault("5xx", times=None, account=user.user_id, endpoint="clock")
    broker = wiring.broker(user)
    broker.get_trading_pairs()
    assert broker.trading_session().is_open is None
    with pytest.raises(MarketClosed, match="not told its hours"):
        broker.place_order(stock_order())
    assert broker.place_order(stock_order(Side.SELL, "1")).venue_order_id


# -- denials that are a state ---------------------------------------------------------------------------------------
def test_a_day_trade_that_is_denied_is_not_asked_for_again_until_the_next_session(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    alpaca.place_order(stock_order(quantity="1"))
    set_state(exchange, user, daytrade_count=3)
    with pytest.raises(OrderRefused, match="day trad"):
        alpaca.place_order(stock_order(Side.SELL, "1"))
    seen = exchange.last_seq()
    for _ in range(5):
        with pytest.raises(RetryLater, match="day-trade protection"):
            alpaca.place_order(stock_order(Side.SELL, "1"))
    assert [line for line in exchange.journal(seen, type="request") if line["endpoint"] == "orders"] == []
    awaited = alpaca.awaits(AAPL, Side.SELL)
    assert awaited is not None and "day-trade protection" in awaited.sentence
    assert alpaca.awaits("MSFT/USD", Side.SELL) is None


def test_a_denied_day_trade_is_tried_again_when_the_accounts_state_has_changed(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    alpaca.place_order(stock_order(quantity="1"))
    set_state(exchange, user, daytrade_count=3)
    alpaca.fetch_holdings()
    with pytest.raises(OrderRefused):
        alpaca.place_order(stock_order(Side.SELL, "1"))
    set_state(exchange, user, daytrade_count=2)
    alpaca.fetch_holdings()
    assert alpaca.place_order(stock_order(Side.SELL, "1")).venue_order_id


def test_a_wash_trade_waits_for_the_opposite_order_and_says_so(alpaca: AlpacaBroker) -> None:
    instrument, quote = alpaca.get_trading_pairs()[AAPL], alpaca.get_best_bid_ask(AAPL)
    alpaca.place_order(stock_order(quantity="2"))
    high = instrument.sell_floor(quote.ask * 2)
    alpaca.place_order(stock_order(Side.SELL, "1", price=high, order_type=OrderType.LIMIT_GTC))
    with pytest.raises(OrderRefused, match="wash trade"):
        alpaca.place_order(stock_order(quantity="1"))
    with pytest.raises(RetryLater, match="opposite order"):
        alpaca.place_order(stock_order(quantity="1"))


def test_an_account_flagged_as_a_day_trader_enters_nothing(
    alpaca: AlpacaBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    set_state(exchange, user, pattern_day_trader=True)
    alpaca.fetch_holdings()
    assert "pattern day trader" in alpaca.entry_hindrance
