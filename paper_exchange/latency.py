"""How far away the exchange is, for all its fronts at once; the control API moves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Latency:
    """``seconds`` pass between a request and its answer, half of them on the way in and half on the way out."""

    seconds: float = 0.0

    @property
    def one_way(self) -> float:
        return self.seconds / 2
