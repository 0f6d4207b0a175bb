"""The row of the lease: one epoch, taken when it is free, on the database's own clock."""

from datetime import UTC, datetime, timedelta

from bot.storage import instance_lease
from bot.storage.instance_lease import Holder
from bot.storage.store import Store

ON_BOTH_DATABASES = True
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def take(
    store: Store, owner: str, *, seconds: float = 600, now: datetime = NOW, owner_is_gone: bool = False
) -> Holder | None:
    return store.write(
        lambda connection: instance_lease.take(
            connection, owner=owner, pid=1, lease_seconds=seconds, now=now, owner_is_gone=owner_is_gone
        )
    )


def test_it_is_not_taken_while_another_has_it_and_its_time_runs(store: Store) -> None:
    first = take(store, "first")
    assert first is not None and first.epoch == 1
    assert take(store, "second") is None
    with store.read() as connection:
        assert instance_lease.holder_of(connection) == first


def test_who_is_known_to_be_gone_is_replaced_at_once_under_a_higher_epoch(store: Store) -> None:
    take(store, "first")
    second = take(store, "second", owner_is_gone=True)
    assert second is not None
    assert (second.epoch, second.owner) == (2, "second")


def test_one_that_was_given_back_is_free_and_its_epoch_is_never_used_again(store: Store) -> None:
    take(store, "first")
    store.write(lambda connection: instance_lease.give_back(connection, epoch=1, now=NOW))
    second = take(store, "second", now=NOW + timedelta(microseconds=1))
    assert second is not None and second.epoch == 2
    assert not store.write(lambda connection: instance_lease.renew(connection, epoch=1, lease_seconds=600, now=NOW))
    with store.read() as connection:
        assert instance_lease.holder_of(connection) == second


def test_renewing_moves_its_end(store: Store) -> None:
    first = take(store, "first", seconds=1)
    assert first is not None
    later = NOW + timedelta(seconds=1)
    assert store.write(lambda connection: instance_lease.renew(connection, epoch=1, lease_seconds=600, now=later))
    with store.read() as connection:
        held = instance_lease.holder_of(connection)
    assert held is not None
    assert held.expires_at > first.expires_at + timedelta(seconds=500)
