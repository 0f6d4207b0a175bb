"""The state of an exchange on disk: accounts and keys, balances, orders, trades, and the nonces seen.

A state is a directory (or a file, whose name then starts the names of its companions):

``exchange.json``  everything that can still change, replaced as a whole: written beside, synced, renamed.
``recent.json``    the same, newer but not synced: it survives a kill of the process, not a loss of power.
``history.ndjson`` closed orders, trades and ledger entries, appended once each; the snapshot says how much counts.
``nonces``         nonces accepted since then, one appended line each, so that a kill can't make a key go back.
``journal.ndjson`` the journal.
``ports``          where it listened last, to listen there again: its clients need not look for it after a restart.
``lock``           held while an exchange runs on this state.

It holds API secrets, so only its owner may read it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from paper_exchange.clock import pause_seconds, steady_seconds

STATE_VERSION = 1
LOCK_WAIT_SECONDS = 5.0
"""A parent killed and started again may find the old exchange still writing its last state."""


class StateUnusable(Exception):
    """The state can't be used; the message is a sentence that names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class StatePaths:
    snapshot: Path
    recent: Path
    history: Path
    nonces: Path
    journal: Path
    ports: Path
    lock: Path

    @classmethod
    def of(cls, location: Path) -> StatePaths:
        """A location that is a directory, or has no suffix, is a directory; anything else is the snapshot's file."""
        if location.is_dir() or (not location.exists() and not location.suffix):
            names = ("exchange.json", "recent.json", "history.ndjson", "nonces", "journal.ndjson", "ports", "lock")
            return cls(*(location / name for name in names))
        companions = (
            location.with_name(location.name + end)
            for end in (".recent", ".history", ".nonces", ".journal", ".ports", ".lock")
        )
        return cls(location, *companions)


