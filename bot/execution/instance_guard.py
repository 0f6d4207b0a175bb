"""What sending asks of the process as a whole: whether it is still the one that works with this database."""

from typing import Protocol

from sqlalchemy import Connection


class InstanceGuard(Protocol):
    """Kept by the lease of the database (bot/instance.py)."""

    def check(self, connection: Connection) -> None:
        """Begins every transaction that decides something, and comes again right before the wire.

        Raises `Fenced` when another process has the database, `StoreUnavailable` while nobody knows.
        """

    def send_before(self) -> float | None:
        """Until when (monotonic seconds) a request that was just checked may leave; None = no limit.

        A process that stands still between the check and the wire must not send when it goes on much later.
        """


class NoOtherInstance:
    """Where nothing but the lock on the state directory keeps other processes out."""

    def check(self, connection: Connection) -> None:
        del connection

    def send_before(self) -> float | None:
        return None
