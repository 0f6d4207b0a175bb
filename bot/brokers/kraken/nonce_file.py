"""The file in which a key's nonces are reserved: what it says, and how it is read, locked and replaced.

One line of JSON states format, unit, a fingerprint of the key and the ceiling below which nonces may have been used.
Files of earlier programs hold a bare number in seconds, milliseconds, microseconds, tens of nanoseconds or nanoseconds:
the number of digits says which, and the value is only ever rounded up.
"""

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint

FORMAT = "nija-kraken-nonce/1"
HIGHEST = 2**63 - 1  # Kraken takes 64 bits unsigned; staying below the sign bit suits every other reader
MAX_FILE_BYTES = 4096
LOCK_WAIT_SECONDS = 2.0
LOCK_POLL_SECONDS = 0.002
# Times of files advance in steps of up to 10 ms: two changes within one step can look like one.
SETTLED_SECONDS = 0.03
# Digits of a bare number → nanoseconds in its unit, for times between 2001 and 2286.
UNIT_BY_DIGITS = {10: 10**9, 13: 10**6, 16: 10**3, 18: 10, 19: 1}


def nonce_path(state_dir: Path, account: AccountRef) -> Path:
    """`kraken_nonce_master.txt` or `kraken_nonce_user_<user_id>.txt` in the state directory."""
    owner = "master" if account.is_master else f"user_{account.user_id}"
    return state_dir / f"kraken_nonce_{owner}.txt"


@dataclass(frozen=True)
class NonceRecord:
    """Nonces below `ceiling` (nanoseconds) may have been used. `key` is None in a file of an earlier program."""

    ceiling: int
    key: str | None


class NonceFile:
    """One key's file. Every change happens under `locked()`, which other processes respect too."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._never = threading.Event()
        self._seen: tuple[int, ...] | None = None
        self._seen_since = 0.0
        self._settled: NonceRecord | None = None

    def settled(self) -> NonceRecord | None:
        """What the file says, if nobody has touched it since it was last read; None = read it again.

        Costs one `stat` and no lock. Whoever changes the file meanwhile does so after this look: his reservation is
        above the one that is answered here.
        """
        return self._settled if self._settled is not None and self._identity() == self._seen else None

    def _identity(self) -> tuple[int, ...] | None:
        try:
            there = os.stat(self.path)
        except OSError:
            return None
        return there.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file's lock against other processes. Raises `StoreUnavailable` when it can't be had."""
        try:
            descriptor = self._open_lock()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)  # closing releases the lock, also when the process is killed

    def _open_lock(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(f"{self.path}.lock", flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(f"{self.path}.lock", flags, 0o600)

    def _lock(self, descriptor: int) -> None:
        give_up_at = self._clock.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if self._clock.monotonic() >= give_up_at:
                    raise StoreUnavailable(f"another process holds the nonce file {self.path}") from error
                self._clock.wait(self._never, LOCK_POLL_SECONDS)

    def read(self) -> NonceRecord | None:
        """What is reserved, None if there is no file. Raises `ConfigurationError` for one that makes no sense."""
        # Before the reading: a change in between then shows at the next look.
        identity, now = self._identity(), self._clock.monotonic()
        if identity is None or identity != self._seen:
            self._seen, self._seen_since = identity, now
        record = self._read()
        self._settled = record if now - self._seen_since >= SETTLED_SECONDS else None
        return record

    def _read(self) -> NonceRecord | None:
        try:
            with open(self.path, "rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"cannot read the nonce file {self.path}: {error.strerror}") from error
        try:
            return parse_record(content)
        except ValueError as error:
            raise ConfigurationError(
                f"The nonce file {self.path} cannot be used: {error}. Kraken refuses nonces that fall, so it is not"
                " replaced by a guess. Restore it from a copy, or, if no other program has used this key with a clock"
                " ahead of this one, move the file away and start again."
            ) from error

    def write(self, record: NonceRecord) -> None:
        """Replace the content durably: after this returns, no crash can bring the old content back."""
        self._settled = None
        temporary = self.path.with_name(f"{self.path.name}.new")
        failpoint("kraken_nonce.before_write")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, render_record(record))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, self.path)
            _sync_directory(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        failpoint("kraken_nonce.after_write")

    def _unwritable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"cannot write the nonce file {self.path} ({error.strerror}): this account sends nothing until it can"
        )


def render_record(record: NonceRecord) -> bytes:
    fields = {"format": FORMAT, "unit": "ns", "key": record.key, "ceiling": str(record.ceiling)}
    return json.dumps(fields).encode() + b"\n"


def parse_record(content: bytes) -> NonceRecord:
    """Raises ValueError saying what is wrong."""
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("it is far too long")
    text = content.decode("utf-8-sig").strip() if content.isascii() or content.startswith(b"\xef\xbb\xbf") else ""
    if not text:
        raise ValueError("it is empty or not text")
    return _bare_number(text) if text.isdigit() else _record(text)


def _bare_number(text: str) -> NonceRecord:
    unit = UNIT_BY_DIGITS.get(len(text)) if text[0] != "0" else None
    if unit is None:
        raise ValueError(f"a number of {len(text)} digits is no time in s, ms, µs or ns")
    # One unit up: digits that were cut off, or that the unit never had, may have been anything.
    return NonceRecord(_checked((int(text) + 1) * unit), None)


def _record(text: str) -> NonceRecord:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is cut short or damaged") from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError(f"it does not say format {FORMAT}")
    if fields.get("unit") != "ns":
        raise ValueError(f"its unit is {fields.get('unit')!r} instead of ns")
    ceiling, key = fields.get("ceiling"), fields.get("key")
    if not isinstance(ceiling, str) or not ceiling.isascii() or not ceiling.isdigit() or len(ceiling) > 19:
        raise ValueError("its ceiling is not a whole number of nanoseconds")
    if not isinstance(key, str):
        raise ValueError("it names no key")
    return NonceRecord(_checked(int(ceiling)), key)


def _checked(ceiling: int) -> int:
    if not 0 < ceiling <= HIGHEST:
        raise ValueError("its number is out of range")
    return ceiling


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
