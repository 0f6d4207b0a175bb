"""Random histories: the books against a recount that was written another way, exactly and not nearly."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.books.book_text import from_json, to_json
from bot.books.entries import Entry, Opening
from bot.books.flows import BookPoint
from bot.books.identity import Standing, prove
from bot.books.ledger import Books
from bot.books.lots import Realised
from tests.unit.books.histories import ASSETS, OWN, histories, prices
from tests.unit.books.recount import Recount

all_prices = st.fixed_dictionaries(dict.fromkeys(ASSETS, prices))


def booked(entries: list[Entry], *, shorts: bool, written_down_after: int = -1) -> tuple[BookPoint, Books]:
    """The point after the openings, and the books at the end."""
    books = Books(OWN, shorts=shorts)
    start = books.point()
    for number, entry in enumerate(entries):
        assert books.apply(entry)
        if isinstance(entry, Opening):
            start = books.point()
        if number == written_down_after:
            books = from_json(to_json(books))
    return start, books


def standing(point: BookPoint, known_prices: Mapping[str, Decimal]) -> Standing:
    """The venue has what the books say."""
    return Standing(point=point, venue_units=point.units, prices=known_prices)


def fractions(units: Mapping[str, Decimal]) -> dict[str, Fraction]:
    return {asset: Fraction(amount) for asset, amount in units.items() if amount}


def nonzero(units: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {asset: amount for asset, amount in units.items() if amount}


@settings(max_examples=100)
@given(entries=histories(), shorts=st.booleans(), before=all_prices, after=all_prices, pause=st.integers(0, 40))
def test_every_term_is_what_a_plain_recount_says_also_when_written_down_and_read_back_midway(
    entries: list[Entry], shorts: bool, before: dict[str, Decimal], after: dict[str, Decimal], pause: int
) -> None:
    start, books = booked(entries, shorts=shorts, written_down_after=pause)
    recount = Recount(OWN, shorts, fractions(before), fractions(after))
    recount.run(entries)
    proof = prove(standing(start, before), standing(books.point(), after))

    assert fractions(books.units()) == nonzero(recount.units)
    terms = proof.terms
    assert Fraction(terms.realised) == recount.realised
    assert Fraction(terms.fees) == recount.fees
    assert Fraction(terms.net_deposits) == recount.net_deposits
    assert Fraction(terms.income) == recount.income
    assert Fraction(terms.turnover) == recount.turnover
    assert fractions(terms.fees_apart) == nonzero(recount.fees_apart)
    assert Fraction(terms.unrealised_change) == recount.unrealised_change
    for asset in ASSETS:
        mine = [
            (Fraction(lot.quantity), Fraction(lot.unit_cost or 0) if books.knows_cost(lot) else None)
            for lot in books.lots(asset)
        ]
        assert mine == [(parcel.quantity, parcel.unit_cost) for parcel in recount.parcels[asset]]

    change = recount.equity(recount.units, recount.closing_prices) - recount.equity(
        {asset: Fraction(amount) for asset, amount in start.units.items()}, recount.opening_prices
    )
    rest = change - (
        recount.realised + recount.unrealised_change - recount.fees + recount.net_deposits + recount.income
    )
    assert Fraction(terms.other_holdings) == rest
    assert proof.difference == 0
    assert proof.holds


@settings(max_examples=30)
@given(
    entries=histories(),
    shorts=st.booleans(),
    before=all_prices,
    after=all_prices,
    priced_before=st.sets(st.sampled_from(ASSETS)),
    priced_after=st.sets(st.sampled_from(ASSETS)),
)
def test_the_identity_is_exact_whatever_has_no_price(
    entries: list[Entry],
    shorts: bool,
    before: dict[str, Decimal],
    after: dict[str, Decimal],
    priced_before: set[str],
    priced_after: set[str],
) -> None:
    start, books = booked(entries, shorts=shorts)
    opening = standing(start, {asset: before[asset] for asset in priced_before})
    closing = standing(books.point(), {asset: after[asset] for asset in priced_after})
    proof = prove(opening, closing)
    assert proof.difference == 0
    assert proof.terms.total == proof.closing_equity - proof.opening_equity
    held = {asset for asset, amount in books.units().items() if amount and asset != OWN}
    assert set(proof.unpriced) == held - priced_after


@settings(max_examples=30)
@given(entries=histories(), shorts=st.booleans(), cut=st.integers(0, 40), marks=st.tuples(*[all_prices] * 3))
def test_the_terms_of_two_periods_add_up_to_those_of_both(
    entries: list[Entry], shorts: bool, cut: int, marks: tuple[dict[str, Decimal], ...]
) -> None:
    start, books = booked(entries, shorts=shorts)
    openings = sum(isinstance(entry, Opening) for entry in entries)
    _, midway = booked(entries[: max(cut, openings)], shorts=shorts)
    first = prove(standing(start, marks[0]), standing(midway.point(), marks[1]))
    second = prove(standing(midway.point(), marks[1]), standing(books.point(), marks[2]))
    whole = prove(standing(start, marks[0]), standing(books.point(), marks[2]))
    assert first.terms.realised + second.terms.realised == whole.terms.realised
    assert first.terms.fees + second.terms.fees == whole.terms.fees
    assert first.terms.total + second.terms.total == whole.terms.total


@settings(max_examples=30)
@given(
    entries=histories(),
    before=all_prices,
    after=all_prices,
    asset=st.sampled_from((OWN, *ASSETS)),
    stolen=st.decimals(min_value="0.001", max_value="5", places=3),
)
def test_units_that_the_venue_has_not_are_named_by_asset_and_value(
    entries: list[Entry], before: dict[str, Decimal], after: dict[str, Decimal], asset: str, stolen: Decimal
) -> None:
    start, books = booked(entries, shorts=False)
    point = books.point()
    venue = {**point.units, asset: point.units.get(asset, Decimal(0)) - stolen}
    proof = prove(standing(start, before), Standing(point=point, venue_units=venue, prices=after))
    price = after.get(asset, Decimal(1))
    assert proof.difference == -stolen * price
    assert [(part.asset, part.units, part.value) for part in proof.by_asset] == [(asset, -stolen, -stolen * price)]
    assert proof.holds == (stolen * price < Decimal("0.005"))


@settings(max_examples=30)
@given(entries=histories(), shorts=st.booleans())
def test_slices_told_of_closed_lots_add_up_to_what_was_realised(entries: list[Entry], shorts: bool) -> None:
    slices: list[Realised] = []
    books = Books(OWN, shorts=shorts, on_close=slices.append)
    books.apply_all(entries)
    assert sum((part.gain for part in slices if part.gain is not None), Decimal(0)) == books.flows.realised
    by_lot: dict[tuple[str, str], Decimal] = {}
    for part in slices:
        assert part.quantity > 0
        key = (part.asset, part.lot_trade_id)
        by_lot[key] = by_lot.get(key, Decimal(0)) + part.quantity
    assert all(quantity > 0 for quantity in by_lot.values())


@settings(max_examples=30)
@given(entries=histories(), shorts=st.booleans())
def test_telling_everything_twice_changes_nothing(entries: list[Entry], shorts: bool) -> None:
    books = Books(OWN, shorts=shorts)
    assert books.apply_all(entries) == len(entries)
    once = to_json(books)
    assert books.apply_all(entries) == 0
    assert to_json(books) == once
