"""A process stops sending by itself long before another may take its lease, and goes on while it is its own."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from bot.domain.errors import Fenced, StoreUnavailable
from bot.instance import InstanceLease
from bot.storage import instance_lease
from bot.storage.store import Store
from tests.unit.hand_clock import HandClock

ON_BOTH_DATABASES = True
T = TypeVar("T")


class Scene:
    def __init__(self, store: Store, *, strict: bool = True) -> None:
        self.store, self.clock, self.lost = store, HandClock(), list[str]()
        self.broken = False
        self.lease = InstanceLease(
            self._transact,
            clock=self.clock,
            epoch=self.take(),
            lease_seconds=30,
            renewed_at=self.clock.monotonic(),
            strict=strict,
            on_lost=self.lost.append,
        )

    def take(self) -> int:
        held = self.store.write(
            lambda connection: instance_lease.take(
                connection, owner="x", pid=1, lease_seconds=30, now=self.clock.now(), owner_is_gone=True
            )
        )
        assert held is not None
        return held.epoch

    def check(self) -> None:
        with self.store.read() as connection:
            self.lease.check(connection)

    def _transact(self, work: Callable[[Connection], T], /) -> T:
        if self.broken:
            raise StoreUnavailable("away")
        return self.store.write(work)


def test_unrenewed_for_half_its_time_nothing_is_sent_and_renewed_it_goes_on(store: Store) -> None:
    scene = Scene(store)
    scene.broken = True
    scene.clock.seconds += 14.9
    scene.lease.step()
    scene.check()
    scene.clock.seconds += 0.2
    with pytest.raises(StoreUnavailable, match="15 s"):
        scene.check()
    scene.broken = False
    scene.lease.step()
    scene.check()
    assert scene.lost == []


def test_what_was_checked_may_leave_only_before_another_can_have_the_lease(store: Store) -> None:
    scene = Scene(store)
    assert scene.lease.send_before() == pytest.approx(scene.clock.monotonic() + 24)
    assert Scene(store, strict=False).lease.send_before() is None


def test_once_another_has_taken_it_nothing_is_sent_ever_again(store: Store) -> None:
    scene = Scene(store)
    scene.take()
    with pytest.raises(Fenced, match="another process"):
        scene.check()
    assert len(scene.lost) == 1
    scene.lease.step()
    with pytest.raises(Fenced):
        scene.check()
    assert len(scene.lost) == 1


def test_the_renewal_notices_it_too(store: Store) -> None:
    scene = Scene(store)
    scene.take()
    scene.lease.step()
    assert scene.lost == ["another process has taken the lease of the database"]
    assert scene.lease.problem()


def test_with_a_lock_on_the_directory_an_unrenewed_lease_stops_nobody(store: Store) -> None:
    scene = Scene(store, strict=False)
    scene.broken = True
    scene.clock.seconds += 1000
    scene.lease.step()
    scene.check()
