"""What the commands of the books share: reading the store, saying paper or live, and one way to say no."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.books.days import DayBoundary
from bot.diagnostics.chosen_days import boundary_of
from bot.diagnostics.listing import cannot_read
from bot.diagnostics.period_reading import UnknownName
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, describe_age, now, read_store
from bot.settings import Settings

# With real money an account is read every five minutes; one that was not read for so long is a matter to look into.
LATE = timedelta(minutes=15)
_MODES: Mapping[str, str] = {
    "paper": "prices are made up, and so is any profit",
    "live": "real money",
}


@dataclass(frozen=True)
class Ledger:
    """The store at one moment, with what is needed to speak of its figures."""

    connection: Connection
    settings: Settings
    state: BotState
    now: datetime
    boundary: DayBoundary

    @property
    def mode(self) -> str:
        """`paper` or `live`: of the bot that wrote the figures. A state directory has one mode for ever."""
        return self.state.mode or self.settings.trading_mode

    @property
    def mode_words(self) -> str:
        """What the mode means, as a line of its own."""
        return f"{self.mode.upper()}: {self.mode_meaning}"

    @property
    def mode_meaning(self) -> str:
        return _MODES.get(self.mode, "the mode is not known")

    @property
    def zone(self) -> str:
        return self.settings.books.time_zone


def late_words(ledger: Ledger, read_at: datetime | None) -> str:
    """A sentence when figures of a running bot are older than its readings should be; "" otherwise."""
    if read_at is None or not ledger.state.running or ledger.now - read_at <= LATE:
        return ""
    return f"its figures are of {describe_age(ledger.now - read_at)} ago: it has not been read since"


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """Raises `NoStore`."""
    moment = now(settings)
    with read_store(settings) as connection:
        state = bot_state(connection, now=moment)
        yield Ledger(connection, settings, state, moment, boundary_of(settings))


def refuse(error: NoStore | UnknownName, *, as_json: bool, empty: Mapping[str, Any]) -> int:
    """Say why there is nothing to show; returns the exit code."""
    code = exit_codes.NOT_RUNNING if isinstance(error, NoStore) else exit_codes.WRONG_USE
    return cannot_read(NoStore(str(error)), as_json=as_json, code=code, empty=empty)


def ending(state: BotState, *, wrong: bool) -> int:
    """The exit code of a list of figures."""
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if wrong else exit_codes.OK
