from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paper_exchange import state as state_module
from paper_exchange.state import StateStore, StateUnusable, encode_snapshot


def snapshot(**changed: Any) -> bytes:
    fields = {
        "seed": 1,
        "epoch": 1,
        "time_ns": 0,
        "token": "t",
        "accounts": [],
        "nonces": {},
        "engine": {},
        "history_bytes": 0,
        "save_number": 1,
    }
    return encode_snapshot({**fields, "market": {}, **changed})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    opened = StateStore(tmp_path / "paper")
    yield opened
    opened.close()


def after_a_kill(store: StateStore) -> dict[str, Any]:
    """What the next process finds: closing writes nothing, it only lets go of the files."""
    store.close()
    again = StateStore(store.paths.snapshot.parent)
    loaded = again.load()
    again.close()
    assert loaded is not None
    return loaded


def test_the_first_start_has_no_state(store: StateStore) -> None:
    assert store.load() is None


def test_what_was_written_is_loaded_and_only_the_owner_may_read_it(store: StateStore) -> None:
    store.write(snapshot(token="secret"))
    loaded = store.load()
    assert loaded is not None
    assert loaded["token"] == "secret"
    assert stat.S_IMODE(store.paths.snapshot.stat().st_mode) == 0o600


def test_nonces_noted_after_the_snapshot_are_not_forgotten_by_a_kill(store: StateStore) -> None:
    store.write(snapshot())
    store.note_nonce("key", 5)
    store.begin_snapshot()
    store.note_nonce("key", 6)
    # Killed before the snapshot begun above was written: both nonces are only in the notes.
    assert after_a_kill(store)["nonces"] == {"key": 6}


def test_nonces_noted_while_a_snapshot_is_written_are_kept(store: StateStore) -> None:
    store.note_nonce("key", 5)
    store.begin_snapshot()
    store.note_nonce("key", 6)
    store.write(snapshot(nonces={"key": 5}))
    assert after_a_kill(store)["nonces"] == {"key": 6}


def test_the_higher_of_snapshot_and_noted_nonces_counts(store: StateStore) -> None:
    store.note_nonce("key", 5)
    store.write(snapshot(nonces={"key": 9, "other": 1}))
    assert after_a_kill(store)["nonces"] == {"key": 9, "other": 1}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 99}', snapshot()[:-20], b"\x00"],
    ids=["empty", "open", "list", "bare", "other version", "cut", "binary"],
)
def test_a_damaged_state_is_refused_with_a_sentence_that_names_the_file(store: StateStore, content: bytes) -> None:
    store.paths.snapshot.write_bytes(content)
    with pytest.raises(StateUnusable, match=r"state file .*exchange\.json .*Move it away"):
        store.load()


def test_a_write_that_fails_leaves_the_old_state(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(snapshot(token="old"))

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_module.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        store.write(snapshot(token="new"))
    loaded = store.load()
    assert loaded is not None
    assert loaded["token"] == "old"


def test_the_newer_of_two_snapshots_counts_and_a_damaged_recent_one_is_passed_over(store: StateStore) -> None:
    store.write(snapshot(token="synced", save_number=5))
    store.append_history(b"")
    for recent, expected in (
        (snapshot(token="recent", save_number=6), "recent"),
        (snapshot(token="recent", save_number=4), "synced"),
        (snapshot(token="recent", save_number=6, history_bytes=99), "synced"),
        (snapshot(save_number=6)[:-9], "synced"),
    ):
        store.write_recent(recent)
        loaded = store.load()
        assert loaded is not None
        assert loaded["token"] == expected


def test_history_beyond_what_a_snapshot_knows_of_is_cut_off(store: StateStore) -> None:
    size = store.append_history(b"one\n")
    store.write(snapshot(history_bytes=size))
    store.append_history(b"two\n")
    assert store.load_history(size) == b"one\n"
    assert store.append_history(b"three\n") == 10
    assert store.load_history(10) == b"one\nthree\n"


def test_a_history_that_is_too_short_is_refused_with_a_sentence(store: StateStore) -> None:
    store.append_history(b"one\n")
    with pytest.raises(StateUnusable, match=r"history\.ndjson is damaged"):
        store.load_history(5)


def test_a_state_serves_one_exchange_at_a_time(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "LOCK_WAIT_SECONDS", 0.0)
    with pytest.raises(StateUnusable, match="in use by another"):
        StateStore(store.paths.snapshot.parent)
    store.close()
    StateStore(store.paths.snapshot.parent).close()


def test_a_state_may_be_a_file_with_its_companions_beside_it(tmp_path: Path) -> None:
    with_suffix = StateStore(tmp_path / "paper.json")
    with_suffix.write(snapshot())
    assert (tmp_path / "paper.json").is_file()
    with_suffix.close()


def test_a_place_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateUnusable, match="can't be opened"):
        StateStore(tmp_path / "file" / "paper")
