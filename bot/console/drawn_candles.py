"""Candles with what the master's strategy reads of them: the strategy is asked, and what it has looked up is drawn."""

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.console.context import Context
from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.domain.quote import Candle
from bot.seams.clock import from_unix_seconds
from bot.settings import Settings
from bot.settings.loading import PROJECT_DIR
from bot.strategies.asking import ask_entry
from bot.strategies.interface import MarketView, Strategy
from bot.strategies.of_masters import load_strategies

log = logging.getLogger(__name__)

# Drawn over the candles; everything else has a scale of its own.
_IN_QUOTE = frozenset({"ema", "bollinger", "donchian"})
_LEFT_OUT = frozenset({"closes", "volumes"})
_OF_STRATEGIES: dict[int, Mapping[BrokerType, Strategy]] = {}


def drawn_candles(context: Context, symbol: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """`candles`: [unix seconds, open, high, low, close]; `indicators` in quote, `oscillators` on other scales."""
    candles = [_candle(row) for row in said["candles"]]
    answer = {
        "broker": said["broker"],
        "interval_minutes": said["interval_minutes"],
        "candles": [[row[0], *(float(price) for price in row[1:5])] for row in said["candles"]],
        "strategy": "",
        "answer": "",
        "indicators": [],
        "oscillators": [],
    }
    strategy = _strategies(context.settings).get(BrokerType(said["broker"]))
    if strategy is None or not candles:
        return answer
    view = MarketView(symbol, candles, said["interval_minutes"])
    decided = ask_entry(strategy, view)
    lines = [
        line
        for key, series in view.indicators.asked().items()
        for line in _lines(str(key[0]), [str(part) for part in key[1:-1]], series)
    ]
    return answer | {
        "strategy": strategy.name,
        "answer": decided.reason,
        "indicators": [line for line in lines if line["kind"] in _IN_QUOTE],
        "oscillators": [line for line in lines if line["kind"] not in _IN_QUOTE],
    }


def _strategies(settings: Settings) -> Mapping[BrokerType, Strategy]:
    """Loaded once; a plug-in that cannot be loaded here is not drawn."""
    known = _OF_STRATEGIES.get(id(settings))
    if known is None:
        masters = [master.broker for master in settings.masters if master.enabled]
        try:
            known = load_strategies(settings, masters, directory=PROJECT_DIR)
        except ConfigurationError as error:
            log.warning("the strategies cannot be drawn: %s", "; ".join(error.problems))
            known = {}
        _OF_STRATEGIES[id(settings)] = known
    return known


def _candle(row: Sequence[Any]) -> Candle:
    return Candle(from_unix_seconds(row[0]), *(Decimal(text) for text in row[1:6]))


def _lines(kind: str, arguments: Sequence[str], series: Sequence[object]) -> list[dict[str, Any]]:
    """One line, or one for each part of an indicator that has several."""
    if kind in _LEFT_OUT or not series:
        return []
    name = " ".join([kind.upper(), *arguments])
    fields = getattr(series[0], "_fields", None) or getattr(series[0], "__dataclass_fields__", None)
    if fields is None:
        return [{"kind": kind, "name": name, "values": [_number(value) for value in series]}]
    return [
        {"kind": kind, "name": f"{name} {field}", "values": [_number(getattr(value, field)) for value in series]}
        for field in fields
    ]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, float | int) and value == value else None
