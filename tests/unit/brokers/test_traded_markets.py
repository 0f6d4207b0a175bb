"""In which markets trades are looked for at a venue that lists them market by market."""

from decimal import Decimal

from bot.brokers.by_ccxt.traded_markets import LINGER_SECONDS, TradedMarkets
from bot.domain.balance import AssetBalance
from tests.unit.brokers.clocks import TurnedClock

LISTED = dict.fromkeys(["BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDT", "USDC/USDT"])


def holding(**amounts: str) -> dict[str, AssetBalance]:
    return {asset: AssetBalance(Decimal(amount), Decimal(0)) for asset, amount in amounts.items()}


def traded() -> tuple[TradedMarkets, TurnedClock]:
    clock = TurnedClock()
    return TradedMarkets(clock, quote_currency="USDT"), clock


def read(markets: TradedMarkets, balances: dict[str, AssetBalance]) -> None:
    """A reading of everything that may have been traded, with what is held at its beginning."""
    markets.changed(balances, {})
    markets.finish()


def test_at_first_whatever_is_held_may_have_been_traded_for_the_accounts_currency() -> None:
    markets, _ = traded()
    markets.changed(holding(USDT="10", BTC="1", SOL="0", XYZ="3"), LISTED)
    assert markets.to_ask() == ["BTC/USDT"]


def test_later_only_markets_between_balances_that_have_changed() -> None:
    markets, clock = traded()
    markets.changed(holding(USDT="10", BTC="1", ETH="1"), LISTED)
    read(markets, holding(USDT="10", BTC="1", ETH="1"))
    clock.advance(LINGER_SECONDS + 1)
    assert markets.to_ask() == []
    markets.changed(holding(USDT="10", BTC="0.9", ETH="3"), LISTED)
    assert markets.to_ask() == ["ETH/BTC"]


def test_an_asset_that_is_gone_or_new_has_changed() -> None:
    markets, clock = traded()
    read(markets, holding(USDT="10", BTC="1"))
    markets.changed(holding(USDT="20"), LISTED)
    assert markets.to_ask() == ["BTC/USDT"]
    clock.advance(LINGER_SECONDS + 1)
    read(markets, holding(USDT="20"))
    markets.changed(holding(USDT="5", SOL="3"), LISTED)
    assert markets.to_ask() == ["SOL/USDT"]


def test_what_was_held_back_by_an_order_has_not_changed() -> None:
    markets, _ = traded()
    read(markets, holding(USDT="10", BTC="1"))
    held = {"USDT": AssetBalance(Decimal(4), Decimal(6)), "BTC": AssetBalance(Decimal(1), Decimal(0))}
    markets.changed(held, LISTED)
    assert markets.to_ask() == []


def test_a_change_is_asked_about_for_a_while_and_until_all_has_been_read() -> None:
    markets, clock = traded()
    read(markets, holding(USDT="10", BTC="1"))
    for _ in range(3):
        markets.changed(holding(USDT="20", BTC="0.5"), LISTED)  # the reading of the trades failed: still a change
        clock.advance(LINGER_SECONDS - 1)
        assert markets.to_ask() == ["BTC/USDT"]
    read(markets, holding(USDT="20", BTC="0.5"))
    assert markets.to_ask() == ["BTC/USDT"], "the venue's lists may lag"
    clock.advance(2)
    assert markets.to_ask() == []


def test_markets_of_orders_of_ours_are_asked_whatever_the_balances_say() -> None:
    markets, clock = traded()
    read(markets, holding(USDT="10"))
    markets.touched("SOL/USDT")
    markets.changed(holding(USDT="10"), LISTED)
    assert markets.to_ask() == ["SOL/USDT"]
    clock.advance(LINGER_SECONDS + 1)
    assert markets.to_ask() == []


def test_what_the_books_hold_is_asked_about_at_first_though_nothing_of_it_is_left() -> None:
    markets, clock = traded()
    markets.expected(["ETH/USDT"])
    markets.changed(holding(USDT="10"), LISTED)
    assert markets.to_ask() == ["ETH/USDT"]
    read(markets, holding(USDT="10"))
    clock.advance(LINGER_SECONDS + 1)
    markets.expected(["ETH/USDT"])
    assert markets.to_ask() == []
