"""Of every order that comes to OKX, over REST or the socket, the exchange says whether it had been written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.okx_caller import INSTRUMENT, OkxCaller
from tests.paper_exchange.okx_socket import OkxSocket
from tests.paper_exchange.test_write_ahead import CLIENT_ORDER_ID, BotsBook

LIMIT = {"instId": INSTRUMENT, "tdMode": "cash", "side": "buy", "ordType": "ioc", "sz": "0.0010", "px": "41000.0"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books") / "book.db"


@pytest.fixture(scope="module")
def exchange(path: Path) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7, options=("--write-ahead-database", str(path))) as process:
        process.pause()
        process.set_price("BTC/USDT", "50000")
        yield process


@pytest.fixture(scope="module")
def book(path: Path) -> Iterator[BotsBook]:
    made = BotsBook(path)
    yield made
    made.close()


def _verdicts(exchange: ExchangeProcess, account: str) -> list[str]:
    return [line["verdict"] for line in exchange.journal(type="write_ahead", account=account)]


def test_orders_over_rest_are_judged_one_by_one(exchange: ExchangeProcess, book: BotsBook) -> None:
    ids = [CLIENT_ORDER_ID.format(number) for number in range(5)]
    book.note(ids[0], "BTC/USDT|buy|market|0.001|")
    book.note(ids[1], "BTC/USDT|buy|limit_ioc|0.001|41000")
    book.note(ids[2], "BTC/USDT|buy|limit_ioc|0.002|41000")
    with OkxCaller(exchange, exchange.open_account("okx", "rest", {"USDT": "1000"})) as caller:
        caller.placed(ids[0], "market", sz="0.0010", tgtCcy="base_ccy")
        batch = [{**LIMIT, "clOrdId": each} for each in (ids[1], ids[2], ids[3])]
        caller.post("trade/batch-orders", [*batch, {**LIMIT, "clOrdId": ids[4], "sz": "odd"}])
        caller.cancel(clOrdId=ids[0])
    assert _verdicts(exchange, "rest") == ["ok", "ok", "wrong_payload", "missing", "missing"]
    kinds = [line["type"] for line in exchange.journal(account="rest", client_order_id=ids[0])]
    assert kinds[:4] == ["request", "write_ahead", "accept", "fill"]


def test_orders_over_the_socket_are_judged_as_they_arrive(exchange: ExchangeProcess, book: BotsBook) -> None:
    first, second = (CLIENT_ORDER_ID.format(number) for number in (6, 7))
    book.note(first, "BTC/USDT|buy|limit_ioc|0.001|41000")
    account = exchange.open_account("okx", "socket", {"USDT": "1000"})
    with OkxSocket(exchange, account) as socket:
        assert socket.login()["code"] == "0"
        assert socket.ask("order", {**LIMIT, "clOrdId": first})["code"] == "0"
        exchange.fault({"delay": 0.3}, account="socket", endpoint="ws/order")
        assert socket.ask("order", {**LIMIT, "clOrdId": second})["code"] == "0"
    assert _verdicts(exchange, "socket") == ["ok", "missing"]
