"""`python bot.py nonce status`: the nonces of each Kraken key, read from its file, without using the key."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.brokers.kraken.nonce_file import NonceFile, nonce_path
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.kraken_accounts import kraken_accounts
from bot.diagnostics.listed_answer import Seen, tell
from bot.diagnostics.listing import count, time_text
from bot.diagnostics.why_answer import Answer, Cell, Listing
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.seams.clock import SystemClock, from_unix_seconds
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.schema import nonce_ceiling

NANOSECONDS = 1_000_000_000
# A reservation reaches seconds ahead of the clock, and a recovery a minute. What is further ahead comes of a clock that
# was wrong: every other program that takes the time for its nonces is refused until then.
FAR_AHEAD_SECONDS = 120.0
_UNIT = "nanoseconds"


@dataclass(frozen=True)
class NonceState:
    """One key's nonce file: up to when nonces may have been used, or what is wrong with it.

    `ceiling` is in nanoseconds, `key` a fingerprint that gives nothing away; both None without a file.
    """

    account: AccountRef
    path: Path
    ceiling: int | None
    key: str | None
    problem: str

    @property
    def used_until(self) -> datetime | None:
        return None if self.ceiling is None else from_unix_seconds(self.ceiling / NANOSECONDS)

    def ahead_seconds(self, now: datetime) -> float | None:
        """How far the reservation is ahead of the clock; negative: behind, as after a while without a call."""
        return None if self.used_until is None else round((self.used_until - now).total_seconds(), 3)

    @property
    def line(self) -> str:
        if self.problem:
            return f"{self.account.label}: {self.problem}"
        if self.used_until is None:
            return f"{self.account.label}: no nonce file yet ({self.path.name})"
        return f"{self.account.label}: nonces up to {time_text(self.used_until)} may have been used ({self.path.name})"


def nonce_state(account: AccountRef, state_dir: Path) -> NonceState:
    """Reads the file and changes nothing."""
    path = nonce_path(state_dir, account)
    try:
        record = NonceFile(path, SystemClock()).read()
    except (ConfigurationError, StoreUnavailable) as error:
        return NonceState(account, path, None, None, str(error))
    if record is None:
        return NonceState(account, path, None, None, "")
    return NonceState(account, path, record.ceiling, record.key, "")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "nonce",
        "the nonces of each Kraken key: how far they are used, its file, and how far ahead of the clock",
        _run,
        codes="0 all in order, 1 a file cannot be used or is far ahead, 2 wrong use, 3 the bot is not running",
        examples=["nonce status", "nonce status --json"],
    )
    made.add_argument("action", choices=["status"], help="show them; no key is used, nothing is changed")


def _run(settings: Settings, words: argparse.Namespace) -> int:
    return tell(settings, list_nonces, name="nonces", as_json=words.json)


def list_nonces(seen: Seen, answer: Answer) -> None:
    """A row for each enabled account at Kraken."""
    found = [nonce_state(account, seen.settings.state_dir) for account in kraken_accounts(seen.settings)]
    ceilings = {row.key_fingerprint: row.ceiling for row in seen.connection.execute(select(nonce_ceiling))}
    errors = {row.account_id: row.error_count for row in states(seen.connection)}
    exact = [_fields(one, seen, ceilings, errors) for one in found]
    for one, fields in zip(found, exact, strict=True):
        answer.say(f"{one.account.label}: {fields['problem']}" if fields["problem"] else "")
    answer.wrong = any(fields["problem"] for fields in exact)
    answer.sentences.insert(0, f"{count(len(found), 'Kraken key')}, used at most up to what is reserved")
    columns = {"account": "account", "until": "reserved to (UTC)", "ahead": "ahead", "errors": "errors", "file": "file"}
    rows = [_row(one, fields, seen) for one, fields in zip(found, exact, strict=True)]
    answer.show(Listing("nonces", "Nonces by key", columns, rows, exact, wraps=("file",)))


def _fields(
    one: NonceState, seen: Seen, ceilings: Mapping[str, int], errors: Mapping[str, int | None]
) -> dict[str, Any]:
    shared = ceilings.get(one.key or "")
    return {
        "account": one.account.label,
        "file": str(one.path),
        "unit": _UNIT,
        "key": one.key,
        "ceiling": None if one.ceiling is None else str(one.ceiling),
        "shared_ceiling": None if shared is None else str(shared),
        "used_until": time_text(one.used_until),
        "ahead_seconds": one.ahead_seconds(seen.now),
        "errors_in_a_row": errors.get(one.account.label),
        "problem": one.problem or _far_ahead(one, seen.now),
    }


def _far_ahead(one: NonceState, now: datetime) -> str:
    ahead = one.ahead_seconds(now)
    if ahead is None or ahead <= FAR_AHEAD_SECONDS:
        return ""
    return (
        f"its nonces are {ahead:.0f} s ahead of the clock: the clock was set back, or was wrong before. NIJA goes on "
        "above them; any other program with this key is refused"
    )


def _row(one: NonceState, fields: Mapping[str, Any], seen: Seen) -> dict[str, Cell]:
    ahead = fields["ahead_seconds"]
    return {
        "account": one.account.label,
        "until": "no nonce yet" if one.used_until is None else f"{one.used_until:%Y-%m-%d %H:%M:%S}",
        "ahead": "-" if ahead is None else f"{ahead:+.1f} s",
        "errors": "-" if fields["errors_in_a_row"] is None else str(fields["errors_in_a_row"]),
        "file": one.path.name,
    }
