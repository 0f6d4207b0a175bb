"""The quick sum of all exposure is made of numbers alone, and ends no transaction over what is none."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, insert

from bot.domain.account import AccountRef, BrokerType
from bot.storage import accounts, exposure
from bot.storage.exposure import Rough
from bot.storage.schema import position
from bot.storage.store import Store

ON_BOTH_DATABASES = True
KRAKEN = AccountRef.master(BrokerType.KRAKEN)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def hold(connection: Connection, symbol: str, quantity: str) -> None:
    names = ("owed_quantity", "average_entry_price", "highest_price")
    values = dict.fromkeys(names, Decimal(2)) | {"quantity": Decimal(quantity)}
    row = values | {"account_id": KRAKEN.label, "symbol": symbol, "opened_at": NOW}
    connection.execute(insert(position).values(row))


@pytest.fixture
def books(store: Store) -> Store:
    def work(connection: Connection) -> None:
        accounts.remember_account(connection, KRAKEN, name="kraken", enabled=True, now=NOW)
        hold(connection, "A/USD", "1.5")
        hold(connection, "B/USD", "0.25")

    store.write(work)
    return store


def test_positions_are_summed(books: Store) -> None:
    with books.read() as connection:
        assert exposure.rough_of_all(connection, currencies={"USD"}) == Rough(2, 3.5)


@pytest.mark.parametrize("nonsense", ["five", "", "NaN", "Infinity", "-5", "0", "9" * 400, "1e5000", "0x10"])
def test_one_row_that_is_no_positive_amount_makes_it_unknown_and_what_follows_is_still_read(
    books: Store, nonsense: str
) -> None:
    def work(connection: Connection) -> tuple[Rough, Rough]:
        connection.exec_driver_sql(f"UPDATE position SET quantity = '{nonsense}' WHERE symbol = 'A/USD'")
        wrong = exposure.rough_of_all(connection, currencies={"USD"})
        connection.exec_driver_sql("DELETE FROM position WHERE symbol = 'A/USD'")
        return wrong, exposure.rough_of_all(connection, currencies={"USD"})

    wrong, right = books.write(work)
    assert wrong.cost is None or wrong.cost > 1e300, "whoever has a limit looks at each row then"
    assert right == Rough(1, 0.5)
