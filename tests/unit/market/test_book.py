"""Order books are the venue's, level by level, or they are known to be wrong."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.kraken.book import Book
from bot.brokers.kraken.public_messages import BookItem, UnreadableMessage, read_books, read_envelope
from tests.unit.market.book_wire import (
    VECTOR_ASKS,
    VECTOR_BIDS,
    VECTOR_CHECKSUM,
    book_message,
    checksum_of,
    levels_of,
)

ZERO = Decimal(0)


def item_of(text: str) -> BookItem:
    return read_books(read_envelope(text))[0]


def vector() -> Book:
    book = Book("BTC/USD", price_decimals=1, quantity_decimals=8)
    text = book_message("BTC/USD", levels_of(VECTOR_ASKS), levels_of(VECTOR_BIDS), VECTOR_CHECKSUM, kind="snapshot")
    assert book.replace(item_of(text))
    return book


def test_the_published_book_has_the_published_checksum() -> None:
    book = vector()
    assert book.checksum() == VECTOR_CHECKSUM
    best = book.best()
    assert best is not None
    assert (best[0].price, best[1].price) == (Decimal("45283.5"), Decimal("45285.2"))


def test_numbers_without_their_trailing_zeros_make_the_same_checksum_once_the_decimals_are_known() -> None:
    asks = {price: quantity.normalize() for price, quantity in levels_of(VECTOR_ASKS).items()}
    bids = {price: quantity.normalize() for price, quantity in levels_of(VECTOR_BIDS).items()}

    def bare(levels: dict[Decimal, Decimal]) -> str:
        return ",".join(f'{{"price":{price},"qty":{quantity:f}}}' for price, quantity in levels.items())

    text = (
        f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"BTC/USD","bids":[{bare(bids)}],'
        f'"asks":[{bare(asks)}],"checksum":{VECTOR_CHECKSUM}}}]}}'
    )
    assert Book("BTC/USD", price_decimals=1, quantity_decimals=8).replace(item_of(text))


def test_the_wires_own_zeros_count_while_the_decimals_are_not_known() -> None:
    book = Book("BTC/USD", price_decimals=None, quantity_decimals=None)
    text = book_message("BTC/USD", levels_of(VECTOR_ASKS), levels_of(VECTOR_BIDS), VECTOR_CHECKSUM, kind="snapshot")
    assert book.replace(item_of(text))


def test_a_level_that_others_push_out_of_the_depth_is_gone_although_nobody_said_so() -> None:
    book = vector()
    asks = {Decimal("45285.0"): Decimal(1), **levels_of(VECTOR_ASKS)}
    said = checksum_of(asks, levels_of(VECTOR_BIDS), price_decimals=1, quantity_decimals=8)
    assert book.update(item_of(book_message("BTC/USD", {Decimal("45285.0"): Decimal(1)}, {}, said)))
    assert len(book.asks) == 10
    assert book.asks[-1].price == Decimal("45297.5")


def test_a_lost_update_shows_at_the_next_one() -> None:
    book = vector()
    asks, bids = levels_of(VECTOR_ASKS), levels_of(VECTOR_BIDS)
    asks[Decimal("45285.2")] = Decimal(3)  # never arrives
    bids[Decimal("45283.5")] = Decimal(2)
    said = checksum_of(asks, bids, price_decimals=1, quantity_decimals=8)
    assert not book.update(item_of(book_message("BTC/USD", {}, {Decimal("45283.5"): Decimal(2)}, said)))


def test_a_crossed_or_one_sided_book_gives_no_price() -> None:
    book = Book("BTC/USD", price_decimals=1, quantity_decimals=8)
    book.replace(item_of(book_message("BTC/USD", {Decimal(10): Decimal(1)}, {}, 0, kind="snapshot")))
    assert book.best() is None
    book.update(item_of(book_message("BTC/USD", {}, {Decimal(11): Decimal(1)}, 0)))
    assert book.best() is None


@pytest.mark.parametrize("number", ["1e999999999", "-1.0", "1e30"])
def test_an_absurd_number_is_unreadable_and_not_written_out(number: str) -> None:
    text = (
        '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[],'
        f'"asks":[{{"price":{number},"qty":1.0}}],"checksum":1}}]}}'
    )
    with pytest.raises(UnreadableMessage):
        Book("BTC/USD", price_decimals=1, quantity_decimals=8).replace(item_of(text))


prices = st.integers(1, 60).map(lambda ticks: Decimal(ticks) / 100)
quantities = st.integers(0, 5).map(lambda lots: Decimal(lots) / 1000)
changes = st.lists(st.tuples(st.booleans(), prices, quantities), max_size=6)


@given(st.lists(changes, min_size=1, max_size=30), st.integers(10, 12))
def test_any_run_of_updates_leaves_the_venues_own_book(
    updates: list[list[tuple[bool, Decimal, Decimal]]], depth: int
) -> None:
    """The reference keeps plain dicts, cuts them to the depth and sorts them for every checksum."""
    book = Book("X/USD", price_decimals=2, quantity_decimals=3, depth=depth)
    asks: dict[Decimal, Decimal] = {}
    bids: dict[Decimal, Decimal] = {}
    first = book_message("X/USD", {}, {}, 0, kind="snapshot", price_decimals=2, quantity_decimals=3)
    assert book.replace(item_of(first))
    for update in updates:
        changed: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        for is_ask, price, quantity in update:
            side, change = (asks, changed[0]) if is_ask else (bids, changed[1])
            change.pop(price, None)
            change[price] = quantity
            side[price] = quantity
        for side, worst_first in ((asks, True), (bids, False)):
            for price in [price for price, quantity in side.items() if not quantity]:
                del side[price]
            for price in sorted(side, reverse=worst_first)[: max(0, len(side) - depth)]:
                del side[price]
        said = checksum_of(asks, bids, price_decimals=2, quantity_decimals=3)
        text = book_message("X/USD", *changed, said, price_decimals=2, quantity_decimals=3)
        assert book.update(item_of(text))
    assert [level.price for level in book.asks] == sorted(asks)
    assert [level.price for level in book.bids] == sorted(bids, reverse=True)
    assert all(asks[level.price] == level.qty for level in book.asks)
