"""Closes one day of one account's books: terms, identity, status. Pure arithmetic on what it is given."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.books.book_text import to_json
from bot.books.entries import CostEntry, Entry, Movement, Trade
from bot.books.equity import Mark, fresh_prices
from bot.books.flows import BookPoint, moved_in_kind
from bot.books.identity import HALF_A_CENT, Identity, Standing, prove
from bot.books.ledger import Books
from bot.books.performance import ResultTally, Wins, hold_change
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.money import plain
from bot.execution.running_books import apply_all
from bot.storage.book_entries import BookedUntil
from bot.storage.day_closes import DayClose, DayStatus, Difference

NOTHING = Decimal(0)
# Venues round the cost and the fee of a trade, each at the fourth decimal or further behind, and tell another figure.
ROUNDING_PER_TRADE = Decimal("0.0001")
# Of what has no price: less than any venue counts.
DUST_UNITS = Decimal("0.00000001")


@dataclass(frozen=True, kw_only=True)
class DayStart:
    """Where a day begins. `units` are the venue's own, and the books (which the closing goes on with) say the same."""

    books: Books
    units: Mapping[str, Decimal]
    marks: Mapping[str, Mark]


@dataclass(frozen=True, kw_only=True)
class DayEnd:
    """Where it ends. `venue_units` gives what the venue had then, when it is told what the books say there was.

    `unproven` says why that reading proves nothing ("" = it does), `restated` why the day is computed anew.
    """

    day: str
    at: datetime
    marks: Mapping[str, Mark]
    booked: BookedUntil
    venue_units: Callable[[Mapping[str, Decimal]], Mapping[str, Decimal]]
    unproven: str = ""
    restated: str = ""


@dataclass(frozen=True, kw_only=True)
class DayMaker:
    """What is the same for all days of one account."""

    account_id: str
    max_price_age_seconds: float

    def close(
        self, start: DayStart, entries: Iterable[Entry], end: DayEnd, *, written_at: datetime
    ) -> tuple[DayClose, DayStart]:
        """The day's row, and where the next day begins: with the venue's units, whatever the books had said.

        A difference belongs to the day in which it came up, and to no later one.
        """
        books, before, tally = start.books, start.books.point(), ResultTally()
        books.on_close = tally
        apply_all(books, entries)
        units = end.venue_units(books.units())
        fresh = fresh_prices(end.marks, now=end.at, max_age_seconds=self.max_price_age_seconds)
        moved = moved_in_kind(before.flows, books.flows)
        marks = {a: end.marks[a] for a in fresh if units.get(a) or start.units.get(a) or a in moved}
        identity = prove(_standing(before, start.units, start.marks), _standing(books.point(), units, marks))
        _take_over(books, units, end)
        wins, terms = tally.wins(), identity.terms
        status, problem = _judged(identity, end, books.own_currency, moved - marks.keys())
        if late := sorted(asset for asset, held in start.units.items() if held and asset in marks.keys() - start.marks):
            problem = "; ".join(filter(None, (problem, _valued_late(late))))
        close = DayClose(
            account_id=self.account_id,
            day=end.day,
            closes_at=end.at,
            currency=books.own_currency,
            opening_equity=identity.opening_equity,
            equity=identity.closing_equity,
            realised=terms.realised,
            unrealised_change=terms.unrealised_change,
            fees=terms.fees,
            net_deposits=terms.net_deposits,
            income=terms.income,
            other_holdings=terms.other_holdings,
            difference=identity.difference,
            differences=_differences(identity, rounding_limit(terms.trades)),
            units={asset: amount for asset, amount in units.items() if amount},
            marks=marks,
            books_json=to_json(books),
            booked=end.booked,
            trades=terms.trades,
            wins=wins.wins,
            losses=wins.losses,
            turnover=terms.turnover,
            hold_json=_beside_text(start, marks, wins, books.own_currency),
            status=status,
            problem=problem,
            written_at=written_at,
        )
        return close, DayStart(books=books, units=close.units, marks=marks)


