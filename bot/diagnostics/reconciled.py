"""What is known of one account when it is reconciled: its rows added up, the brokerage's word, and remarks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from bot.books.equity import Mark
from bot.books.exactly import add, multiply, negate, subtract
from bot.diagnostics.period_figures import ListedAccount
from bot.domain.cash_event import CashEvent
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.symbol import base_of, quote_of

_ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class History:
    """What the brokerage lists since some moment, asked just now."""

    since: datetime
    trades: Sequence[Fill]
    events: Sequence[CashEvent] | None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class VenueWord:
    """What the brokerage said there is, when, and at what prices. `unsettled` says why that proves nothing."""

    at: datetime
    units: Mapping[str, Decimal]
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unsettled: str = ""
    history: History | None = None


class Remark(NamedTuple):
    """A sentence about a difference. One that is not explained is for somebody to look into."""

    words: str
    explained: bool


@dataclass
class AssetRow:
    """Units of one asset. `books` = opening + traded - fees + moved; `venue` None = not known. `lots` are copied or
    traded by the bot, with the rests that are too small to be sold."""

    asset: str
    opening: Decimal = _ZERO
    traded: Decimal = _ZERO
    fees: Decimal = _ZERO
    moved: Decimal = _ZERO
    lots: Decimal = _ZERO
    venue: Decimal | None = None
    remarks: list[Remark] = field(default_factory=list)

    @property
    def books(self) -> Decimal:
        return add(add(self.opening, subtract(self.traded, self.fees)), self.moved)

    @property
    def difference(self) -> Decimal | None:
        """What the venue has more."""
        return None if self.venue is None else subtract(self.venue, self.books)


@dataclass
class Reconciled:
    """One account. `remarks` are about no single asset."""

    account: ListedAccount
    word: VenueWord | None
    assets: dict[str, AssetRow] = field(default_factory=dict)
    trades: int = 0
    by_hand: int = 0
    newest_trade_at: datetime | None = None
    read_until: datetime | None = None
    events: int = 0
    ledger_read_at: datetime | None = None
    remarks: list[Remark] = field(default_factory=list)

    def row(self, asset: str) -> AssetRow:
        return self.assets.setdefault(asset, AssetRow(asset))

    @property
    def flagged(self) -> list[str]:
        """What nothing explains."""
        rows = [
            f"{row.asset}: {remark.words}"
            for row in self.assets.values()
            for remark in row.remarks
            if not remark.explained
        ]
        return [*(remark.words for remark in self.remarks if not remark.explained), *rows]


def moved_by(symbol: str, side: Side, quantity: Decimal, price: Decimal) -> Iterable[tuple[str, Decimal]]:
    """(asset, change of its units) of a trade, without its fee."""
    notional = multiply(quantity, price)
    bought = side is Side.BUY
    yield base_of(symbol), quantity if bought else negate(quantity)
    yield quote_of(symbol), negate(notional) if bought else notional
