"""What became of a wish to buy, and how a position stands with its exits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class EntryOutcome:
    """An order was made of the wish, or `rule` was in the way.

    `rule` is a fixed word to count by (a `VetoRule` or a word of sizing), `detail` the sentence for the operator,
    `numbers` what was compared, by name with the unit, as text. `client_order_id` is the order's, if one was made.
    """

    ordered: bool
    rule: str = ""
    detail: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)
    client_order_id: str | None = None

    @property
    def word(self) -> str:
        """As it is written down: `ordered` or `vetoed`."""
        return "ordered" if self.ordered else "vetoed"


class ExitStatus(StrEnum):
    """How a position stands with its exits as of the account's last cycle."""

    ARMED = "armed"  # rules are in force and none is met
    SELLING = "selling"  # a rule is met and an order is on its way
    WAITING = "waiting"  # it cannot be judged or sold now: a price, an opening, an order of before is waited for
    UNGUARDED = "unguarded"  # no rule can sell it; the reason says why
