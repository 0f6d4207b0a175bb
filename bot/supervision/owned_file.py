"""A file that one process at a time owns: an operating-system lock that ends with the process, however it ends."""

import fcntl
import os
from pathlib import Path


class Owned(Exception):
    """Another process has the file; `owner` is its process id as it wrote it, or empty."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        super().__init__(f"owned by process {owner or 'unknown'}")


class OwnedFile:
    """Holds `path` until `release` or the end of the process, and has our process id in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it at once, or raise `Owned`. Raises `OSError` when the file cannot be made."""
        while not self._take():
            pass  # the file was replaced between opening and locking it; each turn is somebody else's doing

    def confirm(self) -> bool:
        """Take it again if it was deleted meanwhile: the lock was on a file that nobody else would open.

        False when all was well. Raises `Owned` when another process has it by now, `OSError` when it cannot be had.
        """
        if self._descriptor is not None and self._is_the_file(self._descriptor):
            return False
        old, self._descriptor = self._descriptor, None
        try:
            self.take()
        finally:
            if old is not None:
                os.close(old)
        return True

    def release(self) -> None:
        """Give it back; may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 32).decode("ascii", errors="replace").strip()
            os.close(descriptor)
            raise Owned(owner) from None
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
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
