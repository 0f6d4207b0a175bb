"""What a scan asks about a whole venue, and what an entry asks about one book: in quote, at every brokerage alike."""

import threading
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.brokers.coinbase.day_volumes import volumes_from
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import RetryLater, UnreadableReply
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.rigs import RIGS
from tests.contract_brokers.raw_venue import Asked, RawVenue, Said
from tests.exchange_process import ExchangeProcess

D = Decimal
WITH_BOOKS = [BrokerType.KRAKEN, BrokerType.COINBASE, BrokerType.OKX, BrokerType.BINANCE]
LEVELS = [["100.0", "2.5", "0", "1"], ["100.5", "1", "0", "1"], ["100.51", "9", "0", "1"]]
BOOKS = {
    BrokerType.KRAKEN: {"error": [], "result": {"XXBTZUSD": {"asks": LEVELS, "bids": []}}},
    BrokerType.COINBASE: {"pricebook": {"asks": [{"price": one[0], "size": one[1]} for one in LEVELS]}},
    BrokerType.OKX: {"code": "0", "msg": "", "data": [{"asks": LEVELS, "bids": []}]},
    BrokerType.BINANCE: {"lastUpdateId": 1, "asks": [one[:2] for one in LEVELS], "bids": []},
}


@pytest.fixture
def venue() -> Iterator[RawVenue]:
    with RawVenue() as made:
        yield made


def at(wiring: Wiring, broker_type: BrokerType) -> BaseBroker:
    return wiring.broker(AccountRef.user(broker_type, f"tickers-{broker_type}"))


def turnover(broker: BaseBroker, symbol: str) -> Decimal:
    """Of the last day, added up from its hours."""
    hours = broker.get_candles(symbol, interval_minutes=60, limit=24)
    return sum(((one.high + one.low) / 2 * one.volume for one in hours), D(0))


# -- the day's volume -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("broker_type", WITH_BOOKS, ids=str)
def test_the_volume_of_a_day_is_told_in_quote_of_few_markets_and_of_all(
    wiring: Wiring, exchange: ExchangeProcess, broker_type: BrokerType
) -> None:
    wiring.read_seconds = 10
    broker, symbol = at(wiring, broker_type), RIGS[broker_type].symbol
    listed = [one for one, market in broker.get_trading_pairs().items() if market.tradable]
    seen = exchange.last_seq()
    tickers = broker.get_tickers(listed)
    asked = exchange.journal(seen, type="request", brokerage=str(broker_type))
    assert len(listed) > 20 and len(asked) <= 6, "prices by the hundred, the list of products by pages"
    assert len(tickers) > len(listed) * 0.9
    assert all(one.tells_volume and one.day_volume_quote is not None for one in tickers.values())
    told = tickers[symbol].day_volume_quote
    assert told is not None
    assert told == pytest.approx(turnover(broker, symbol), rel=D("0.2"))
    few = broker.get_tickers([symbol, RIGS[broker_type].second])
    assert few.keys() == {symbol, RIGS[broker_type].second}
    assert few[symbol].day_volume_quote == pytest.approx(told, rel=D("0.05"))


def test_a_stocks_volume_is_that_of_the_last_whole_session_while_todays_is_small(
    wiring: Wiring, exchange: ExchangeProcess
) -> None:
    wiring.read_seconds = 10
    exchange.control("POST", "/session", {"brokerage": "alpaca", "mode": "always_open"})
    broker = at(wiring, BrokerType.ALPACA)
    ticker = broker.get_tickers(["AAPL/USD"])["AAPL/USD"]
    sessions = broker.get_candles("AAPL/USD", interval_minutes=1440, limit=2)
    assert ticker.tells_volume and ticker.day_volume_quote is not None
    assert ticker.day_volume_quote >= sessions[-1].low * sessions[-1].volume
    assert ticker.quote.bid < ticker.quote.ask


SNAPSHOT = {"latestQuote": {"bp": 10, "ap": 11}, "dailyBar": {"v": 5, "vw": 10}, "prevDailyBar": {"v": 100, "vw": 9}}
ALPACA = {
    "AAA": SNAPSHOT,
    "BBB": {**SNAPSHOT, "dailyBar": None, "prevDailyBar": None},
    "CCC": {**SNAPSHOT, "latestQuote": None},
    "DDD": {**SNAPSHOT, "prevDailyBar": {"v": "much", "vw": 9}},
}


