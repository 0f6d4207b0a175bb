"""When a brokerage trades: always, or in sessions with an opening and a close."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TradingSession:
    """What is known of the session now. `is_open` None = not known: no entries then, and exits are tried.

    `until` is the close while it is open and the opening while it is closed, by the venue's clock; None = nobody knows,
    or it never changes. `says` is a sentence for the operator while no entry can be made, empty while it is open.
    """

    is_open: bool | None
    until: datetime | None
    says: str = ""

    def __post_init__(self) -> None:
        if self.until is not None and self.until.tzinfo is None:
            raise ValueError("the end of a session needs a zone")
        if self.is_open is not True and not self.says:
            raise ValueError("a session that is not open says why")


ALWAYS_OPEN = TradingSession(True, None)


@dataclass(frozen=True)
class Awaited:
    """What an order would have to wait for before the venue takes it: the opening, or the end of some protection.

    `until` is by the venue's clock; None = nobody knows when. `says` goes on after the words "it waits for".
    """

    says: str
    until: datetime | None = None

    @property
    def sentence(self) -> str:
        """`waits for the opening at 2026-01-30 14:30 UTC`."""
        return f"waits for {self.says}"

    def seconds_left(self, now: datetime) -> float | None:
        """How long that is from `now` (by the venue's clock), at least 0; None = nobody knows."""
        return None if self.until is None else max(0.0, (self.until - now).total_seconds())


def minute_text(moment: datetime) -> str:
    """`2026-01-30 14:30 UTC`, of a moment in UTC: sessions begin on the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
