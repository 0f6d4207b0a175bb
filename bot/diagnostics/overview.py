"""All accounts together: those of the store that still count, and those of the settings that the bot lacks."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from bot.diagnostics.accounts import Account, Reader, time_text
from bot.diagnostics.attention import attention
from bot.diagnostics.store_reading import BotState, bot_state, now, read_store
from bot.domain.account import AccountRef
from bot.domain.health import HealthState
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.duties import duties_of, orphans, what_to_do
from bot.storage.equity_points import newest_point
from bot.storage.positions import positions_of

# The bot writes each account's first state shortly before it says that it runs.
BEFORE_START = timedelta(seconds=60)


@dataclass(frozen=True)
class Overview:
    """The bot, its accounts (masters first within a brokerage), and what the settings name besides.

    `left_behind` says by label what users have who are switched off; `orphaned` what those have whom no file names.
    """

    state: BotState
    accounts: Sequence[Account]
    not_taken_up: Sequence[str] = ()
    switched_off: Sequence[str] = ()
    left_behind: Mapping[str, str] = field(default_factory=dict)
    orphaned: Mapping[str, str] = field(default_factory=dict)
    attention: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        """The overall word: `NIJA is running in paper mode; 5 of 6 accounts trade`."""
        if not self.state.running:
            return self.state.sentence
        trading = sum(not account.why_not_trading for account in self.accounts)
        absent = sum(account.not_configured for account in self.accounts)
        besides = f", {absent} more have no key" if absent else ""
        return f"{self.state.sentence}; {trading} of {len(self.accounts) - absent} accounts trade{besides}"

    def only(self, wanted: Callable[[str], bool]) -> "Overview":
        """The same for some brokerages."""
        return replace(
            self,
            accounts=[account for account in self.accounts if wanted(account.row.broker)],
            not_taken_up=[label for label in self.not_taken_up if wanted(label.rpartition("_")[2])],
            switched_off=[label for label in self.switched_off if wanted(label.rpartition("_")[2])],
            orphaned={label: has for label, has in self.orphaned.items() if wanted(label.rpartition("_")[2])},
        )

    def as_json(self) -> dict[str, Any]:
        """What every account command prints with `--json`."""
        return {
            "running": self.state.running,
            "mode": self.state.mode,
            "said": self.state.sentence,
            "started_at": time_text(self.state.started_at),
            "last_seen_at": time_text(self.state.last_seen_at),
            "accounts": [account.as_json() for account in self.accounts],
            "not_taken_up": list(self.not_taken_up),
            "switched_off": list(self.switched_off),
            "left_behind": dict(self.left_behind),
            "orphaned": dict(self.orphaned),
            "attention": list(self.attention),
        }

    def notes(self) -> list[str]:
        """What the accounts themselves cannot say."""
        notes = [f"{label}: the running bot does not know this account yet; restart it" for label in self.not_taken_up]
        notes += [f"{label}: ORPHANED: {has}" for label, has in self.orphaned.items()]
        return notes + [f"{label}: switched off in its file{self._has(label)}" for label in self.switched_off]

    def _has(self, label: str) -> str:
        return f"; it has {self.left_behind[label]}" if label in self.left_behind else ""


def read_overview(settings: Settings) -> Overview:
    """What the store holds now. Raises `NoStore`."""
    seen_at = now(settings)
    off = {user.account.label: user for user in settings.users if not user.enabled}
    with read_store(settings) as connection:
        state = bot_state(connection, now=seen_at)
        reader = Reader(seen_at, settings.pace.cycle_seconds, settings.balance.max_age_seconds, state.running)
        rows = [row for row in states(connection) if row.health is not None]
        accounts = [_account(connection, row, reader, state.started_at) for row in rows]
        duties = {label: duties_of(connection, label) for label in off}
        orphaned = orphans(connection, {user.account for user in settings.users})
        urgent = attention(connection, seen_at)
    labels = configured_labels(settings)
    missing = [label for label in labels if label not in {row.account_id for row in rows}]
    # An account that left the settings is shown as long as the bot that knows it runs and has not seen it off.
    shown = [one for one in accounts if one.label in labels or _is_still_known(one, state, off)]
    return Overview(
        state,
        shown,
        missing if state.running else (),
        list(off),
        {label: f"{has} ({off[label].when_disabled})" for label, has in duties.items() if has.any},
        {
            account.label: what_to_do(has)
            for account, has in orphaned.items()
            if account.label not in {one.label for one in shown}
        },
        urgent,
    )


def _is_still_known(account: Account, state: BotState, off: Collection[str]) -> bool:
    touched = state.started_at is not None and account.row.updated_at >= state.started_at
    return touched and not (account.label in off and account.row.health == HealthState.STOPPED)


def configured_labels(settings: Settings) -> list[str]:
    """The accounts that the settings switch on."""
    masters = [AccountRef.master(master.broker).label for master in settings.masters if master.enabled]
    return masters + [user.account.label for user in settings.users if user.enabled]


def _account(connection: Connection, row: Row[Any], reader: Reader, started_at: datetime | None) -> Account:
    taken_up = started_at is not None and row.updated_at >= started_at - BEFORE_START
    held, worth = positions_of(connection, row.account_id), newest_point(connection, row.account_id)
    return Account(row, len(held), reader, taken_up, worth)
