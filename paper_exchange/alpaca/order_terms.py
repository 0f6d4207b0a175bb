"""What Alpaca remembers of an order beyond what the engine reads: its words for type and time in force, and more."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from decimal import Decimal

from paper_exchange.orders import NewOrder

DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """As the client said them. A ``day`` order rests in the engine until the close ends it.

    ``notional`` is dollars as text, of an order sized in money; ``replaces`` the id of the order it took the place of.
    """

    kind: str
    time_in_force: str
    extended_hours: bool = False
    notional: str | None = None
    replaces: str | None = None

    @classmethod
    def of(cls, new: NewOrder) -> Terms:
        assert new.venue_terms is not None, "an order of this front has terms"
        return cls(**json.loads(new.venue_terms))

    def encoded(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value}, separators=(",", ":"))

    @property
    def amount(self) -> Decimal | None:
        return Decimal(self.notional) if self.notional is not None else None
