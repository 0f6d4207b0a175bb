"""The exchange says of every arriving order whether the bot had written it down before it sent it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.coinbase_caller import CoinbaseCaller
from tests.paper_exchange.kraken_client import KrakenClient

CLIENT_ORDER_ID = "ab12000000004000800000000000000{}"


class BotsBook:
    """A database with nothing but the columns the check looks at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("CREATE TABLE order_intent (client_order_id, state, payload_sha256)")

    def note(self, client_order_id: str, payload: str | None, state: str = "submitted") -> None:
        digest = None if payload is None else hashlib.sha256(f"{client_order_id}|{payload}".encode()).hexdigest()
        self._connection.execute("INSERT INTO order_intent VALUES (?, ?, ?)", (client_order_id, state, digest))

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books") / "bot's?book #1.db"


@pytest.fixture(scope="module")
def exchange(path: Path) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7, options=("--write-ahead-database", str(path))) as process:
        yield process


@pytest.fixture
def book(path: Path) -> Iterator[BotsBook]:
    """A new file each time: the exchange must notice that another one has taken the old one's place."""
    for one in path.parent.iterdir():
        one.unlink()
    made = BotsBook(path)
    yield made
    made.close()


@pytest.fixture
def kraken(exchange: ExchangeProcess) -> KrakenClient:
    account = exchange.open_account("kraken", f"user{len(exchange.accounts())}", {"USD": "10000"})
    return KrakenClient(exchange.rest_url("kraken"), account)


@pytest.fixture
def coinbase(exchange: ExchangeProcess) -> CoinbaseCaller:
    account = exchange.open_account("coinbase", f"user{len(exchange.accounts())}", {"USD": "10000"})
    return CoinbaseCaller(exchange, account)


def buy(kraken: KrakenClient, client_order_id: str, volume: str = "0.00100", **more: Any) -> dict[str, Any]:
    return kraken.call(
        "AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume=volume, cl_ord_id=client_order_id, **more
    )


def verdicts(exchange: ExchangeProcess, account: str) -> list[str]:
    return [line["verdict"] for line in exchange.journal(type="write_ahead", account=account)]


def test_an_order_written_down_with_its_payload_is_fine_at_kraken(
    exchange: ExchangeProcess, kraken: KrakenClient, book: BotsBook
) -> None:
    market, limit = CLIENT_ORDER_ID.format(1), CLIENT_ORDER_ID.format(2)
    book.note(market, "BTC/USD|buy|market|0.001|")
    book.note(limit, "BTC/USD|buy|limit_ioc|0.002|90000")
    buy(kraken, market)
    kraken.call(
        "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="90000.0", timeinforce="IOC",
        volume="0.002", cl_ord_id=limit,
    )  # fmt: skip
    assert verdicts(exchange, kraken.account.name) == ["ok", "ok"]


def test_an_order_written_down_with_its_payload_is_fine_at_coinbase(
    exchange: ExchangeProcess, coinbase: CoinbaseCaller, book: BotsBook
) -> None:
    for number, (kind, form, fields) in enumerate(
        [
            ("market|0.001|", "market_market_ioc", {"base_size": "0.0010"}),
            ("limit_ioc|0.001|90000", "sor_limit_ioc", {"base_size": "0.001", "limit_price": "90000.00"}),
            ("limit_gtc|0.001|9000.5", "limit_limit_gtc", {"base_size": "0.001", "limit_price": "9000.5"}),
        ]
    ):
        book.note(CLIENT_ORDER_ID.format(number), f"BTC/USD|buy|{kind}")
        coinbase.order(CLIENT_ORDER_ID.format(number), form, **fields)
    assert verdicts(exchange, coinbase.account.name) == ["ok", "ok", "ok"]


def test_the_check_stands_before_the_decision_in_the_journal(
    exchange: ExchangeProcess, kraken: KrakenClient, book: BotsBook
) -> None:
    book.note(CLIENT_ORDER_ID.format(1), "BTC/USD|buy|market|0.001|")
    buy(kraken, CLIENT_ORDER_ID.format(1))
    kinds = [line["type"] for line in exchange.journal(account=kraken.account.name)]
    assert kinds == ["request", "write_ahead", "accept", "fill"]


