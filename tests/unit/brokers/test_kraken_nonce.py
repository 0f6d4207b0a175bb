"""Nonces rise, whatever happens to clock, disk, process or file."""

import fcntl
import itertools
import json
import multiprocessing
import os
import signal
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.kraken.nonce import NonceSource, key_fingerprint
from bot.brokers.kraken.nonce_file import NonceRecord, parse_record, render_record
from bot.domain.errors import ConfigurationError, CredentialsRejected, StoreUnavailable
from bot.seams import failpoints
from bot.seams.clock import SystemClock
from tests.unit.brokers.clocks import TurnedClock

SECOND = 1_000_000_000
HOUR = timedelta(hours=1)


def source(path: Path, clock: TurnedClock | SystemClock, key: str = "key-a") -> NonceSource:
    return NonceSource(path, api_key=key, clock=clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kraken_nonce_master.txt"


def test_a_nonce_is_the_time_in_nanoseconds(path: Path) -> None:
    clock = TurnedClock()
    assert source(path, clock).next() == clock.wall_ns()


def test_nonces_rise_by_one_while_the_clock_stands(path: Path) -> None:
    nonces = source(path, TurnedClock())
    first = nonces.next()
    assert [nonces.next(), nonces.next()] == [first + 1, first + 2]


def test_nonces_rise_when_the_clock_is_set_back_while_running(path: Path) -> None:
    clock = TurnedClock()
    nonces = source(path, clock)
    last = nonces.next()
    clock.set_wall(clock.now() - HOUR)
    assert nonces.next() == last + 1


def test_a_restart_with_the_clock_an_hour_back_goes_on_above_every_nonce_of_before(path: Path) -> None:
    clock = TurnedClock()
    before = source(path, clock)
    used = [before.next() for _ in range(1000)]
    clock.set_wall(clock.now() - HOUR)
    assert source(path, clock).next() > max(used)


def test_nonces_are_never_further_ahead_of_the_clock_than_the_reserve(path: Path) -> None:
    clock = TurnedClock()
    for _ in range(20):
        nonces = source(path, clock)
        assert nonces.next() - clock.wall_ns() <= 2 * SECOND
        clock.advance(2.5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.just("next"),
            st.just("restart"),
            st.just("recover"),
            st.just("accepted"),
            st.floats(min_value=-7200, max_value=7200, allow_nan=False).map(lambda seconds: ("clock", seconds)),
        ),
        max_size=40,
    )
)
def test_no_sequence_of_restarts_clock_steps_and_recoveries_repeats_or_lowers_a_nonce(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    path = tmp_path_factory.mktemp("nonce") / "nonce.txt"
    clock = TurnedClock()
    nonces = source(path, clock)
    handed_out = [nonces.next()]
    for step in steps:
        if step == "restart":
            nonces = source(path, clock)
        elif step == "accepted":
            nonces.accepted()
        elif step == "recover":
            if nonces.refusals_in_a_row < 2:
                nonces.recover()
        elif isinstance(step, tuple):
            clock.set_wall(clock.now() + timedelta(seconds=step[1]))
        handed_out.append(nonces.next())
    assert all(earlier < later for earlier, later in itertools.pairwise(handed_out))


def test_the_ceiling_is_on_disk_before_the_nonce_is_used(path: Path) -> None:
    nonce = source(path, TurnedClock()).next()
    record = parse_record(path.read_bytes())
    assert record.ceiling > nonce
    assert record.key == key_fingerprint("key-a")


def test_the_file_states_format_unit_and_fingerprint_and_only_its_owner_may_read_it(path: Path) -> None:
    source(path, TurnedClock(), key="a-secret-key").next()
    fields = json.loads(path.read_text())
    assert fields["unit"] == "ns" and fields["format"].startswith("nija")
    assert "a-secret-key" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("round_", range(50))
def test_threads_never_get_the_same_nonce_and_each_sees_its_own_rise(path: Path, round_: int) -> None:
    nonces = source(path, SystemClock())
    barrier = threading.Barrier(4)

    def draw() -> list[int]:
        barrier.wait(5)
        return [nonces.next() for _ in range(10)]

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: draw(), range(4)))
    everything = [nonce for each in drawn for nonce in each]
    assert len(set(everything)) == len(everything)
    assert all(each == sorted(each) for each in drawn)


