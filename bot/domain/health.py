"""How an account is doing: the step of its life, what that means for trading, and which step may follow which."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class HealthState(StrEnum):
    """Healthy trades; degraded only exits; failed and quarantined wait for recovery or a person."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    STOPPED = "stopped"


class Phase(StrEnum):
    """A step of an account's life. Only in `READY` may it enter; exits never ask."""

    NEW = "new"
    STARTING = "starting"
    """Being connected, or connected and waiting for money."""
    RECOVERING = "recovering"
    """Its thread runs and compares books and venue; every way to `READY` leads through here or `DEGRADED`."""
    READY = "ready"
    DEGRADED = "degraded"
    """Its thread runs, something is not known: exits only."""
    BACKOFF = "backoff"
    """Not connected, or its thread died: tried again by itself, later each time."""
    QUARANTINING = "quarantining"
    """Its thread hangs and is being cut off."""
    FAILED_CREDENTIALS = "failed_credentials"
    FAILED_CONFIG = "failed_config"
    """The settings or the key are not such that it may trade: a key that can withdraw, another account's key."""
    FAILED_CIRCUIT = "failed_circuit"
    """It failed too often in a row."""
    FAILED_MANUAL = "failed_manual"
    DRAINING = "draining"
    STOPPED = "stopped"

    @property
    def health(self) -> HealthState:
        """What the operator is told."""
        return _HEALTH[self]

    @property
    def has_failed(self) -> bool:
        return self in FAILED


FAILED = frozenset({Phase.FAILED_CREDENTIALS, Phase.FAILED_CONFIG, Phase.FAILED_CIRCUIT, Phase.FAILED_MANUAL})
_HEALTH: Mapping[Phase, HealthState] = MappingProxyType(
    {
        Phase.NEW: HealthState.STARTING,
        Phase.STARTING: HealthState.STARTING,
        Phase.RECOVERING: HealthState.STARTING,
        Phase.READY: HealthState.HEALTHY,
        Phase.DEGRADED: HealthState.DEGRADED,
        Phase.BACKOFF: HealthState.DEGRADED,
        Phase.QUARANTINING: HealthState.QUARANTINED,
        Phase.DRAINING: HealthState.STOPPED,
        Phase.STOPPED: HealthState.STOPPED,
        **dict.fromkeys(FAILED, HealthState.FAILED),
    }
)
_FROM_ANYWHERE = (Phase.QUARANTINING, *sorted(FAILED), Phase.DRAINING)
_AFTER_FAILURE = (Phase.STARTING, Phase.RECOVERING)
# What may follow besides `_FROM_ANYWHERE`, the likelier first. Who was stopped may be taken up again, as if new.
_NEXT: Mapping[Phase, tuple[Phase, ...]] = MappingProxyType(
    {
        Phase.NEW: (Phase.STARTING,),
        Phase.STARTING: (Phase.RECOVERING, Phase.BACKOFF),
        Phase.RECOVERING: (Phase.READY, Phase.DEGRADED, Phase.BACKOFF),
        Phase.READY: (Phase.DEGRADED, Phase.BACKOFF),
        Phase.DEGRADED: (Phase.READY, Phase.BACKOFF),
        Phase.BACKOFF: (Phase.RECOVERING, Phase.STARTING),
        Phase.QUARANTINING: (Phase.RECOVERING, Phase.STARTING),
        Phase.DRAINING: (Phase.STOPPED,),
        Phase.STOPPED: (Phase.STARTING,),
        **dict.fromkeys(FAILED, _AFTER_FAILURE),
    }
)


def may_follow(old: Phase, new: Phase) -> bool:
    """Whether `new` may come right after `old`."""
    return new is not old and (new in _NEXT[old] or (new in _FROM_ANYWHERE and old is not Phase.STOPPED))


def way(old: Phase, new: Phase) -> Sequence[Phase]:
    """The shortest legal way, without `old` and with `new`; empty for the same phase or where no way leads."""
    ways: deque[tuple[Phase, ...]] = deque([()])
    seen = {old}
    # A failure or a stop is never only passed through.
    ending = (Phase.DRAINING, new) if new is Phase.STOPPED else (new,)
    while ways:
        steps = ways.popleft()
        last = steps[-1] if steps else old
        if last is new:
            return steps
        for following in (*_NEXT[last], *ending):
            if following not in seen and may_follow(last, following):
                seen.add(following)
                ways.append((*steps, following))
    return ()


@dataclass(frozen=True)
class AccountHealth:
    """A phase with its reason, since when, and the last proof of life.

    `since` is when the health changed last, not the phase. `not_ready_since` is None in `READY`.
    """

    phase: Phase
    reason: str
    since: datetime
    last_cycle_at: datetime | None = None
    cycles: int = 0
    error_count: int = 0
    not_ready_since: datetime | None = None

    @property
    def state(self) -> HealthState:
        return self.phase.health
