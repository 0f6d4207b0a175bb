"""What the public sockets say becomes values; what cannot be right becomes nothing and begins anew."""

from decimal import Decimal

from bot.brokers.kraken.market_reader import Damage, MarketReader
from bot.brokers.kraken.public_messages import read_envelope
from bot.brokers.market_values import MarketValues
from tests.unit.brokers.clocks import TurnedClock
from tests.unit.market.book_wire import VECTOR_ASKS, VECTOR_BIDS, VECTOR_CHECKSUM, book_message, levels_of

SNAPSHOT = book_message("BTC/USD", levels_of(VECTOR_ASKS), levels_of(VECTOR_BIDS), VECTOR_CHECKSUM, kind="snapshot")


class Desk:
    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.values = MarketValues(self.clock)
        self.statuses: dict[str, str] = {}
        self.systems: list[str] = []
        self.reader = MarketReader(
            self.values,
            clock=self.clock,
            decimals_of=lambda _symbol: (1, 8),
            on_statuses=self.statuses.update,
            on_system=self.systems.append,
        )

    def take(self, text: str) -> list[Damage]:
        return self.reader.take(read_envelope(text))


def ticker(symbol: str = "BTC/USD", *, bid: str = "100.0", ask: str = "100.2", last: str = "100.1") -> str:
    return (
        f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{symbol}","bid":{bid},"bid_qty":1.0,"ask":{ask},'
        f'"ask_qty":1.0,"last":{last},"volume":5.50000000,"vwap":100.0,"low":90.0,"high":110.0,"change":1.0,'
        f'"change_pct":1.01,"timestamp":"2026-01-01T00:00:00.000000Z"}}]}}'
    )


def trades(*ids: int, kind: str = "update") -> str:
    rows = ",".join(
        f'{{"symbol":"BTC/USD","side":"buy","price":100.1,"qty":0.50000000,"ord_type":"limit","trade_id":{trade_id},'
        '"timestamp":"2026-01-01T00:00:00.000000Z"}'
        for trade_id in ids
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'


def test_a_ticker_is_a_quote_as_old_as_its_message() -> None:
    desk = Desk()
    desk.take(ticker())
    desk.clock.advance(4)
    quote = desk.values.quote("BTC/USD", max_age_seconds=10)
    assert quote is not None
    assert (quote.bid, quote.ask) == (Decimal("100.0"), Decimal("100.2"))
    assert (desk.clock.now() - quote.taken_at).total_seconds() == 4
    assert desk.values.age_seconds("BTC/USD") == 4


def test_an_old_value_is_no_quote_and_still_shows_its_age() -> None:
    desk = Desk()
    desk.take(ticker())
    desk.clock.advance(10.5)
    assert desk.values.quote("BTC/USD", max_age_seconds=10) is None
    assert desk.values.age_seconds("BTC/USD") == 10.5
    assert desk.values.age_seconds("ETH/USD") is None


def test_prices_that_make_no_sense_leave_the_last_good_ones() -> None:
    desk = Desk()
    desk.take(ticker())
    for bad in (ticker(bid="101.0"), ticker(bid="0"), ticker(last="-1"), ticker(ask="1e999")):
        desk.take(bad)
    row = desk.values.row("BTC/USD")
    assert row is not None
    assert row.bid == Decimal("100.0")
    assert desk.reader.unreadable == 4


def test_a_message_without_its_fields_costs_nothing_but_itself() -> None:
    desk = Desk()
    assert desk.take('{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD"}]}') == []
    assert desk.take('{"channel":"book","type":"update","data":"nonsense"}') == []
    assert desk.take('{"channel":"heartbeat"}') == []
    assert desk.reader.unreadable == 2
    desk.take(ticker())
    assert desk.values.row("BTC/USD") is not None


def test_a_checked_book_is_preferred_to_an_older_ticker() -> None:
    desk = Desk()
    desk.take(ticker())
    desk.clock.advance(1)
    assert desk.take(SNAPSHOT) == []
    quote = desk.values.quote("BTC/USD", max_age_seconds=10)
    assert quote is not None
    assert (quote.bid, quote.ask) == (Decimal("45283.5"), Decimal("45285.2"))


def test_a_book_with_a_wrong_checksum_is_shown_to_nobody_and_begins_anew() -> None:
    desk = Desk()
    desk.take(SNAPSHOT)
    assert desk.take(book_message("BTC/USD", {}, {}, 12345)) == [Damage("book", "BTC/USD")]
    assert desk.values.top("BTC/USD") is None
    assert not desk.reader.has_book("BTC/USD")
    assert desk.take(SNAPSHOT) == []
    assert desk.values.top("BTC/USD") is not None
    assert desk.reader.mismatches == 1


def test_an_update_to_a_snapshot_that_never_came_begins_anew() -> None:
    assert Desk().take(book_message("BTC/USD", {}, {}, 1)) == [Damage("book", "BTC/USD")]


def test_each_trade_is_on_the_tape_once_however_often_it_comes() -> None:
    desk = Desk()
    desk.take(trades(5, 6, kind="snapshot"))
    desk.take(trades(6, 7))
    desk.take(trades(7))
    tape = desk.values.tape("BTC/USD")
    assert tape is not None
    assert [trade.trade_id for trade in tape.recent] == [5, 6, 7]


def test_a_missing_trade_begins_the_tapes_subscription_anew() -> None:
    desk = Desk()
    desk.take(trades(5))
    assert desk.take(trades(8)) == [Damage("trade", "BTC/USD")]
    assert desk.take(trades(6, 7, 8, 9, kind="snapshot")) == []
    tape = desk.values.tape("BTC/USD")
    assert tape is not None
    assert [trade.trade_id for trade in tape.recent] == [5, 6, 7, 8, 9]
    assert tape.count == 5


def test_the_status_of_markets_and_of_the_venue_is_passed_on() -> None:
    desk = Desk()
    desk.take(
        '{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC",'
        '"quote":"USD","status":"cancel_only","qty_precision":8,"price_precision":1,"cost_min":0.5}]}}'
    )
    desk.take(
        '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"maintenance","api_version":"v2",'
        '"connection_id":12393906104898154338}]}'
    )
    assert desk.statuses == {"BTC/USD": "cancel_only"}
    assert desk.systems == ["maintenance"]