def test_one_stock_without_sense_hides_no_other_and_no_bar_is_no_zero(wiring: Wiring, venue: RawVenue) -> None:
    from bot.brokers.alpaca.market_data import tickers_from

    now = wiring.clock.now()
    told = {symbol: one.day_volume_quote for symbol, one in tickers_from(ALPACA, taken_at=now).items()}
    assert told == {"AAA/USD": 900, "BBB/USD": None, "DDD/USD": 50}


def test_coinbase_volume_is_the_venues_sum_or_base_times_price_and_never_a_zero_for_nothing() -> None:
    products = [
        {"product_id": "A-USD", "approximate_quote_24h_volume": "900.5", "volume_24h": "1", "price": "1"},
        {"product_id": "B-USD", "volume_24h": "3", "price": "2.5"},
        {"product_id": "C-USD", "volume_24h": "", "price": ""},
        {"product_id": "D-USD", "volume_24h": "lots", "price": "1"},
        {"no": "name"},
    ]
    assert volumes_from(products) == {"A/USD": D("900.5"), "B/USD": D("7.5")}


def test_a_volume_that_makes_no_sense_hides_no_price(wiring: Wiring, venue: RawVenue) -> None:
    broker = wiring.broker_at(venue.url, AccountRef.user(BrokerType.OKX, "volumes"))
    row = {"instId": "BTC-USDT", "bidPx": "9", "askPx": "10", "volCcy24h": "x"}
    venue.answer = lambda asked: Said.of({"code": "0", "msg": "", "data": [row]})
    ticker = broker.get_tickers(["BTC/USDT"])["BTC/USDT"]
    assert (ticker.quote.ask, ticker.day_volume_quote, ticker.tells_volume) == (10, None, True)
    assert broker.get_best_bid_ask("BTC/USDT").bid == 9


# -- the book ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("broker_type", WITH_BOOKS, ids=str)
def test_the_depth_of_a_book_grows_with_the_distance_and_is_asked_in_one_call(
    wiring: Wiring, exchange: ExchangeProcess, broker_type: BrokerType
) -> None:
    broker, symbol = at(wiring, broker_type), RIGS[broker_type].symbol
    broker.get_trading_pairs()
    seen = exchange.last_seq()
    far = broker.get_depth(symbol, within_percent=D(1))
    assert len(exchange.journal(seen, type="request", brokerage=str(broker_type))) == 1
    near = broker.get_depth(symbol, within_percent=D("0.0001"))
    assert near is not None and far is not None
    assert 0 < near < far


@pytest.mark.parametrize("broker_type", WITH_BOOKS, ids=str)
def test_the_depth_is_what_is_offered_up_to_the_bound_and_an_empty_book_is_unknown(
    wiring: Wiring, venue: RawVenue, broker_type: BrokerType
) -> None:
    broker, symbol = wiring.broker_at(venue.url, AccountRef.user(broker_type, "depths")), RIGS[broker_type].symbol
    venue.answer = lambda asked: Said.of(BOOKS[broker_type])
    assert broker.get_depth(symbol, within_percent=D("0.5")) == D("350.5")
    empty = Said.of(_without_levels(BOOKS[broker_type]))
    venue.answer = lambda asked: empty
    assert broker.get_depth(symbol, within_percent=D("0.5")) is None


@pytest.mark.parametrize("broker_type", WITH_BOOKS, ids=str)
def test_a_book_that_does_not_come_is_waited_for_no_longer_than_its_own_deadline(
    wiring: Wiring, venue: RawVenue, broker_type: BrokerType
) -> None:
    wiring.read_seconds = 60
    broker, symbol = wiring.broker_at(venue.url, AccountRef.user(broker_type, "slow")), RIGS[broker_type].symbol
    over = threading.Event()

    def never(asked: Asked) -> Said:
        over.wait(30)
        return Said()

    venue.answer = never
    began = time.monotonic()
    with pytest.raises((RetryLater, UnreadableReply)):
        broker.get_depth(symbol, within_percent=D("0.5"))
    assert time.monotonic() - began < 20
    over.set()


def test_nobody_knows_the_book_of_a_stock(wiring: Wiring) -> None:
    assert at(wiring, BrokerType.ALPACA).get_depth("AAPL/USD", within_percent=D(1)) is None


def _without_levels(document: object) -> object:
    if isinstance(document, dict):
        return {name: [] if name == "asks" else _without_levels(value) for name, value in document.items()}
    return [_without_levels(one) for one in document] if isinstance(document, list) else document