def added(units: Mapping[str, Decimal], more: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Asset by asset."""
    return {asset: units.get(asset, NOTHING) + more.get(asset, NOTHING) for asset in {**units, **more}}


def more_than(venue: Mapping[str, Decimal], books: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What the venue has more than the books, by asset; assets of which both say the same are left out."""
    apart = {asset: venue.get(asset, NOTHING) - books.get(asset, NOTHING) for asset in {**venue, **books}}
    return {asset: units for asset, units in apart.items() if units}


def units_moved(entries: Iterable[Entry], currency: str) -> dict[str, Decimal]:
    """By how much these entries change the units of each asset."""
    books = Books(currency)
    apply_all(books, entries)
    return {asset: units for asset, units in books.units().items() if units}


def in_words(asset: str, one: Difference, currency: str) -> str:
    """`the brokerage has 5 USD less than the books say (5 USD)`."""
    word = "more" if one.units > 0 else "less"
    worth = "no price for it" if one.value is None else f"{abs(one.value):.2f} {currency}"
    return f"the brokerage has {plain(abs(one.units))} {asset} {word} than the books say ({worth})"


def entry_in_words(entry: Entry) -> str:
    """What was booked late, for the day's row."""
    if isinstance(entry, Movement):
        event = entry.event
        return f"{event.kind} of {plain(event.change)} {event.asset} of {event.at:%F %H:%M}"
    if isinstance(entry, Trade):
        return f"{entry.side} {plain(entry.quantity)} {entry.symbol} of {entry.at:%F %H:%M}"
    if isinstance(entry, CostEntry):
        return f"cost of {plain(entry.quantity)} {entry.asset} of {entry.acquired_at:%F}"
    return f"opening balance of {entry.asset}"


def _standing(point: BookPoint, units: Mapping[str, Decimal], marks: Mapping[str, Mark]) -> Standing:
    return Standing(point=point, venue_units=units, prices={asset: mark.price for asset, mark in marks.items()})


def _valued_late(assets: Sequence[str]) -> str:
    return f"had no price at the day's beginning, so that all its worth counts as this day's: {', '.join(assets)}"


def _take_over(books: Books, units: Mapping[str, Decimal], end: DayEnd) -> None:
    """The next day begins with what there is; before its first entry of the same moment, hence the number."""
    for asset, more in sorted(more_than(units, books.units()).items()):
        event = CashEvent(
            event_id=f"difference {end.day} {asset}", kind=CashKind.ADJUSTMENT, asset=asset, amount=more, at=end.at
        )
        books.apply(Movement(event=event, sequence=-1))


def _differences(identity: Identity, limit: Decimal) -> dict[str, Difference]:
    parts = ((part.asset, Difference(part.units - part.opening_units, part.value)) for part in identity.by_asset)
    return {asset: one for asset, one in parts if one.units and not is_rounding(one, limit)}


def rounding_limit(trades: int) -> Decimal:
    """What balances may differ by after so many trades, in own currency, with nothing wrong; half a cent at least."""
    return max(HALF_A_CENT, ROUNDING_PER_TRADE * trades)


def is_rounding(one: Difference, limit: Decimal = HALF_A_CENT) -> bool:
    """Venues round balances in places that their fills do not show."""
    return abs(one.units) < DUST_UNITS if one.value is None else abs(one.value) < limit


def _judged(identity: Identity, end: DayEnd, currency: str, unvalued: Set[str]) -> tuple[DayStatus, str]:
    """`unvalued` came or left in kind, and have no price."""
    limit = rounding_limit(identity.terms.trades)
    differences = _differences(identity, limit)
    said = [end.unproven] if end.unproven else []
    if identity.unpriced:
        names = ", ".join(f"{plain(units)} {asset}" for asset, units in sorted(identity.unpriced.items()))
        said.append(f"not valued, for want of a price near the day's end: {names}")
    if gone := sorted(unvalued - identity.unpriced.keys()):
        said.append(f"came or left, and is not valued, for want of a price near the day's end: {', '.join(gone)}")
    said += [in_words(asset, one, currency) for asset, one in sorted(differences.items())]
    if not differences and abs(identity.difference) >= HALF_A_CENT:
        said.append(f"{identity.difference:.4f} {currency} are roundings of {identity.terms.trades} trades")
    if end.restated:
        said.append(end.restated)
    if end.unproven:
        status = DayStatus.UNPROVEN
    elif differences:
        status = DayStatus.BROKEN
    else:
        status = DayStatus.UNPRICED if identity.unpriced or unvalued else DayStatus.OK
    return status, "; ".join(said)


def _beside_text(start: DayStart, marks: Mapping[str, Mark], wins: Wins, currency: str) -> str:
    """What the units of the opening would have gained if nobody had traded, and what closing orders made and lost."""
    before = {asset: mark.price for asset, mark in start.marks.items()}
    after = {asset: mark.price for asset, mark in marks.items()}
    units = {asset: amount for asset, amount in start.units.items() if asset != currency}
    beside = {
        "change": hold_change(units, before, after),
        "gross_profit": wins.gross_profit,
        "gross_loss": wins.gross_loss,
    }
    return json.dumps({name: plain(amount) for name, amount in beside.items()})