@pytest.mark.parametrize(
    ("payload", "state", "verdict"),
    [
        ("BTC/USD|buy|market|0.001|", "created", "wrong_state:created"),
        ("BTC/USD|buy|market|0.001|", "unknown", "wrong_state:unknown"),
        ("BTC/USD|buy|market|0.002|", "submitted", "wrong_payload"),
        ("BTC/USD|sell|market|0.001|", "submitted", "wrong_payload"),
        ("ETH/USD|buy|market|0.001|", "submitted", "wrong_payload"),
        ("BTC/USD|buy|limit_ioc|0.001|", "submitted", "wrong_payload"),
        (None, "submitted", "wrong_payload"),
    ],
)
def test_what_was_written_down_otherwise_is_told(
    exchange: ExchangeProcess, kraken: KrakenClient, book: BotsBook, payload: str | None, state: str, verdict: str
) -> None:
    book.note(CLIENT_ORDER_ID.format(1), payload, state)
    before = exchange.last_seq()
    buy(kraken, CLIENT_ORDER_ID.format(1))
    (line,) = exchange.journal(before, type="write_ahead")
    assert (line["client_order_id"], line["verdict"]) == (CLIENT_ORDER_ID.format(1), verdict)


def test_an_order_that_is_in_no_book_or_has_no_id_is_missing(
    exchange: ExchangeProcess, kraken: KrakenClient, book: BotsBook
) -> None:
    buy(kraken, CLIENT_ORDER_ID.format(1))
    kraken.call("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.001")
    assert verdicts(exchange, kraken.account.name) == ["missing", "missing"]


def test_no_database_means_missing_and_one_without_the_column_is_unreadable(
    exchange: ExchangeProcess, kraken: KrakenClient, path: Path
) -> None:
    for one in path.parent.iterdir():
        one.unlink()
    buy(kraken, CLIENT_ORDER_ID.format(1))
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE order_intent (client_order_id, state)")
    connection.close()
    buy(kraken, CLIENT_ORDER_ID.format(2))
    path.unlink()
    path.write_bytes(b"this is no database" * 100)
    buy(kraken, CLIENT_ORDER_ID.format(3))
    missing, *unreadable = verdicts(exchange, kraken.account.name)
    assert missing == "missing"
    assert [verdict.partition(":")[0] for verdict in unreadable] == ["unreadable", "unreadable"]


def test_a_forged_request_and_one_to_validate_are_not_looked_up(
    exchange: ExchangeProcess, kraken: KrakenClient, book: BotsBook
) -> None:
    buy(kraken, CLIENT_ORDER_ID.format(1), validate="true")
    body = b"nonce=1&pair=XBTUSD&type=buy&ordertype=market&volume=0.001"
    kraken.send("AddOrder", body, "1", signature="bm8=")
    assert verdicts(exchange, kraken.account.name) == []


def test_a_delayed_order_is_judged_when_it_arrives_not_when_it_is_carried_out(
    exchange: ExchangeProcess, kraken: KrakenClient, book: BotsBook
) -> None:
    book.note(CLIENT_ORDER_ID.format(1), "BTC/USD|buy|market|0.001|")
    exchange.fault("delay 0.05", account=kraken.account.name, endpoint="AddOrder")
    buy(kraken, CLIENT_ORDER_ID.format(1))
    checked, accepted, _ = exchange.journal(account=kraken.account.name)[1:]
    assert (checked["verdict"], accepted["type"]) == ("ok", "accept")
    assert checked["time"] < accepted["time"]


def test_every_order_of_a_batch_is_looked_up(exchange: ExchangeProcess, kraken: KrakenClient, book: BotsBook) -> None:
    book.note(CLIENT_ORDER_ID.format(1), "BTC/USD|buy|market|0.001|")
    orders = [
        {"ordertype": "market", "type": "buy", "volume": "0.001", "cl_ord_id": CLIENT_ORDER_ID.format(number)}
        for number in (1, 2)
    ]
    kraken.post_json("AddOrderBatch", {"pair": "XBTUSD", "orders": orders})
    assert verdicts(exchange, kraken.account.name) == ["ok", "missing"]


def test_without_the_option_nothing_is_looked_up() -> None:
    with ExchangeProcess(seed=7) as exchange:
        kraken = KrakenClient(exchange.rest_url("kraken"), exchange.open_account("kraken", "master"))
        buy(kraken, CLIENT_ORDER_ID.format(1))
        assert {line["type"] for line in exchange.journal()} == {"request", "accept", "fill"}
