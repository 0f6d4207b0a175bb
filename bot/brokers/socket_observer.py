"""Who is told what happens on the sockets of a venue: for metrics. Called on the loop, so it must be quick."""

from typing import Protocol


class SocketObserver(Protocol):
    """`kind` is what a socket is for: master, user or market."""

    def socket(self, kind: str, *, up: bool) -> None:
        """A connection was made or has ended."""

    def gap(self, channel: str) -> None:
        """Messages of a private channel are missing or out of order; it is subscribed to anew."""

    def order(self, way: str, outcome: str, seconds: float) -> None:
        """An order or a cancel had its outcome ("ok" or the error's class name) by `way`: websocket or rest."""


class NobodyWatches:
    """Without metrics."""

    def socket(self, kind: str, *, up: bool) -> None:
        pass

    def gap(self, channel: str) -> None:
        pass

    def order(self, way: str, outcome: str, seconds: float) -> None:
        pass


NOBODY = NobodyWatches()
