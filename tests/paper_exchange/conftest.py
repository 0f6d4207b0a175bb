"""One real exchange process for each test module, and clients to talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.paper_exchange.kraken_client import KrakenClient


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    """Shared by the tests of a module: give every test accounts of its own, and faults that match only those."""
    with ExchangeProcess(seed=7) as process:
        yield process


@pytest.fixture(scope="module")
def names() -> Iterator[int]:
    return count(1)


@pytest.fixture
def open_kraken(exchange: ExchangeProcess, names: Iterator[int]) -> Iterator[Callable[..., KrakenClient]]:
    """Opens a new account at Kraken and gives a client for it: ``open_kraken({"USD": "1000"}, permissions=[…])``."""
    clients: list[KrakenClient] = []

    def open_account(balances: dict[str, str] | None = None, **more: object) -> KrakenClient:
        account: PaperAccount = exchange.open_account("kraken", f"user{next(names)}", balances, **more)
        clients.append(KrakenClient(exchange.rest_url("kraken"), account))
        return clients[-1]

    yield open_account
    for client in clients:
        client.close()


@pytest.fixture
def kraken(open_kraken: Callable[..., KrakenClient]) -> KrakenClient:
    """A client of a new account with 10,000 dollars and one bitcoin."""
    return open_kraken({"USD": "10000", "BTC": "1"})