class StateStore:
    """Loads and saves the state; holds the lock from construction to ``close``."""

    def __init__(self, location: Path) -> None:
        self.paths = StatePaths.of(location)
        try:
            self.paths.snapshot.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(self.paths.lock)
        except OSError as problem:
            raise StateUnusable(f"The state {location} can't be opened: {problem.strerror}.") from problem
        self._nonces: IO[bytes] | None = None
        self._history: IO[bytes] | None = None
        self._history_bytes = 0

    def load(self) -> dict[str, Any] | None:
        """The last snapshot, with the nonces accepted after it; None on the first start."""
        path = self.paths.snapshot
        if not path.exists():
            return None
        snapshot = self._newer(_read_snapshot(path))
        nonces: dict[str, int] = snapshot["nonces"]
        for key, nonce in _read_nonces(self.paths.nonces):
            nonces[key] = max(nonce, nonces.get(key, 0))
        return snapshot

    def _newer(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """``recent.json`` if it is whole and newer. If it is not whole, that loses at most a second: it is no reason
        not to start."""
        try:
            recent = _read_snapshot(self.paths.recent)
            whole = self.paths.history.stat().st_size >= recent["history_bytes"]
        except (StateUnusable, OSError):
            return snapshot
        return recent if whole and recent["save_number"] > snapshot["save_number"] else snapshot

    def last_ports(self) -> dict[str, int]:
        """Where the exchange of this state listened last, by front; empty if that is not known."""
        try:
            lines = self.paths.ports.read_text().split()
            return {name: int(port) for name, _, port in (line.partition("=") for line in lines)}
        except (OSError, ValueError):
            return {}

    def note_ports(self, ports: Mapping[str, int]) -> None:
        """Remember where it listens now."""
        with open(self.paths.ports, "wb", opener=_private_opener) as file:
            file.write("".join(f"{name}={port}\n" for name, port in ports.items()).encode())

    def load_history(self, size: int) -> bytes:
        """The first ``size`` bytes of the history; what a killed process wrote after them is cut off."""
        path = self.paths.history
        content = path.read_bytes()[:size] if path.exists() else b""
        if len(content) < size:
            raise StateUnusable(
                f"The state file {path} is damaged (it has {len(content)} bytes of {size}). "
                f"Move it and {self.paths.snapshot} away to start with an empty exchange."
            )
        if path.exists():
            os.truncate(path, size)
        self._history_bytes = size
        return content

    def append_history(self, lines: bytes) -> int:
        """Add lines and return the size of the history, to be kept in the snapshot that goes with it."""
        if self._history is None:
            self._history = _private_append(self.paths.history)
        # Nothing may stand between what counts and what is added, such as half a line from a disk that was full.
        self._history.truncate(self._history_bytes)
        self._history.write(lines)
        self._history_bytes += len(lines)
        return self._history_bytes

    def note_nonce(self, key: str, nonce: int) -> None:
        """Remember at once that ``nonce`` was used by ``key``."""
        if self._nonces is None:
            self._nonces = _private_append(self.paths.nonces)
        self._nonces.write(f"{key} {nonce}\n".encode())

    def begin_snapshot(self) -> None:
        """Say that a snapshot is taken now: nonces noted from here on are not in it."""
        if self._nonces is not None:
            self._nonces.close()
            self._nonces = None
        if self.paths.nonces.exists():
            # Both files are read at the next start, so a kill between here and the rename loses nothing.
            with _private_append(_previous(self.paths.nonces)) as previous:
                previous.write(self.paths.nonces.read_bytes())
            self.paths.nonces.unlink()

    def write(self, snapshot: bytes) -> None:
        """Replace the snapshot; returns when it is on the disk. Safe to call from another thread."""
        if self._history is not None:
            os.fsync(self._history.fileno())
        path = self.paths.snapshot
        beside = path.with_name(path.name + ".new")
        with open(beside, "wb", opener=_private_opener) as file:
            file.write(snapshot)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_directory(path.parent)
        _previous(self.paths.nonces).unlink(missing_ok=True)

    def write_recent(self, snapshot: bytes) -> None:
        """Replace ``recent.json`` without waiting for the disk."""
        beside = self.paths.recent.with_name(self.paths.recent.name + ".new")
        with open(beside, "wb", buffering=0, opener=_private_opener) as file:
            file.write(snapshot)
        beside.replace(self.paths.recent)

    def close(self) -> None:
        if self._nonces is not None:
            self._nonces.close()
            self._nonces = None
        if self._history is not None:
            self._history.close()
            self._history = None
        self._lock.close()


def encode_snapshot(snapshot: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"version": STATE_VERSION, **snapshot})


def _read_snapshot(path: Path) -> dict[str, Any]:
    advice = "Move it away to start with an empty exchange."
    try:
        snapshot = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as problem:
        raise StateUnusable(f"The state file {path} can't be read: {problem.strerror}.") from problem
    except msgspec.DecodeError as problem:
        raise StateUnusable(f"The state file {path} is damaged ({problem}). {advice}") from problem
    if snapshot.get("version") != STATE_VERSION:
        version = snapshot.get("version")
        raise StateUnusable(f"The state file {path} has version {version!r}, not {STATE_VERSION}. {advice}")
    missing = sorted(
        {"seed", "epoch", "time_ns", "token", "accounts", "nonces", "engine", "market", "history_bytes", "save_number"}
        - snapshot.keys()
    )
    if missing:
        raise StateUnusable(f"The state file {path} is damaged ({missing[0]!r} is missing). {advice}")
    return snapshot


def _read_nonces(path: Path) -> list[tuple[str, int]]:
    seen: list[tuple[str, int]] = []
    for part in (_previous(path), path):
        if part.exists():
            for line in part.read_text("utf-8", errors="replace").splitlines():
                key, _, nonce = line.partition(" ")
                if nonce.isascii() and nonce.isdigit():
                    seen.append((key, int(nonce)))
    return seen


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".old")


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _private_append(path: Path) -> IO[bytes]:
    return open(path, "ab", buffering=0, opener=_private_opener)


def _locked(path: Path) -> IO[bytes]:
    file = _private_append(path)
    deadline = steady_seconds() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if steady_seconds() > deadline:
                file.close()
                raise StateUnusable(
                    f"The state {path.parent} is in use by another paper exchange. Stop it or use another --state."
                ) from None
            pause_seconds(0.05)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
