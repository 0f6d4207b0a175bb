"""Kraken's two socket ports as the process runs them: listening, the beat of every second, and the end."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket

from paper_exchange.clock import NANOSECONDS_PER_SECOND, steady_seconds
from paper_exchange.exchange import Exchange
from paper_exchange.kraken.front import KrakenFront
from paper_exchange.kraken.ws.connect_limit import ConnectLimit
from paper_exchange.kraken.ws.connection import Connection
from paper_exchange.kraken.ws.delay_line import DelayLine
from paper_exchange.kraken.ws.hub import PRIVATE_PORT, PUBLIC_PORT, Hub

LOG = logging.getLogger(__name__)
SOCKET_PORTS = {PUBLIC_PORT: "ws", PRIVATE_PORT: "ws_auth"}
"""Listeners, and the names under which their addresses are announced."""
AFTER_THE_SECOND_NS = 2_000_000
"""The market moves on the second; a moment later every client is told."""
BACKLOG = 2048
"""Hundreds of clients may connect at once."""
OPEN_FILES = 65_536


class KrakenSockets:
    """Everything on the sockets, as far away as the exchange's latency says."""

    def __init__(self, exchange: Exchange, front: KrakenFront, *, connects_per_10_minutes: int | None = None) -> None:
        self._exchange = exchange
        self._hub = Hub(exchange, front, limit=ConnectLimit(connects_per_10_minutes))
        self._line = DelayLine(exchange.latency)

    async def listen(self, port: str, listener: socket.socket) -> asyncio.Server:
        """Take connections of ``listener`` as those of ``port``."""
        _allow_open_files()
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(self._hub, port, self._line), sock=listener, backlog=BACKLOG)

    async def run(self) -> None:
        while True:
            into_second_ns = (self._exchange.clock.now_ns() - AFTER_THE_SECOND_NS) % NANOSECONDS_PER_SECOND
            await asyncio.sleep((NANOSECONDS_PER_SECOND - into_second_ns) / NANOSECONDS_PER_SECOND)
            try:
                await self._hub.tick()
                self._hub.beat(steady_seconds())
            except Exception:
                # A mistake in one channel must not end everybody's heartbeats.
                LOG.exception("A second of the sockets went wrong.")

    def close(self) -> None:
        self._hub.close_all()


def _allow_open_files() -> None:
    """Each connection is a file to the operating system, whose usual limit is a thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
