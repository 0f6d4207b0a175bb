"""One process per state directory."""

from pathlib import Path

from bot.supervision.owned_file import Owned, OwnedFile


class AlreadyRunning(Exception):
    """Another process holds the state directory. The message names it."""


class InstanceLock:
    """Holds `lock` in the state directory until `release` or the end of the process."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._file = OwnedFile(state_dir / "lock")

    def acquire(self) -> None:
        """Take the lock at once or raise `AlreadyRunning`."""
        try:
            self._file.take()
        except Owned as error:
            raise self._refusal(error) from None

    def confirm(self) -> bool:
        """Take it again if its file was deleted meanwhile; False when all was well.

        Raises `AlreadyRunning` when another process has taken the directory, `OSError` when no lock can be had there.
        """
        try:
            return self._file.confirm()
        except Owned as error:
            raise self._refusal(error) from None

    def release(self) -> None:
        """Give the lock back; may be called twice."""
        self._file.release()

    def _refusal(self, error: Owned) -> AlreadyRunning:
        return AlreadyRunning(
            f"Another bot (process {error.owner or 'unknown'}) already works in {self._state_dir}. "
            "Stop it first, or give this one a directory of its own with STATE_DIR."
        )
