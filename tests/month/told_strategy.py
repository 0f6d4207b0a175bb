"""A strategy that buys and sells what a test has written down for the day, and nothing else."""

import json
import os
from decimal import Decimal
from pathlib import Path

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Parameter, ParameterValues


class ToldStrategy:
    """Reads its orders anew each time, which no strategy in use may do: here the test decides what a market says."""

    name = "told"
    parameters: tuple[Parameter, ...] = ()
    candles_needed = 1

    def __init__(self, _values: ParameterValues) -> None:
        self._orders = Path(os.environ["NIJA_TOLD_ORDERS"])

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        if view.symbol in self._told("buy"):
            return EntryIntent(view.symbol, Decimal("0.9"), "the test buys")
        return NoEntry("the test does not buy it")

    def exit(self, view: MarketView, _position: Position) -> ExitIntent | None:
        return ExitIntent(view.symbol, "the test sells") if view.symbol in self._told("sell") else None

    def _told(self, what: str) -> list[str]:
        told: list[str] = json.loads(self._orders.read_text(encoding="utf-8"))[what]
        return told