def _draw_in_turns(path: Path, offset: float, pipe: Connection) -> None:
    nonces = NonceSource(path, api_key="key-a", clock=SystemClock(offset_seconds=offset))
    while pipe.recv():
        pipe.send(nonces.next())


def test_two_processes_on_one_file_that_take_turns_see_one_rising_sequence(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(2)]
    children = [
        context.Process(target=_draw_in_turns, args=(path, offset, pair[1]), daemon=True)
        for pair, offset in zip(pairs, (0.0, -3600.0), strict=True)
    ]
    for child in children:
        child.start()
    drawn = []
    for turn in (0, 1, 0, 0, 1, 1, 0, 1, 0, 1):
        pairs[turn][0].send(True)
        assert pairs[turn][0].poll(30)
        drawn.append(pairs[turn][0].recv())
    for pair, child in zip(pairs, children, strict=True):
        pair[0].send(False)
        child.join(10)
        pair[0].close()
    assert drawn == sorted(set(drawn))


def settled_source(path: Path, clock: TurnedClock) -> NonceSource:
    """One that has read its own reservation long enough after it was written to go by the file's times alone."""
    nonces = source(path, clock)
    for _ in range(3):
        nonces.next()
        clock.advance(0.1)
    before = nonces.last
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonces._file, "_read", lambda: pytest.fail("it is read although nobody touched it"))
        assert nonces.next() > before
    return nonces


def another_process_draws(path: Path, clock: TurnedClock) -> int:
    return source(path, clock).next()


def the_same_length_is_written_in_place(path: Path, _clock: TurnedClock) -> int:
    ceiling = parse_record(path.read_bytes()).ceiling + 5 * SECOND
    content = render_record(NonceRecord(ceiling, key_fingerprint("key-a")))
    assert len(content) == path.stat().st_size
    path.write_bytes(content)
    return ceiling - 1


def the_file_is_removed(path: Path, _clock: TurnedClock) -> int:
    path.unlink()
    return 0


@pytest.mark.parametrize("meddle", [another_process_draws, the_same_length_is_written_in_place, the_file_is_removed])
def test_a_change_of_a_file_that_was_quiet_is_seen_by_the_very_next_nonce(
    path: Path, meddle: Callable[[Path, TurnedClock], int]
) -> None:
    clock = TurnedClock()
    nonces = settled_source(path, clock)
    used = max(nonces.last, meddle(path, clock))
    assert nonces.next() > used
    assert parse_record(path.read_bytes()).ceiling > nonces.last


def _draw_until_killed(path: Path, plan: str, pipe: Connection) -> None:
    failpoints.install(plan)
    # A reserve of a millisecond makes nearly every nonce a write, so that the kill finds one.
    nonces = NonceSource(path, api_key="key-a", clock=SystemClock(), reserve_milliseconds=1)
    while True:
        pipe.send(nonces.next())


@pytest.mark.parametrize("place", ["kraken_nonce.before_write", "kraken_nonce.after_write"])
def test_a_kill_between_any_two_steps_of_a_reservation_repeats_no_nonce(path: Path, place: str) -> None:
    before = source(path, SystemClock())
    used = [before.next()]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_draw_until_killed, args=(path, f"{place}:kill", theirs), daemon=True)
    child.start()
    theirs.close()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    while ours.poll():
        try:
            used.append(ours.recv())
        except EOFError:
            break
    ours.close()
    after = source(path, SystemClock(offset_seconds=-3600))
    assert after.next() > max(used)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("1772366400", SECOND), ("1772366400123", 10**6), ("1772366400123456", 1000), ("1772366400123456789", 1)],
)
def test_the_bare_number_of_an_earlier_program_is_understood_by_its_size_and_only_raised(
    path: Path, text: str, unit: int
) -> None:
    path.write_text(text + "\n")
    clock = TurnedClock()
    clock.set_wall(clock.now() - HOUR * 24 * 365)
    nonce = source(path, clock).next()
    assert int(text) * unit < nonce <= (int(text) + 1) * unit


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"-1772366400123456789",
        b"garbage",
        b"\x00\xff\xfe",
        b"17723664001",
        b"0",
        b"99999999999999999999999",
        b"1e18",
        "١٧٧٢٣٦٦٤٠٠١٢٣".encode(),
        b'{"format": "nija-kraken-nonce/1", "unit": "ns", "key": "ab", "ceil',
        b'{"format": "nija-kraken-nonce/1", "unit": "ms", "key": "ab", "ceiling": "1772366400123"}',
        b'{"format": "nija-kraken-nonce/1", "unit": "ns", "key": "ab", "ceiling": "-5"}',
        b'{"format": "something-else/9", "unit": "ns", "key": "ab", "ceiling": "1772366400123456789"}',
        b"[" * 3000,
        b"9" * 5000,
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=path.name):
        source(path, TurnedClock()).next()
    assert path.read_bytes() == content


