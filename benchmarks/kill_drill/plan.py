"""How each life of the bot is to end, drawn from the seed."""

import ast
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

READY_EVERY = 5
FAILPOINT_SHARE = 0.25
AIMED_SHARE = 0.15
TWIN_SHARE = 0.1
SHORTEST_SECONDS = 0.1
TWIN_SECONDS = (0.05, 1.5)
AFTER_READY_SECONDS = 1.0
ORDER_CALLS = (
    "kraken.before_AddOrder",
    "kraken.after_AddOrder",
    "coinbase.before_POST",
    "coinbase.after_POST",
    "okx.before_POST",
    "okx.after_POST",
    "binance.before_POST",
    "binance.after_POST",
    "alpaca.before_POST",
    "alpaca.after_POST",
)
"""Failpoints whose names are put together when they are reached."""


@dataclass(frozen=True)
class PlannedDeath:
    """Killed `seconds` after the start, or at a failpoint before that; two kinds count otherwise.

    With `when_ready` the seconds begin when every account is ready; with `aimed` it is killed as soon as, after those
    seconds, an order is under way.
    """

    kind: str
    seconds: float
    failpoint: str | None = None

    @property
    def when_ready(self) -> bool:
        return self.kind == "ready"

    @property
    def aimed(self) -> bool:
        return self.kind == "aimed"


def failpoints_in(source: Path) -> list[str]:
    """The names of all failpoints in the bot's source, and those of its calls that place orders."""
    names = {
        node.args[0].value
        for path in sorted(source.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "failpoint"
        and isinstance(node.args[0], ast.Constant)
    }
    return sorted({*(str(name) for name in names), *ORDER_CALLS})


def planned_deaths(
    chance: random.Random, failpoints: Sequence[str], *, longest: Callable[[], float]
) -> Iterator[PlannedDeath]:
    """Without end: mostly random moments, some failpoints, some right after another death; the first when ready.

    `longest` is asked for each death, since how long a start takes depends on what else the machine does.
    """
    number = -1
    while True:
        number += 1
        if number % READY_EVERY == 0:
            yield PlannedDeath("ready", chance.uniform(0, AFTER_READY_SECONDS))
            continue
        draw = chance.random()
        if draw < FAILPOINT_SHARE:
            yield PlannedDeath("failpoint", longest(), chance.choice(failpoints))
        else:
            kind = "aimed" if draw < FAILPOINT_SHARE + AIMED_SHARE else "random"
            yield PlannedDeath(kind, chance.uniform(SHORTEST_SECONDS, longest()))
        if draw > 1 - TWIN_SHARE:
            yield PlannedDeath("twin", chance.uniform(*TWIN_SECONDS))
