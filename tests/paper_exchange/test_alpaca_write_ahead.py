"""Whether the bot had written an Alpaca order down before it sent it."""

from __future__ import annotations

from pathlib import Path

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.alpaca_caller import AlpacaCaller
from tests.paper_exchange.test_write_ahead import BotsBook, verdicts


def test_an_order_is_judged_by_its_payload_when_it_arrives(tmp_path: Path) -> None:
    book = BotsBook(tmp_path / "bot.db")
    book.note("a", "AAPL/USD|buy|market|0.5|")
    book.note("b", "AAPL/USD|buy|limit_ioc|2|900")
    book.note("c", "AAPL/USD|buy|limit_gtc|2|10")
    book.note("d", "AAPL/USD|buy|limit_ioc|1.25|900.5")
    book.note("e", "AAPL/USD|buy|limit_gtc|1.25|10")
    book.note("f", "AAPL/USD|buy|limit_ioc|3|900")
    options = ["--alpaca-session", "always-open", "--write-ahead-database", str(book.path)]
    with (
        ExchangeProcess(seed=5, options=options) as exchange,
        AlpacaCaller(exchange, exchange.open_account("alpaca", "writer", {"USD": "100000"})) as caller,
    ):
        caller.placed("a", qty="0.50")
        caller.placed("b", type="limit", qty="2", limit_price="900", time_in_force="ioc")
        caller.placed("c", type="limit", qty="2", limit_price="10.00", time_in_force="gtc")
        # A fraction is always for the day, so that this may be either kind.
        caller.placed("d", type="limit", qty="1.25", limit_price="900.50")
        caller.placed("e", type="limit", qty="1.25", limit_price="10")
        caller.placed("f", type="limit", qty="3", limit_price="900", time_in_force="gtc")
        caller.placed("unknown", qty="1")
        assert verdicts(exchange, "writer") == ["ok"] * 5 + ["wrong_payload", "missing"]
    book.close()
