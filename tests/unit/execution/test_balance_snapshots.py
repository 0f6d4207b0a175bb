"""A reading of the balance becomes a row at once, unless it may as well wait for the account's own row."""

from bot.domain.account import AccountRef, BrokerType
from bot.execution.account_status import AccountStatus
from bot.storage import accounts
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker, TestClock

MASTER = AccountRef.master(BrokerType.KRAKEN)


def _known(store: Store, clock: TestClock) -> bool:
    """Whether a trade of this moment finds the balance before it."""
    clock.seconds += 1
    with store.read() as connection:
        return accounts.balance_before(connection, MASTER.label, clock.now()) is not None


def test_a_reading_can_be_found_at_once_or_once_the_accounts_row_is_written(store: Store) -> None:
    clock = TestClock()
    store.write(
        lambda connection: accounts.remember_account(connection, MASTER, name="master", enabled=True, now=clock.now())
    )
    status = AccountStatus(store=store, clock=clock, account=MASTER, mode="paper")
    reading = MemoryBroker(MASTER, clock).refresh_balance()
    status.balance(reading, with_the_row=True)
    assert not _known(store, clock)
    status.publish()
    assert _known(store, clock)


def test_a_reading_that_waited_is_written_with_the_next_one(store: Store) -> None:
    clock = TestClock()
    store.write(
        lambda connection: accounts.remember_account(connection, MASTER, name="master", enabled=True, now=clock.now())
    )
    status = AccountStatus(store=store, clock=clock, account=MASTER, mode="paper")
    broker = MemoryBroker(MASTER, clock)
    status.balance(broker.refresh_balance(), with_the_row=True)
    clock.seconds += 10
    status.balance(broker.refresh_balance())
    with store.read() as connection:
        first = accounts.balance_before(connection, MASTER.label, broker.balance_book.reading().holdings.taken_at)  # type: ignore[union-attr]
    assert first is not None
    assert _known(store, clock)
