"""How faithfully a user's account followed its master in a stretch of days, for statements and pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot.diagnostics.period_figures import ListedAccount


@dataclass(frozen=True)
class FidelityFigures:
    """What each cause made of the difference to the master, in the account's currency; None = not known."""

    lines: Sequence[tuple[str, Decimal | None]] = ()
    notes: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> Mapping[str, Any] | None:
        return self.fields or None


def fidelity_figures(
    connection: Connection, account: ListedAccount, since: datetime | None, until: datetime | None
) -> FidelityFigures:
    """Empty for a master, who follows nobody."""
    return FidelityFigures()
