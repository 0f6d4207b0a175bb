"""Dead man's switches: an account that stops renewing its own loses its open orders, whichever way they came."""

from __future__ import annotations

from collections.abc import Mapping

STATE_NAME = "dead_mans_switches"


class DeadMansSwitches:
    """When each account's switch goes off, in nanoseconds of the exchange's clock; kept over a restart."""

    def __init__(self, saved: Mapping[str, int] | None = None) -> None:
        self._triggers = dict(saved or {})

    def arm(self, account_id: str, trigger_ns: int) -> None:
        """Cancel all orders of the account at ``trigger_ns``, unless it is armed anew or disarmed before."""
        self._triggers[account_id] = trigger_ns

    def disarm(self, account_id: str) -> None:
        self._triggers.pop(account_id, None)

    def take_due(self, now_ns: int) -> list[tuple[int, str]]:
        """The switches that have gone off (time, account), the earliest first; each goes off once."""
        due = sorted((time_ns, account_id) for account_id, time_ns in self._triggers.items() if time_ns <= now_ns)
        for _, account_id in due:
            del self._triggers[account_id]
        return due

    def snapshot(self) -> dict[str, int]:
        return dict(self._triggers)
