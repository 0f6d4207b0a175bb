"""What one round says, and many rounds together."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Round:
    """Milliseconds after the fill (of the naive design and the bare sends: after the start) of each stage's last user.

    `orders` counts the orders the exchange took, `users` who should have one each. None: not a stage of this way.
    """

    users: int
    orders: int
    doubles: int
    last_accept: float
    last_ack: float
    signal: float | None = None
    last_recorded: float | None = None
    last_answer: float | None = None

    @property
    def exact(self) -> bool:
        """Every user has exactly one order."""
        return self.orders == self.users and not self.doubles


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what was measured."""
    known = [value for value in values if value is not None]
    return round(median(known), 3) if known else None


def row(way: str, rounds: Sequence[Round], *, rtt_milliseconds: float, floor_trips: float) -> dict[str, object]:
    """The medians of a way for one number of users. `floor_trips`: round trips that nobody could save."""
    acks = middle([one.last_ack for one in rounds])
    assert acks is not None
    return {
        "way": way,
        "users": rounds[0].users,
        "fill to signal ms": middle([one.signal for one in rounds]),
        "last accepted ms": middle([one.last_accept for one in rounds]),
        "last ack ms": acks,
        "ack / RTT": round(acks / rtt_milliseconds, 3),
        "ack / floor": round(acks / (floor_trips * rtt_milliseconds), 3),
        "last ack recorded ms": middle([one.last_recorded for one in rounds]),
        "last answer ms": middle([one.last_answer for one in rounds]),
        "one order each": "yes" if all(one.exact for one in rounds) else "NO",
        "rounds": len(rounds),
    }
