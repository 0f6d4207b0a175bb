"""Kraken's two socket ports."""

from __future__ import annotations

from paper_exchange.exchange import Exchange
from paper_exchange.http import Front
from paper_exchange.kraken.front import KrakenFront
from paper_exchange.kraken.ws.connect_limit import ConnectLimit
from paper_exchange.kraken.ws.hub import BROKERAGE, PRIVATE_PORT, PUBLIC_PORT, Hub
from paper_exchange.sockets.service import SocketPorts


def _hub(exchange: Exchange, front: Front, connects_per_10_minutes: int | None) -> Hub:
    assert isinstance(front, KrakenFront)
    return Hub(exchange, front, limit=ConnectLimit(connects_per_10_minutes))


KRAKEN_SOCKETS = SocketPorts(
    brokerage=BROKERAGE,
    ports={PUBLIC_PORT: "ws", PRIVATE_PORT: "ws_auth"},
    hub=_hub,
)
