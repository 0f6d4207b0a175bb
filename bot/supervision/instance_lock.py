"""One process per state directory: an operating-system lock that ends with the process, however it ends."""

import fcntl
import os
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process holds the state directory. The message names it."""


class InstanceLock:
    """Holds `lock` in the state directory until `release` or the end of the process."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise `AlreadyRunning`."""
        while not self._take():
            pass  # the file was replaced between opening and locking it; each turn is somebody else's doing

    def confirm(self) -> bool:
        """Take it again if its file was deleted meanwhile: the lock was on a file that nobody else would open.

        False when all was well. Raises `AlreadyRunning` when another process has taken the directory, `OSError` when
        no lock can be had there.
        """
        if self._descriptor is not None and self._is_the_file(self._descriptor):
            return False
        old, self._descriptor = self._descriptor, None
        try:
            self.acquire()  # lint: refuses at once instead of waiting
        finally:
            if old is not None:
                os.close(old)
        return True

    def release(self) -> None:
        """Give the lock back; may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 32).decode("ascii", errors="replace").strip()
            os.close(descriptor)
            raise AlreadyRunning(
                f"Another bot (process {owner or 'unknown'}) already works in {self._path.parent}. "
                "Stop it first, or give this one a directory of its own with STATE_DIR."
            ) from None
        if not self._is_the_file(descriptor):
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return True

    def _is_the_file(self, descriptor: int) -> bool:
        """Whether the name still leads to the file that is open: a lock on a deleted file keeps nobody out."""
        held = os.fstat(descriptor)
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
