"""C20–C24: markets with their rules, candles and quotes."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import OutcomeUnknown, UnreadableReply, VenueError
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess

D = Decimal


@pytest.fixture
def halted(exchange: ExchangeProcess, rig: Rig) -> Iterator[str]:
    """A market that is closed for this test."""
    exchange.market(symbol=rig.halted, halt=True)
    yield rig.halted
    exchange.market(symbol=rig.halted, halt=False)


def test_c20_markets_are_listed_under_one_spelling_with_their_rules(broker: BaseBroker, rig: Rig) -> None:
    pairs = broker.get_trading_pairs()
    assert len(pairs) >= rig.least_markets
    assert {rig.symbol, rig.second, rig.halted} <= set(pairs)
    assert pairs[rig.symbol].lot_step == D(rig.lot_step)
    assert pairs[rig.symbol].tradable
    for symbol, pair in pairs.items():
        assert pair.symbol == symbol and symbol.count("/") == 1 and pair.venue_symbol
        assert pair.lot_step > 0 and pair.tick_size > 0
        assert pair.minimum_quantity >= 0 and pair.minimum_notional >= 0
    assert not any(symbol.startswith(("XBT/", "XDG/")) for symbol in pairs)
    assert broker.known_trading_pairs() == pairs


def test_c21_a_market_that_is_closed_is_listed_as_one_that_nothing_is_opened_in(
    wiring: Wiring, account: AccountRef, halted: str
) -> None:
    wiring.forget_markets()
    pairs = wiring.broker(account).get_trading_pairs()
    assert not pairs[halted].tradable
    assert pairs[halted].status


def test_c22_a_market_that_is_closed_takes_no_order(broker: BaseBroker, rig: Rig, halted: str) -> None:
    with pytest.raises(VenueError) as refused:
        broker.place_order(an_order(quantity=rig.halted_quantity, symbol=halted))
    assert not isinstance(refused.value, OutcomeUnknown)


def test_c23_candles_are_closed_and_oldest_first(broker: BaseBroker, rig: Rig) -> None:
    candles = broker.get_candles(rig.symbol, interval_minutes=1, limit=50)
    assert len(candles) == 50
    opened = [candle.opened_at for candle in candles]
    assert opened == sorted(set(opened))
    assert opened[-1] + timedelta(minutes=1) <= now() + timedelta(seconds=1)
    assert opened[-1] > now() - timedelta(minutes=3)
    assert all(0 < candle.low <= min(candle.open, candle.close) for candle in candles)
    assert all(max(candle.open, candle.close) <= candle.high for candle in candles)


def test_c24_quotes_of_many_symbols_come_in_few_answers_and_unlisted_ones_are_absent(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen = exchange.last_seq()
    quotes = broker.get_best_bid_ask_batch([rig.symbol, rig.second, "NOSUCH/USD", rig.symbol])
    assert set(quotes) == {rig.symbol, rig.second}
    assert all(0 < quote.bid <= quote.ask for quote in quotes.values())
    assert 1 <= len(exchange.journal(seen, type="request", brokerage=rig.name, endpoint=rig.endpoints.quotes)) <= 2
    with pytest.raises(UnreadableReply, match="NOSUCH"):
        broker.get_best_bid_ask("NOSUCH/USD")
