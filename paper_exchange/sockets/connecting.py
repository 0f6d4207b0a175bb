"""A connection asked for: opened at once, or as a fault on the connects of its brokerage says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from paper_exchange.faults import FaultAction, FaultKind
from paper_exchange.sockets.connection import Connection


def open_as_told(
    fault: FaultAction | None, connection: Connection, path: str, open_it: Callable[[Connection, str], None]
) -> None:
    """Call ``open_it``, now or later, refuse the connection, end it, or never answer."""
    if fault is None:
        open_it(connection, path)
    elif fault.kind is FaultKind.DELAY:
        asyncio.get_running_loop().call_later(fault.seconds or 0.0, open_it, connection, path)
    elif fault.kind is FaultKind.STATUS_5XX:
        connection.reject(fault.status or 503, "")
    elif fault.kind is not FaultKind.HANG:
        connection.abort()
