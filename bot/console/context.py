"""Everything the console's routes work with. One for the process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from bot.console.answers import Refusal
from bot.console.attempts import Attempts
from bot.console.bot_news import BotNews
from bot.console.hosts import LOOPBACK_NAMES, is_loopback
from bot.console.passwords import Passwords
from bot.console.sessions import Sessions
from bot.diagnostics.store_reading import NoStore, read_store
from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.settings import Settings


class Screen(Protocol):
    """The first screen, kept for everybody who looks."""

    def read(self) -> dict[str, Any]:
        """Raises `Refusal` while it cannot be worked out."""


@dataclass(kw_only=True)
class Context:
    """`bind` is the address it listens on; `host_names` those it answers to (empty = any).

    `can_write`: False for the books of a stopped bot that were opened to be read.
    """

    settings: Settings
    clock: Clock
    ids: IdSource
    news: BotNews
    sessions: Sessions
    passwords: Passwords
    bind: str
    host_names: frozenset[str]
    can_write: bool = True
    attempts: Attempts = field(default_factory=Attempts)
    # Set once, by whoever makes the context (`api_overview.FirstScreen` needs it).
    first_screen: Screen = field(init=False)

    @property
    def open_to_all(self) -> bool:
        """On this machine alone, and nobody has set a password: whoever can reach it may do everything.

        A name of its own or a proxy before it means that others reach it, too.
        """
        alone = is_loopback(self.bind) and self.host_names == LOOPBACK_NAMES and not self.settings.console.trust_proxy
        return alone and not self.passwords.passwords

    @property
    def shut(self) -> bool:
        """Reachable from elsewhere, and nobody could sign in: health alone is served."""
        return not self.open_to_all and not self.passwords.any

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The store as of one moment. Raises `Refusal` (503) when it cannot be read."""
        try:
            with read_store(self.settings) as connection:
                yield connection
        except NoStore as error:
            raise Refusal(503, str(error)) from error

    def now(self) -> datetime:
        return self.clock.now()
