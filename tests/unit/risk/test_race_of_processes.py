"""Limits over all accounts hold across processes: each has a store of its own, and all of them one database."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import URL

from bot.risk.case import LimitRules
from bot.storage.postgres import postgres_url
from bot.storage.store import Store
from tests.postgres_server import PostgresServer
from tests.unit.risk.desk import ANN, KRAKEN, RiskDesk
from tests.unit.risk.test_race import at_once

ENTRIES = 20


@pytest.fixture
def stores(postgres: PostgresServer) -> Iterator[list[Store]]:
    url: URL = postgres_url(postgres.migrated_database())
    opened = [Store(url), Store(url)]
    for store in opened:
        store.start()
    yield opened
    for store in opened:
        store.close()


def test_two_processes_never_exceed_the_notional_of_all_accounts_together(stores: list[Store]) -> None:
    rules = LimitRules(max_total_notional_quote=Decimal(1000))
    desks = [RiskDesk(store, rules, accounts_=(ref,)) for store, ref in zip(stores, (KRAKEN, ANN), strict=True)]
    works = [
        lambda desk=desk, ref=ref, symbol=f"C{number}/USD": desk.enter(symbol, account=ref)
        for number in range(ENTRIES)
        for desk, ref in zip(desks, (KRAKEN, ANN), strict=True)
    ]
    at_once(works)  # type: ignore[arg-type]
    assert sum(desks[0].exposure().values()) == 1000
    assert len(desks[0].vetoes()) == 2 * ENTRIES - 10
