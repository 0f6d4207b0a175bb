"""The account mode of every account: what kinds of trading it has, which its owner can change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATE_NAME = "okx_account_levels"
SPOT_MODE = "1"
LEVELS = {SPOT_MODE: "Spot mode", "2": "Futures mode", "3": "Multi-currency margin mode", "4": "Portfolio margin mode"}
TRADES_FOR_CASH = frozenset({SPOT_MODE, "2"})
"""Modes in which an order with ``tdMode`` cash is taken; the margin modes want ``cross`` (51010)."""


class AccountLevels:
    def __init__(self, saved: Mapping[str, Any] | None) -> None:
        self._levels: dict[str, str] = dict(saved or {})

    def of(self, account_id: str) -> str:
        return self._levels.get(account_id, SPOT_MODE)

    def set(self, account_id: str, level: str) -> None:
        self._levels[account_id] = level

    def snapshot(self) -> dict[str, object]:
        return dict(self._levels)
