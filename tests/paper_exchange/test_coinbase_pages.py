"""Cursors and query parameters of the Coinbase front."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_exchange.coinbase.query import Query, page_after
from paper_exchange.coinbase.replies import ApiError


@given(st.integers(0, 40), st.integers(1, 12))
def test_pages_show_every_row_once_and_in_order(count: int, limit: int) -> None:
    rows = [(f"id-{number}", number) for number in range(count)]
    seen: list[int] = []
    cursor = ""
    while True:
        page = page_after(rows, cursor, limit)
        assert len(page.rows) <= limit
        seen += page.rows
        cursor = page.cursor
        if not cursor:
            break
    assert seen == list(range(count))


def test_a_row_that_comes_in_at_the_front_shifts_nothing() -> None:
    rows = [("b", 2), ("c", 3), ("d", 4)]
    cursor = page_after(rows, "", 1).cursor
    assert page_after([("a", 1), *rows], cursor, 10).rows == [3, 4]


@pytest.mark.parametrize("cursor", ["rubbish", "====", "aWQ5OQ=="])
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(ApiError, match="cursor"):
        page_after([("a", 1)], cursor, 10)


def test_lists_may_be_repeated_bracketed_or_joined() -> None:
    query = Query(b"a=1&a=2&a%5B%5D=3&a=4,5&b=6")
    assert query.texts("a") == ["1", "2", "4", "5", "3"] and query.texts("a", "b")[-1] == "6"


def test_numbers_are_capped_and_nonsense_is_refused() -> None:
    query = Query(b"many=9999&few=0&odd=x&from=12x&start=2026-01-01")
    assert query.whole("many", 5, maximum=250) == 250 and query.whole("absent", 5, maximum=250) == 5
    for name in ("few", "odd"):
        with pytest.raises(ApiError, match=name):
            query.whole(name, 5, maximum=250)
    with pytest.raises(ApiError, match="from"):
        query.seconds_ns("from")
    with pytest.raises(ApiError, match="start"):
        query.time_ns("start")


def test_times_are_read_to_the_nanosecond() -> None:
    query = Query(b"seconds=1700000000&date=2023-11-14T22:13:20.5Z")
    assert query.seconds_ns("seconds") == 1_700_000_000 * 10**9
    assert query.time_ns("date") == 1_700_000_000 * 10**9 + 500_000_000
