"""What the kill switch has stopped: how far, how strongly, by whom and why."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HaltScope(StrEnum):
    """What a halt covers; its target names which one."""

    ALL = "all"
    BROKER = "broker"
    ACCOUNT = "account"
    SYMBOL = "symbol"


class HaltStrength(StrEnum):
    """Either way no entry is sent; exits go on."""

    ENTRIES_OFF = "entries_off"
    FLATTEN = "flatten"  # what is held for trading is sold too


class HaltSource(StrEnum):
    """The way a halt came in."""

    COMMAND = "command"
    FILE = "file"
    SIGNAL = "signal"
    PAGE = "page"
    TELEGRAM = "telegram"
    BOT = "bot"


_SCOPE_WORDS = {HaltScope.BROKER: "brokerage", HaltScope.ACCOUNT: "account", HaltScope.SYMBOL: "symbol"}
_STRENGTH_WORDS = {HaltStrength.ENTRIES_OFF: "entries are off", HaltStrength.FLATTEN: "flatten"}


@dataclass(frozen=True, kw_only=True)
class Halt:
    """In force until it is lifted. `target` is a brokerage, an account's label or a symbol; "" for all.

    `id` is also the name of the campaign of a flatten: the same halt never sells the same lots twice.
    """

    id: int
    scope: HaltScope
    target: str
    strength: HaltStrength
    reason: str
    set_by: str
    source: HaltSource
    set_at: datetime
    lift_code: str | None = None
    lift_asked_by: str | None = None
    lift_asked_at: datetime | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None
    lifted_at: datetime | None = None

    @property
    def covers(self) -> str:
        """`everything`, `brokerage kraken`, `symbol BTC/USD`."""
        return "everything" if self.scope is HaltScope.ALL else f"{_SCOPE_WORDS[self.scope]} {self.target}"

    @property
    def sentence(self) -> str:
        """`entries are off for everything since 2026-01-31 12:00:00 UTC, set by anna (command): news`."""
        because = f": {self.reason}" if self.reason else ""
        since = f"{self.set_at:%Y-%m-%d %H:%M:%S} UTC"
        strength = _STRENGTH_WORDS[self.strength]
        return f"{strength} for {self.covers} since {since}, set by {self.set_by} ({self.source}){because}"
