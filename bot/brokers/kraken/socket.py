"""A connection to Kraken's WebSocket v2, whose heartbeat is one a second."""

import itertools
from collections.abc import Callable

from bot.brokers.connect_budget import Rank
from bot.brokers.kept_socket import KeptSocket, SocketWire

__all__ = ["KrakenSocket", "SocketWire"]


class KrakenSocket(KeptSocket):
    """Its pings are numbered requests, and their answers tell the venue's time."""

    def __init__(
        self,
        *,
        wire: SocketWire,
        url: str,
        name: str,
        kind: str,
        rank: Rank,
        on_up: Callable[[], None],
        on_text: Callable[[bytes], None],
        on_down: Callable[[str], None],
    ) -> None:
        numbers = itertools.count(1)
        super().__init__(
            wire=wire,
            url=url,
            name=name,
            kind=kind,
            rank=rank,
            on_up=on_up,
            on_text=on_text,
            on_down=on_down,
            ping=lambda: b'{"method":"ping","req_id":%d}' % next(numbers),
        )
