"""Alpaca's socket port."""

from __future__ import annotations

from paper_exchange.alpaca.front import AlpacaFront
from paper_exchange.alpaca.stream.hub import BROKERAGE, PORT, StreamHub
from paper_exchange.exchange import Exchange
from paper_exchange.http import Front
from paper_exchange.sockets.service import SocketPorts


def _hub(exchange: Exchange, front: Front, _connects_per_10_minutes: int | None) -> StreamHub:
    assert isinstance(front, AlpacaFront)
    return StreamHub(exchange, front.venue)


ALPACA_SOCKETS = SocketPorts(brokerage=BROKERAGE, ports={PORT: "ws_auth"}, hub=_hub)
