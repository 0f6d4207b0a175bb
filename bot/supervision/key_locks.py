"""One process per API key on this machine, whatever state directories they have: two would spoil each other's nonces,
and each would take the other's orders for strangers'.
"""

import os
import stat
import threading
from pathlib import Path

from bot.supervision.owned_file import Owned, OwnedFile

RUNTIME_DIRECTORIES = Path("/run/user")
SHARED_DIRECTORY = Path("/tmp")


class KeyInUse(Exception):
    """Another process on this machine works with the key. The message names the process, not the key."""


def lock_directory() -> Path:
    """Where all processes of this user look, whatever their environment says."""
    own = RUNTIME_DIRECTORIES / str(os.getuid())
    return own / "nija-keys" if own.is_dir() else SHARED_DIRECTORY / f"nija-keys-{os.getuid()}"


class KeyLocks:
    """The keys this process works with, each a locked file named by the key's fingerprint, until the process ends."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or lock_directory()
        self._held: dict[str, OwnedFile] = {}
        self._lock = threading.Lock()

    def hold(self, fingerprint: str) -> None:
        """Take a key, or find it taken by ourselves. Raises `KeyInUse`, or `OSError` when no lock can be had."""
        with self._lock:
            if fingerprint in self._held:
                return
            self._make_private()
            file = OwnedFile(self._directory / f"{fingerprint}.lock")
            try:
                file.take()
            except Owned as error:
                raise KeyInUse(f"process {error.owner or 'unknown'} on this machine works with the same key") from None
            self._held[fingerprint] = file

    def let_go(self, fingerprint: str) -> None:
        """Another process may work with this key from here on."""
        with self._lock:
            file = self._held.pop(fingerprint, None)
            if file is not None:
                file.release()

    def release(self) -> None:
        with self._lock:
            for file in self._held.values():
                file.release()
            self._held.clear()

    def _make_private(self) -> None:
        """Anybody may write into the directory above; what lies in ours must be ours alone."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        found = os.lstat(self._directory)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(0, "it belongs to somebody else", str(self._directory))
        if stat.S_IMODE(found.st_mode) != 0o700:
            self._directory.chmod(0o700)
