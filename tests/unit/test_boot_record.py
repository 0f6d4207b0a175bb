"""Starts are written down, and too many in a row that crashed turn entries off until a person says otherwise."""

from collections.abc import Mapping

import pytest
from sqlalchemy import Connection

from bot import exit_codes
from bot.boot_record import BootRecord
from bot.domain.errors import StoreUnavailable
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.settings import Settings
from bot.storage import boots, halts
from bot.storage.store import Store
from tests.unit.hand_clock import HandClock

ON_BOTH_DATABASES = True
SETTLED_SECONDS = 60.0


class Starts:
    """Starts of the bot, one after the other, on one store."""

    def __init__(
        self,
        store: Store,
        supervision: Mapping[str, int] | None = None,
        mode: str = "one",
        trading_mode: str = "live",
    ) -> None:
        self.store, self.clock = store, HandClock(1_000_000.0)
        self.settings = Settings.model_validate(
            {"supervision": supervision or {}, "scaling": {"mode": mode}, "trading_mode": trading_mode}
        )

    def start(self) -> BootRecord:
        self.clock.seconds += 10
        record = BootRecord(self.store, self.clock, self.settings)
        record.begin()
        return record

    def crash(self, *, after_seconds: float = 5.0) -> None:
        record = self.start()
        self.clock.seconds += after_seconds
        record.turn()

    def stopped_entries(self) -> list[str]:
        with self.store.read() as connection:
            return [one.set_by for one in halts.all_in_force(connection)]

    def resume(self) -> None:
        def work(connection: Connection) -> None:
            found = [one.id for one in halts.all_in_force(connection)]
            halts.lift(connection, found, by="anna", reason="mended", now=self.clock.now())

        self.store.write(work)


def test_each_start_is_a_row_that_says_which_build_settled_and_how_it_ended(store: Store) -> None:
    starts = Starts(store)
    record = starts.start()
    starts.clock.seconds += SETTLED_SECONDS
    record.turn()
    record.end(exit_codes.OK, "signal SIGTERM")
    with store.read() as connection:
        (row,) = boots.latest_boots(connection, limit=5)
    assert row.build and row.configuration
    assert (row.settled_at - row.started_at).total_seconds() == SETTLED_SECONDS
    assert (row.ended_at, row.exit_code, row.detail) == (starts.clock.now(), 0, "signal SIGTERM")


def test_the_start_after_three_that_crashed_enters_nothing(store: Store) -> None:
    starts = Starts(store)
    for _ in range(3):
        starts.crash()
        assert starts.stopped_entries() == []
    starts.start()
    assert starts.stopped_entries() == [boots.SAFE_MODE_BY]
    with store.read() as connection:
        halt = boots.safe_mode(connection)
    assert halt is not None
    assert (halt.scope, halt.strength, halt.source) == (HaltScope.ALL, HaltStrength.ENTRIES_OFF, HaltSource.BOT)
    assert "the last 3 starts" in halt.reason and "then resume" in halt.reason


def test_on_paper_a_start_has_settled_after_a_few_seconds(store: Store) -> None:
    starts = Starts(store, trading_mode="paper")
    for _ in range(4):
        starts.crash(after_seconds=6.0)
    assert starts.stopped_entries() == []
    for _ in range(3):
        starts.crash(after_seconds=4.0)
    starts.start()
    assert starts.stopped_entries() == [boots.SAFE_MODE_BY]


def test_a_start_that_was_stopped_has_not_crashed_even_if_nobody_waited_for_its_end(store: Store) -> None:
    starts = Starts(store)
    for _ in range(4):
        starts.start().was_stopped()
    assert starts.stopped_entries() == []
    with store.read() as connection:
        assert not any(boots.has_crashed(row) for row in boots.latest_boots(connection, limit=9))


def test_safe_mode_stays_when_the_start_settles_and_ends_only_by_a_person(store: Store) -> None:
    starts = Starts(store)
    for _ in range(3):
        starts.crash()
    starts.crash(after_seconds=SETTLED_SECONDS + 1)
    starts.start().end(exit_codes.OK, "")
    starts.start()
    assert starts.stopped_entries() == [boots.SAFE_MODE_BY]
    starts.resume()
    starts.start()
    assert starts.stopped_entries() == []


def test_starts_that_crashed_before_somebody_resumed_count_no_more(store: Store) -> None:
    starts = Starts(store)
    for _ in range(4):
        starts.crash()
    starts.resume()
    for _ in range(3):
        starts.crash()
        assert starts.stopped_entries() == []
    starts.start()
    assert starts.stopped_entries() == [boots.SAFE_MODE_BY]


def test_one_good_start_among_bad_ones_begins_the_count_anew(store: Store) -> None:
    starts = Starts(store)
    for _ in range(3):
        starts.crash()
        starts.crash()
        starts.crash(after_seconds=SETTLED_SECONDS)
    starts.start()
    assert starts.stopped_entries() == []


@pytest.mark.parametrize(
    ("exit_code", "counts"),
    [
        (exit_codes.OK, False),
        (exit_codes.WRONG_USE, False),
        (exit_codes.ALREADY_RUNNING, False),
        (exit_codes.UNCLEAN_STOP, False),
        (exit_codes.LEASE_LOST, False),
        (exit_codes.SOMETHING_WRONG, False),
        (exit_codes.WATCHDOG, True),
    ],
)
def test_what_was_asked_for_or_is_wrongly_configured_is_no_crash(store: Store, exit_code: int, counts: bool) -> None:
    starts = Starts(store)
    for _ in range(4):
        starts.start().end(exit_code, "")
    starts.start()
    assert bool(starts.stopped_entries()) is counts


def test_nought_turns_it_off_and_the_number_is_the_settings(store: Store) -> None:
    never = Starts(store, {"crashed_boots": 0})
    for _ in range(5):
        never.crash()
    assert never.stopped_entries() == []
    Starts(store, {"crashed_boots": 5}).start()
    assert never.stopped_entries() == [boots.SAFE_MODE_BY]


def test_of_many_processes_the_crashes_of_one_stop_nobody(store: Store) -> None:
    many = Starts(store, mode="many")
    for _ in range(5):
        many.crash()
    assert many.stopped_entries() == []


def test_a_store_that_fails_for_a_moment_is_asked_again_until_the_start_has_settled(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Starts(store)
    record = starts.start()
    starts.clock.seconds += SETTLED_SECONDS

    def failing(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store, "write", failing)
        record.turn()
        record.end(exit_codes.OK, "")
    starts.clock.seconds += 5
    record.turn()
    with store.read() as connection:
        (row,) = boots.latest_boots(connection, limit=1)
    assert row.settled_at is not None and row.ended_at is None
