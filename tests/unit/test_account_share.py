"""Processes take accounts up to their part, give back what is above it, and take over from who is gone."""

import pytest

from bot.account_share import AccountShare, digest_of
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import Fenced
from bot.instance import ProcessLease
from bot.storage import accounts, instance_lease, leases, processes
from bot.storage.store import Store
from tests.unit.hand_clock import HandClock

ON_BOTH_DATABASES = False
pytestmark = pytest.mark.sqlite_only("the clock is turned by hand here, and PostgreSQL goes by its own")
KRAKEN = BrokerType.KRAKEN
ACCOUNTS = [AccountRef.master(KRAKEN), *(AccountRef.user(KRAKEN, f"u{number}") for number in range(6))]
LEASE_SECONDS = 30.0


class Scene:
    """Processes on one store, each stepped by hand."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, HandClock()
        self.lost: list[str] = []
        self.leases: dict[str, ProcessLease] = {}
        for account in ACCOUNTS:
            store.write(
                lambda connection, account=account: accounts.remember_account(
                    connection, account, name=account.label, enabled=True, now=self.clock.now()
                )
            )
        store.write(
            lambda connection: leases.prepare(connection, [each.label for each in ACCOUNTS], now=self.clock.now())
        )

    def join(self, name: str, *, share: int | None = None, accounts: list[AccountRef] = ACCOUNTS) -> AccountShare:
        joined = self.store.write(
            lambda connection: processes.join(
                connection,
                process_id=name,
                pid=len(self.leases) + 1,
                accounts_sha256=digest_of(accounts),
                share=share,
                lease_seconds=LEASE_SECONDS,
                now=self.clock.now(),
            )
        )
        assert joined is not None
        self.store.write(lambda connection: processes.set_taking(connection, name, takes=True, now=self.clock.now()))
        self.leases[name] = ProcessLease(
            self.store.write,
            clock=self.clock,
            process_id=name,
            epoch=joined.epoch,
            lease_seconds=LEASE_SECONDS,
            renewed_at=self.clock.monotonic(),
            on_lost=self.lost.append,
        )
        return AccountShare(
            store=self.store,
            clock=self.clock,
            process_id=name,
            accounts=accounts,
            share=share,
            on_taken=lambda _account: None,
        )

    def check(self, name: str) -> None:
        with self.store.read() as connection:
            self.leases[name].check(connection)


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)


def held(*shares: AccountShare) -> list[int]:
    return [sum(share.has(account) for account in ACCOUNTS) for share in shares]


def give_back_all(*shares: AccountShare) -> None:
    """What the connectors do once the threads have ended."""
    for share in shares:
        for account in share.leaving(KRAKEN):
            share.let_go(account)


def test_the_first_takes_all_and_gives_the_second_its_part(scene: Scene) -> None:
    first = scene.join("p1")
    first.step()
    assert held(first) == [7]
    scene.clock.seconds += 10
    scene.leases["p1"].step()
    second = scene.join("p2")
    second.step()
    assert held(second) == [0]  # nobody's account is taken away from a living process
    first.step()
    assert len(first.leaving(KRAKEN)) == 3
    assert not any(account.is_master for account in first.leaving(KRAKEN))
    # Until they are given back they are the first one's to finish, and nobody's to begin anything with.
    leaving = first.leaving(KRAKEN)[0]
    assert (first.has(leaving), first.holds(leaving)) == (True, False)
    give_back_all(first)
    second.step()
    first.step()
    assert held(first, second) == [4, 3]
    assert not [account for account in ACCOUNTS if first.has(account) and second.has(account)]


def test_two_that_start_together_share_from_the_beginning(scene: Scene) -> None:
    first, second = scene.join("p1"), scene.join("p2")
    first.step()
    second.step()
    assert held(first, second) == [4, 3]


def test_who_is_not_heard_of_loses_its_accounts_and_never_sends_again(scene: Scene) -> None:
    first, second = scene.join("p1"), scene.join("p2")
    first.step()
    second.step()
    scene.clock.seconds += 20
    scene.leases["p2"].step()
    second.step()
    assert held(second) == [3]  # it may come back
    with pytest.raises(Exception, match="has not renewed its lease"):
        scene.check("p1")
    scene.clock.seconds += 11
    scene.leases["p2"].step()
    second.step()
    assert held(second) == [7]
    # It wakes up after all: it was declared gone for good.
    scene.leases["p1"].step()
    assert scene.lost == ["this process was declared gone by another, which has taken its accounts"]
    with pytest.raises(Fenced):
        scene.check("p1")
    first.step()
    assert held(first) == [0]


def test_taking_an_account_shuts_out_whoever_had_it(scene: Scene) -> None:
    first = scene.join("p1")
    first.step()
    label = ACCOUNTS[0].label
    opened = scene.store.write(
        lambda connection: leases.open_anew(connection, label, owner="p1", now=scene.clock.now())
    )
    first.let_go(ACCOUNTS[0])
    with scene.store.read() as connection:
        assert (leases.epoch_of(connection, label) or 0) > (opened or 0)
    assert (
        scene.store.write(lambda connection: leases.open_anew(connection, label, owner="p1", now=scene.clock.now()))
        is None
    )


def test_a_share_that_is_set_is_the_most_that_is_taken(scene: Scene) -> None:
    first, second = scene.join("p1", share=2), scene.join("p2", share=3)
    first.step()
    second.step()
    assert held(first, second) == [2, 3]
    assert second.figures() == {"held": 3.0, "free": 2.0}


def test_one_that_stops_takes_nothing_more_and_the_other_takes_all(scene: Scene) -> None:
    first, second = scene.join("p1"), scene.join("p2")
    first.step()
    second.step()
    first.stop(0.1)
    scene.leases["p1"].give_back()
    second.step()
    assert held(second) == [7]


def test_with_a_process_that_works_alone_nobody_joins(scene: Scene) -> None:
    taken = scene.store.write(
        lambda connection: instance_lease.take(
            connection, owner="x", pid=1, lease_seconds=30, now=scene.clock.now(), owner_is_gone=True
        )
    )
    assert taken is not None
    with pytest.raises(AssertionError):
        scene.join("p1")
    scene.clock.seconds += 31
    scene.join("p2")
    # Who worked alone and stood still is shut out by whoever joined.
    with scene.store.read() as connection:
        assert instance_lease.epoch_of(connection) != taken.epoch


def test_a_write_of_which_nobody_heard_is_found_in_the_rows(scene: Scene) -> None:
    first = scene.join("p1")
    scene.store.write(
        lambda connection: leases.take_all(connection, [ACCOUNTS[1].label], owner="p1", now=scene.clock.now())
    )
    first.step()
    assert held(first) == [7]
