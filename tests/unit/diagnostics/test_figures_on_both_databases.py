"""Figures and exports read the same from SQLite and from PostgreSQL."""

from decimal import Decimal

import pytest

from bot.diagnostics.chosen_days import ChosenDays
from bot.diagnostics.period_reading import listed_accounts, read_period
from bot.diagnostics.pnl_explained import by_asset, explain
from bot.domain.cash_event import CashKind
from bot.settings import Settings
from bot.storage.equity_lines import equity_line_of
from bot.storage.ledger_rows import LEDGERS, ledger_rows
from bot.storage.store import Store
from tests.stored_bot import KRAKEN, StoredBot
from tests.unit.diagnostics.ledger import Ledger, at

ON_BOTH_DATABASES = True


class OnStore(StoredBot):
    """The same rows in a store that is there already."""

    def __init__(self, store: Store) -> None:
        self.store = store


@pytest.fixture
def books(store: Store) -> Ledger:
    made = Ledger(OnStore(store), KRAKEN, opened=at(1, "06:00"), units={"USD": "1000"})
    made.buy(at(1, "10:00"), "ETH/USD", "2", "100", fee="0.5")
    made.cash(at(1, "11:00"), CashKind.DEPOSIT, "USD", "50.000000000000000001")
    made.close(at(2, "00:00"), {"ETH": "110"})
    made.sell(at(2, "10:00"), "ETH/USD", "1", "120", fee="0.25")
    made.point(at(2, "12:00"), {"ETH": "115"})
    return made


def test_a_stretch_of_days_with_the_running_one(store: Store, books: Ledger) -> None:
    settings = Settings()
    with store.read() as connection:
        (account,) = listed_accounts(connection, settings)
        period = read_period(connection, account, ChosenDays(), settings)
        slices = explain(connection, period, settings).slices
    assert (period.term("realised"), period.term("unrealised_change"), period.term("fees")) == (
        Decimal(20),
        Decimal(15),
        Decimal("0.75"),
    )
    assert period.term("net_deposits") == Decimal("50.000000000000000001")
    assert period.equity == Decimal("1084.250000000000000001")
    assert by_asset(slices) == [("ETH", Decimal("19.5"), 1)]


def test_every_ledger_can_be_gone_through(store: Store, books: Ledger) -> None:
    with store.read() as connection:
        found = {name: list(ledger_rows(connection, name)) for name in LEDGERS}
        later = list(ledger_rows(connection, "fills", accounts=["kraken"], since=at(1, "10:01"), until=at(3)))
        others = list(ledger_rows(connection, "fills", accounts=["coinbase"]))
    assert {name: len(rows) for name, rows in found.items()} == {"fills": 2, "orders": 0, "cash": 1, "days": 1}
    assert [row.quantity for row in found["fills"]] == [Decimal(2), Decimal(1)]
    assert [row.side for row in later] == ["sell"]
    assert others == []


def test_a_line_of_equity_is_what_was_read(store: Store, books: Ledger) -> None:
    with store.read() as connection:
        line = equity_line_of(connection, "kraken")
        part = equity_line_of(connection, "kraken", since=at(2, "00:01"))
    assert [moment for moment, _ in line] == [at(1, "06:00"), at(2, "00:00"), at(2, "12:00")]
    assert part == [(at(2, "12:00"), Decimal("1084.250000000000000001"))]
