"""Proves from the rows alone that every signal has an answer of every user it was owed to, and exactly one.

Each rule is one statement that the database works off by its indices, and yields only what breaks the rule: 100,000
signals of ten users each are a million rows, of which none should come up here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from bot.storage.schema import order_intent, signal


@dataclass(frozen=True)
class Finding:
    """One thing that breaks a rule, as a sentence, with the ids it is about."""

    sentence: str
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """What is audited: signals after one sequence, orders from one on. All of it by default."""

    after_signal: int = 0
    from_intent: int = 0
    until_signal: int | None = None


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a copied entry may be worked on, and a signal wait for its plan, before its answer is missing.

    Counted from the signal's making or from the start of the run, whichever came later: an order of an unknown outcome
    is asked about anew by each process. `margin_seconds` is for the calls and look-ups themselves.
    """

    now: datetime
    running_since: datetime | None
    max_signal_age_seconds: float
    margin_seconds: float = 60.0

    def is_over(self, begun: datetime, *, settle_seconds: float = 0.0) -> bool:
        """`settle_seconds`: how long the venue may take to show an order that was sent."""
        start = begun if self.running_since is None else max(begun, self.running_since)
        allowed = self.max_signal_age_seconds + settle_seconds + self.margin_seconds
        return self.now > start + timedelta(seconds=allowed)


def scope_since(connection: Connection, moment: datetime) -> Scope:
    """What was made at or after a moment."""
    before = select(func.coalesce(func.max(signal.c.sequence), 0)).where(signal.c.created_at < moment)
    first = select(func.min(order_intent.c.sequence)).where(order_intent.c.created_at >= moment)
    newest = select(func.coalesce(func.max(order_intent.c.sequence), 0) + 1)
    from_intent = connection.execute(first).scalar()
    return Scope(
        int(connection.execute(before).scalar_one()),
        int(from_intent if from_intent is not None else connection.execute(newest).scalar_one()),
    )


def scope_of_newest(connection: Connection, signals: int) -> Scope:
    """The newest signals, and the orders made since the first of them."""
    query = select(signal.c.sequence, signal.c.created_at).order_by(signal.c.sequence.desc())
    first = connection.execute(query.offset(signals - 1).limit(1)).first()
    if first is None:
        return Scope()
    return Scope(first.sequence - 1, scope_since(connection, first.created_at).from_intent)


def copy_finding(signal_id: str, account_id: str, sentence: str) -> Finding:
    """A finding about one user's copy of one signal."""
    return Finding(sentence, {"signal": signal_id, "account": account_id})