@settings(max_examples=200)
@given(st.integers(min_value=10**18, max_value=2 * 10**18), st.integers(min_value=0, max_value=200))
def test_a_file_cut_short_anywhere_is_refused_or_gives_no_lower_ceiling(ceiling: int, length: int) -> None:
    for whole in (render_record(NonceRecord(ceiling, "0123456789abcdef")), str(ceiling).encode()):
        try:
            record = parse_record(whole[:length])
        except ValueError:
            continue
        assert record.ceiling >= ceiling


def test_a_file_of_another_key_is_kept_as_a_floor(path: Path) -> None:
    clock = TurnedClock()
    theirs = source(path, clock, key="key-b").next()
    clock.set_wall(clock.now() - HOUR)
    assert source(path, clock, key="key-a").next() > theirs


def test_a_file_that_vanishes_while_running_is_written_again_without_going_back(path: Path) -> None:
    clock = TurnedClock()
    nonces = source(path, clock)
    last = nonces.next()
    path.unlink()
    clock.set_wall(clock.now() - HOUR)
    assert nonces.next() > last
    assert parse_record(path.read_bytes()).ceiling > last


def test_an_older_copy_put_back_while_running_lowers_nothing(path: Path) -> None:
    clock = TurnedClock()
    nonces = source(path, clock)
    nonces.next()
    old = path.read_bytes()
    clock.advance(100)
    last = nonces.next()
    path.write_bytes(old)
    assert nonces.next() > last


def test_an_unwritable_place_gives_no_nonce_and_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreUnavailable, match="sends nothing"):
        source(blocked / "nonce.txt", TurnedClock()).next()


def test_a_disk_that_stops_taking_writes_stops_nonces_when_the_reservation_is_used_up(path: Path) -> None:
    clock = TurnedClock()
    nonces = source(path, clock)
    nonces.next()
    (path.parent / f"{path.name}.new").mkdir()  # stands where the new content would be written
    nonces.next()
    clock.advance(10)
    with pytest.raises(StoreUnavailable, match=path.name):
        nonces.next()
    (path.parent / f"{path.name}.new").rmdir()
    assert nonces.next() >= clock.wall_ns()


def test_a_process_that_holds_the_file_is_waited_for_and_then_named(path: Path) -> None:
    nonces = source(path, TurnedClock())
    nonces.next()
    descriptor = os.open(f"{path}.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(StoreUnavailable, match="another process"):
            nonces.next()
    finally:
        os.close(descriptor)
    assert nonces.next() > 0


def test_recovery_goes_above_the_reservation_and_above_the_venues_clock(path: Path) -> None:
    clock = TurnedClock()
    nonces = source(path, clock)
    nonces.next()
    ceiling = parse_record(path.read_bytes()).ceiling
    nonces.recover()
    assert nonces.next() >= ceiling
    venue_ns = clock.wall_ns() + 3600 * SECOND
    nonces.accepted()
    nonces.recover(venue_now_ns=venue_ns)
    assert nonces.next() >= venue_ns


def test_a_key_whose_nonces_are_refused_three_times_in_a_row_stops_and_says_why(path: Path) -> None:
    nonces = source(path, TurnedClock())
    nonces.next()
    nonces.recover()
    nonces.recover()
    with pytest.raises(CredentialsRejected, match="another program"):
        nonces.recover()
    with pytest.raises(CredentialsRejected, match="another program"):
        nonces.next()


def test_an_accepted_nonce_forgets_earlier_refusals(path: Path) -> None:
    nonces = source(path, TurnedClock())
    for _ in range(5):
        nonces.recover()
        nonces.accepted()
    assert nonces.next() > 0
