"""How an account is doing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HealthState(StrEnum):
    """Healthy trades; degraded only exits; failed and quarantined wait for recovery or a person."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    STOPPED = "stopped"


@dataclass(frozen=True)
class AccountHealth:
    """A state with its reason, since when, and the last proof of life."""

    state: HealthState
    reason: str
    since: datetime
    last_cycle_at: datetime | None = None
    cycles: int = 0
    error_count: int = 0
