"""Whom and what a question is about: the account and the market that were typed, or the nearest names."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from bot.diagnostics.accounts import Account, Reader
from bot.diagnostics.overview import BEFORE_START
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.equity_points import newest_point
from bot.storage.market_rows import symbols_of
from bot.storage.market_words import words_of
from bot.storage.positions import symbols_held
from bot.storage.schema import market_catalogue, order_intent


class Unknown(NoStore):
    """There is no such account or market; the message has the nearest names."""


@dataclass(frozen=True)
class Subject:
    """An account as last written by the bot, and whether the bot runs."""

    state: BotState
    account: Account

    @property
    def label(self) -> str:
        return self.account.label

    @property
    def broker(self) -> str:
        return str(self.account.row.broker)

    @property
    def is_master(self) -> bool:
        return self.account.is_master


def find_subject(connection: Connection, settings: Settings, typed: str) -> Subject:
    """The account by its label. Raises `Unknown`."""
    seen_at = now(settings)
    state = bot_state(connection, now=seen_at)
    rows = {str(row.account_id): row for row in states(connection)}
    row = rows.get(typed)
    if row is None:
        raise Unknown(f"There is no account {typed!r}.{_nearest(typed, rows)}")
    if row.health is None:
        raise Unknown(f"{typed} was never at work: nothing is known of it yet")
    reader = Reader(seen_at, settings.pace.cycle_seconds, settings.balance.max_age_seconds, state.running)
    taken_up = state.started_at is not None and row.updated_at >= state.started_at - BEFORE_START
    held = symbols_held(connection, typed)
    return Subject(state, Account(row, len(held), reader, taken_up, newest_point(connection, typed)))


def find_symbol(connection: Connection, subject: Subject, typed: str) -> str:
    """The market as the bot calls it; `btc` and `btc/usd` will do. Raises `Unknown`."""
    traded = select(order_intent.c.symbol).where(order_intent.c.account_id == subject.label).distinct()
    known = {
        *symbols_of(connection, market_catalogue, subject.broker),
        *symbols_held(connection, subject.label),
        *words_of(connection, subject.label),
        *connection.execute(traded).scalars(),
    }
    word = typed.strip().upper()
    for guess in (typed.strip(), word, f"{word}/{subject.account.row.quote_currency}"):
        if guess in known:
            return guess
    raise Unknown(f"There is no market {typed!r} for {subject.label}.{_nearest(word, known)}")


def _nearest(typed: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(typed, known, n=3, cutoff=0.5)
    if near:
        return f" Did you mean {' or '.join(near)}?"
    listed = f" Known are {', '.join(sorted(known))}." if len(known) <= 20 else ""
    return listed if known else " None was ever seen."
