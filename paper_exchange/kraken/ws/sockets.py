"""Kraken's two socket ports as the process runs them: listening, the beat of every second, and the end."""

from __future__ import annotations

import asyncio
import resource
import socket

from paper_exchange.clock import steady_seconds
from paper_exchange.exchange import Exchange
from paper_exchange.kraken.front import KrakenFront
from paper_exchange.kraken.ws.connection import Connection
from paper_exchange.kraken.ws.delay_line import DelayLine
from paper_exchange.kraken.ws.hub import PRIVATE_PORT, PUBLIC_PORT, Hub

SOCKET_PORTS = {PUBLIC_PORT: "ws", PRIVATE_PORT: "ws_auth"}
"""Listeners, and the names under which their addresses are announced."""
BEAT_SECONDS = 1.0
BACKLOG = 2048
"""Hundreds of clients may connect at once."""
OPEN_FILES = 65_536


class KrakenSockets:
    """``latency_seconds`` passes between a request and its answer, half of it on the way in and half on the way out."""

    def __init__(self, exchange: Exchange, front: KrakenFront, *, latency_seconds: float = 0.0) -> None:
        self._hub = Hub(exchange, front)
        self._line = DelayLine(latency_seconds / 2)

    async def listen(self, port: str, listener: socket.socket) -> asyncio.Server:
        """Take connections of ``listener`` as those of ``port``."""
        _allow_open_files()
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(self._hub, port, self._line), sock=listener, backlog=BACKLOG)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._hub.beat(steady_seconds())

    def close(self) -> None:
        self._hub.close_all()


def _allow_open_files() -> None:
    """Each connection is a file to the operating system, whose usual limit is a thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
