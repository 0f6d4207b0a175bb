"""The socket ports of a brokerage as the process runs them: listening, the beat of every second, and the end."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from paper_exchange.clock import NANOSECONDS_PER_SECOND, steady_seconds
from paper_exchange.sockets.connection import Connection, Owner
from paper_exchange.sockets.delay_line import DelayLine

if TYPE_CHECKING:
    from paper_exchange.exchange import Exchange
    from paper_exchange.http import Front

LOG = logging.getLogger(__name__)
AFTER_THE_SECOND_NS = 2_000_000
"""The market moves on the second; a moment later every client is told."""
BACKLOG = 2048
"""Hundreds of clients may connect at once."""
OPEN_FILES = 65_536


class Hub(Owner, Protocol):
    """All connections of a brokerage."""

    async def tick(self) -> None:
        """Once a second: what is new in the market."""

    def beat(self, now: float) -> None:
        """Once a second, ``now`` on the steady clock: what is due to connections by time alone."""

    def close_all(self) -> None:
        """The exchange goes down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketPorts:
    """The sockets of a brokerage: its listeners, each with the name under which its address is announced.

    ``hub`` makes what is told of their connections, of exchange, front, and the most connections that may be begun in
    ten minutes (None: any number).
    """

    brokerage: str
    ports: Mapping[str, str]
    hub: Callable[[Exchange, Front, int | None], Hub]


class SocketService:
    """Everything on the sockets of one brokerage, as far away as the exchange's latency says."""

    def __init__(self, exchange: Exchange, hub: Hub) -> None:
        self._exchange = exchange
        self._hub = hub
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
