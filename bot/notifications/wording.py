"""What a message says: what, of which account, paper or live, since when, and where it is written what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.notifications.delivery import Item, Message
from bot.notifications.pacing import OVER
from bot.storage.notifications import Notification

MOST_NAMED = 5
RUNBOOK = "docs/runbook.md"
INFO, TEST = "info", "test"


@dataclass(frozen=True, kw_only=True)
class Wording:
    """`name` and `mode` begin each title; `meaning` is what a cause means; `clean` takes secrets out."""

    name: str
    mode: str
    installation: str
    meaning: Callable[[str], str]
    clean: Callable[[str], str] = str

    def message(self, rows: Sequence[Notification], *, now: datetime, last_until: datetime | None = None) -> Message:
        """One for all these rows, the most severe first. `last_until`: after this one nothing comes until then."""
        causes = list(dict.fromkeys(row.cause for row in rows))
        parts = [self._of_cause([row for row in rows if row.cause == cause]) for cause in causes]
        if last_until is not None:
            parts.append(f"That is as many messages as an hour may have. More is told together at {_at(last_until)}.")
        return Message(
            id=f"{self.installation[:8]}-{_numbers(rows)}",
            title=self.clean(f"{self._begin} {_title(rows, causes)}"),
            text=self.clean("\n\n".join(parts)),
            severity=rows[0].severity,
            at=now,
            items=[_item(row, self.clean) for row in rows],
        )

    def test_message(self, *, token: str, now: datetime) -> Message:
        """What `notify test` sends."""
        return Message(
            id=f"{TEST}-{token[:12]}",
            title=f"{self._begin} test",
            text="This is a test: messages from here arrive. Nothing is wrong, and nothing has to be done.",
            severity="info",
            at=now,
        )

    @property
    def _begin(self) -> str:
        return f"{self.name} ({self.mode})"

    def _of_cause(self, rows: Sequence[Notification]) -> str:
        begun = [row for row in rows if row.severity != OVER]
        over = [row for row in rows if row.severity == OVER]
        lines = []
        if begun:
            first = begun[0]
            since = "at" if first.severity == INFO else "since"
            lines.append(f"{first.severity.upper()} {_about(first)}, {since} {_at(first.at)}: {first.text}")
            lines += _others(begun[1:])
            if first.severity != INFO:  # which asks nothing of anybody
                lines.append(f"It means: {meaning}" if (meaning := self.meaning(first.cause)) else "")
                lines.append(f"What to do: {RUNBOOK}#alert-{first.cause}")
        lines += [f"Over: {_about(row)}: {row.text}" for row in over[:MOST_NAMED]]
        lines += [f"Over: and {len(over) - MOST_NAMED} more of {over[0].cause}"] if len(over) > MOST_NAMED else []
        return "\n".join(filter(None, lines))


def _numbers(rows: Sequence[Notification]) -> str:
    """The same when the same rows are told again, another one when others have come: a receiver drops what it has."""
    ids = [row.id for row in rows]
    return str(ids[0]) if len(ids) == 1 else f"{min(ids)}-{max(ids)}-{len(ids)}"


def _title(rows: Sequence[Notification], causes: Sequence[str]) -> str:
    named = ", ".join(causes[:3]) + (f" and {len(causes) - 3} more" if len(causes) > 3 else "")
    return f"over: {named}" if rows[0].severity == OVER else f"{rows[0].severity.upper()}: {named}"


def _others(rows: Sequence[Notification]) -> list[str]:
    if not rows:
        return []
    named = "; ".join(f"{row.subject or row.cause} ({row.text})" for row in rows[:MOST_NAMED])
    return [f"And {len(rows)} more: {named}" + ("; …" if len(rows) > MOST_NAMED else "")]


def _about(row: Notification) -> str:
    return f"{row.cause} {row.subject}".strip()


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _item(row: Notification, clean: Callable[[str], str]) -> Item:
    return Item(
        id=row.id,
        cause=row.cause,
        subject=clean(row.subject),
        severity=row.severity,
        text=clean(row.text),
        at=row.at,
    )
