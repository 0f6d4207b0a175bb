"""An account that moves between processes and hosts never repeats a nonce, whatever each of them has on its disk."""

import random
from pathlib import Path

import pytest

from bot.brokers.kraken.nonce import SHARED_AHEAD_NS, NonceSource
from bot.domain.errors import StoreUnavailable
from bot.storage import processes
from bot.storage.nonce_ceilings import NonceCeilings
from bot.storage.store import Store
from tests.memory_broker import TestClock

ON_BOTH_DATABASES = True
KEY = "a key"


class Hosts:
    """Processes with a state directory each, on one database. Their clocks differ."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store, self._directory, self.clocks = store, directory, dict[str, TestClock]()
        self._database_clock, self._started = TestClock(), 0
        self._ceilings: dict[NonceSource, NonceCeilings] = {}

    def process(self, name: str, *, clock_ahead: float = 0.0) -> NonceSource:
        """A new process on this host, over what the ones before it have left on its disk."""
        clock = self.clocks.setdefault(name, TestClock())
        clock.seconds += 1
        clock.wall_offset = clock_ahead
        self._started += 1
        process_id = f"{name}-{self._started}"
        joined = self.store.write(
            lambda connection: processes.join(
                connection,
                process_id=process_id,
                pid=1,
                accounts_sha256="",
                share=None,
                lease_seconds=30,
                now=self._database_clock.now(),
            )
        )
        assert joined is not None
        self.last_id = process_id
        shared = NonceCeilings(self.store, clock, process_id=process_id)
        source = NonceSource(self._directory / f"{name}.txt", api_key=KEY, clock=clock, shared=shared)
        self._ceilings[source] = shared
        return source

    def hand_over(self, source: NonceSource) -> None:
        unused = source.hand_over()
        self._ceilings[source].give_back([] if unused is None else [unused])


@pytest.fixture
def hosts(store: Store, tmp_path: Path) -> Hosts:
    return Hosts(store, tmp_path)


def test_the_next_holder_begins_above_the_last_ones_nonces_though_its_clock_is_behind(hosts: Hosts) -> None:
    ahead = hosts.process("a", clock_ahead=3600)
    last = max(ahead.next() for _ in range(5))
    hosts.hand_over(ahead)
    behind = hosts.process("b")
    # Handed over in order, nothing is skipped.
    assert behind.next() == last + 1


def test_after_a_crash_the_next_holder_skips_what_may_have_been_used(hosts: Hosts) -> None:
    crashed = hosts.process("a", clock_ahead=3600)
    last = crashed.next()
    following = hosts.process("b").next()
    assert last < following <= last + 2 * SHARED_AHEAD_NS


def test_taken_back_it_goes_on_above_what_was_used_elsewhere_meanwhile(hosts: Hosts) -> None:
    first, second = hosts.process("a"), hosts.process("b", clock_ahead=600)
    first.next()
    hosts.hand_over(first)
    last = max(second.next() for _ in range(3))
    hosts.hand_over(second)
    assert first.next() > last


def test_a_process_that_was_declared_gone_reserves_nothing_more(hosts: Hosts) -> None:
    source = hosts.process("a")
    source.next()
    hosts.store.write(
        lambda connection: processes.leave(connection, hosts.last_id, reason="gone", now=hosts.clocks["a"].now())
    )
    hosts.clocks["a"].seconds += 120
    with pytest.raises(StoreUnavailable, match="declared gone"):
        source.next()


def test_however_it_moves_crashes_and_clocks_jump_no_nonce_comes_twice_or_falls(hosts: Hosts) -> None:
    chance, last = random.Random(7), 0
    source, clock = hosts.process("a"), hosts.clocks["a"]
    for _ in range(60):
        move = chance.choice(["use", "use", "move", "crash", "later"])
        if move == "use":
            nonce = source.next()
            assert nonce > last
            last = nonce
        elif move == "later":
            clock.seconds += chance.choice([0.5, 30, 120])
        else:
            if move == "move":
                hosts.hand_over(source)
            name = chance.choice("abc")
            source, clock = hosts.process(name, clock_ahead=chance.choice([-300.0, 0.0, 300.0])), hosts.clocks[name]
