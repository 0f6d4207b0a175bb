"""One client's connection to the stream: whose it is, and whether it listens."""

from __future__ import annotations

from paper_exchange.sockets.connection import Connection
from paper_exchange.sockets.session import SocketSession

TRADE_UPDATES = "trade_updates"


class StreamSession(SocketSession):
    """There is one channel, so that the session is its own subscription."""

    channel = TRADE_UPDATES

    def __init__(self, connection: Connection, *, connection_id: int) -> None:
        super().__init__(connection, connection_id=connection_id)
        self.listens = False
        self.held_back: list[bytes] = []
        """Messages that a fault puts behind the next one."""
