"""What changed an account's units without a trade: money that came or went, interest, conversions, later fees."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class CashKind(StrEnum):
    """What moved, in one sentence each; `detail` of the event keeps the venue's own word."""

    DEPOSIT = "deposit"  # From outside the venue.
    WITHDRAWAL = "withdrawal"  # To outside the venue.
    TRANSFER = "transfer"  # Between this account and another one at the same venue.
    STAKING = "staking"  # A reward for what is held.
    DIVIDEND = "dividend"  # A payment on what is held: dividends, interest, distributions.
    CONVERSION = "conversion"  # One leg of one asset made into another; both legs have one reference.
    FEE = "fee"  # Taken by the venue apart from any trade, or later than it.
    SPLIT = "split"  # Shares made into more or fewer shares for the same cost.
    ADJUSTMENT = "adjustment"  # The venue's own correction of units.
    OTHER = "other"  # A word of the venue that is not known here: its units count all the same.


@dataclass(frozen=True, kw_only=True)
class CashEvent:
    """One entry of the venue's ledger that is no trade. The account's units change by `amount` − `fee`.

    `event_id` is the venue's, unique within the account and the same in every reading. `amount` is signed and in
    units of `asset`; `fee` is in the same asset, never negative, and not part of `amount`. Entries of one matter, such
    as the two legs of a conversion, share a `reference`. `at` is when the venue booked it, in UTC. Only what is done
    is an event: what is still pending is none, and what is taken back later is an event of its own.
    """

    event_id: str
    kind: CashKind
    asset: str
    amount: Decimal
    at: datetime
    fee: Decimal = Decimal(0)
    reference: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        if not self.event_id or not self.asset:
            raise ValueError(f"cash event {self.event_id!r}: an id and an asset are needed, not {self.asset!r}")
        if not (isinstance(self.amount, Decimal) and isinstance(self.fee, Decimal)):
            raise ValueError(f"cash event {self.event_id}: amount and fee must be Decimal")
        if not self.amount.is_finite() or not self.fee.is_finite() or self.fee < 0:
            raise ValueError(f"cash event {self.event_id}: amount {self.amount} and fee {self.fee} are no such amounts")
        if self.at.tzinfo is None:
            raise ValueError(f"cash event {self.event_id}: time without a zone")

    @property
    def change(self) -> Decimal:
        """By how many units the account's holding of the asset changed."""
        return self.amount - self.fee
