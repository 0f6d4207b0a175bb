"""How faithfully a user's account followed its master in a stretch of days, for statements and pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot.diagnostics.amounts_shown import signed
from bot.diagnostics.fidelity import first_to_last, summaries, summary_fields
from bot.diagnostics.listing import count
from bot.diagnostics.period_figures import ListedAccount
from bot.storage.book_entries import EVER, NEVER
from bot.storage.fidelity_rows import fidelity_of


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
    """Empty for a master, who follows nobody. Of copies in another currency than the account's a note says so."""
    lines = fidelity_of(connection, account.account_id, since or EVER, until or NEVER)
    ids = {line.signal_id for line in lines if line.signal_id is not None}
    found = {one.currency: one for one in summaries(lines, first_to_last(connection, ids))}
    own = found.pop(account.currency, None)
    notes = [
        f"Copies in {other.currency} made a difference of {signed(other.whole)} {other.currency}."
        for other in found.values()
    ]
    if own is None:
        return FidelityFigures(notes=notes)
    if own.unknown:
        notes.append(f"The difference of {count(own.unknown, 'copy', 'copies')} is not known, and is in no part.")
    parts = [(name, amount) for name, amount in own.by_part.items() if amount]
    return FidelityFigures([*parts, ("difference to the master", own.whole)], notes, summary_fields(own))
