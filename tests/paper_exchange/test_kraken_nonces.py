from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_exchange.nonces import NonceBook, read_nonce


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_accepted_nonces_of_a_key_only_rise(nonces: list[int]) -> None:
    book = NonceBook()
    accepted = [nonce for nonce in nonces if book.accept("key", nonce)]
    assert accepted == sorted(set(accepted))


def test_the_same_nonce_twice_is_refused() -> None:
    book = NonceBook()
    assert book.accept("key", 5)
    assert not book.accept("key", 5)
    assert not book.accept("key", 4)
    assert book.accept("other key", 4)


@given(st.lists(st.integers(0, 40)), st.integers(1, 10))
def test_a_window_lets_late_nonces_in_but_never_a_used_one(nonces: list[int], window: int) -> None:
    book = NonceBook()
    used: set[int] = set()
    for nonce in nonces:
        expected = nonce not in used and (not used or nonce >= max(used) - window)
        assert book.accept("key", nonce, window=window) is expected
        if expected:
            used.add(nonce)


def test_a_book_remembers_each_nonce_before_it_counts() -> None:
    remembered: list[tuple[str, int]] = []
    book = NonceBook(lambda key, nonce: remembered.append((key, nonce)))
    book.accept("key", 3)
    book.accept("key", 2)
    assert remembered == [("key", 3)]


def test_a_restored_book_does_not_go_back() -> None:
    book = NonceBook()
    book.accept("key", 2**64 - 2)
    again = NonceBook()
    again.restore(book.snapshot())
    assert not again.accept("key", 2**64 - 2)
    assert again.accept("key", 2**64 - 1)


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "1e9", "٣", "0x10", str(2**64), "9" * 21, "1_0"])
def test_what_is_not_an_unsigned_64_bit_integer_is_no_nonce(text: str | None) -> None:
    assert read_nonce(text) is None
