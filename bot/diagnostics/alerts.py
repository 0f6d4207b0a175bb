"""`python bot.py alerts`: what a person should know of now, and what is over."""

import argparse
from typing import Any

from sqlalchemy import Row

from bot.diagnostics.alert_causes import CAUSES
from bot.diagnostics.command_line import Commands, add_command, number
from bot.diagnostics.listed_answer import Seen, tell
from bot.diagnostics.listing import age, count, seconds_since
from bot.diagnostics.row_fields import fields_of
from bot.diagnostics.why_answer import Answer, Cell, Listing
from bot.settings import Settings
from bot.storage.alerts import latest_alerts

DEFAULT_LIMIT = 20
COLUMNS = {"cause": "cause", "subject": "about", "text": "what", "since": "since (UTC)", "now": "now"}
_EXACT = ("id", "cause", "subject", "severity", "text", "since", "last_at", "count", "cleared_at", "acked_by")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "alerts",
        "what a person should know of now, and what is over",
        _run,
        codes="0 none is open, 1 one is, 2 wrong use or configuration, 3 the bot is not running (then: as last seen)",
        examples=["alerts", "alerts --limit 50 --json"],
    )
    made.add_argument(
        "--limit", type=number, default=DEFAULT_LIMIT, metavar="N", help=f"how many (default {DEFAULT_LIMIT})"
    )


def _run(settings: Settings, words: argparse.Namespace) -> int:
    limit: int = words.limit
    return tell(settings, lambda seen, answer: list_alerts(seen, answer, limit), name="alerts", as_json=words.json)


def list_alerts(seen: Seen, answer: Answer, limit: int) -> None:
    """Those that are open first, each cause with what it means."""
    rows = latest_alerts(seen.connection, limit=limit)
    unanswered = [row for row in rows if row.cleared_at is None]
    answer.wrong = bool(unanswered)
    answer.say(f"{count(len(unanswered), 'alert')} open" if unanswered else "No alert is open")
    for cause in dict.fromkeys(row.cause for row in unanswered):
        answer.say(f"{cause}: {CAUSES[cause]}" if cause in CAUSES else "")
    exact = [fields_of(row, _EXACT) | {"age_seconds": seconds_since(row.since, seen.now)} for row in rows]
    answer.show(
        Listing(
            "alerts", "Alerts, open ones first", COLUMNS, [_row(row, seen) for row in rows], exact, ("subject", "text")
        )
    )


def _row(row: Row[Any], seen: Seen) -> dict[str, Cell]:
    seen_by = f", seen by {row.acked_by}" if row.acked_by else ""
    over = "OPEN" if row.cleared_at is None else f"over since {age(row.cleared_at, seen.now)}"
    return {
        "cause": row.cause,
        "subject": row.subject or "the whole",
        "text": row.text,
        "since": row.since,
        "now": f"{over}{seen_by}",
    }
