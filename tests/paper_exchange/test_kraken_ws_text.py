"""What the sockets' messages are made of: numbers, checksums, changes of a book, frames, and requests read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paper_exchange.kraken.envelope import KrakenError
from paper_exchange.kraken.ws.book import changes, checksum
from paper_exchange.kraken.ws.numbers import encode, number, whole
from paper_exchange.kraken.ws.requests import UnreadableRequest, number_text, read_request
from paper_exchange.sockets.connection import whole_frame

ASKS = """45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660
45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827"""
BIDS = """45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586
45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238"""


def _levels(text: str) -> list[tuple[str, str]]:
    return [(price, quantity) for price, _, quantity in (level.partition("/") for level in text.split())]


def _book(*levels: tuple[int, int]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in levels]


def test_the_checksum_of_krakens_own_example() -> None:
    assert checksum(_levels(ASKS), _levels(BIDS)) == 3310070434


def test_only_the_best_ten_levels_count_for_the_checksum() -> None:
    deeper = [*_levels(ASKS), ("45300.0", "1.00000000")]
    assert checksum(deeper, _levels(BIDS)) == 3310070434
    assert checksum(_levels(ASKS)[1:], _levels(BIDS)) != 3310070434


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        ("0.001", 8, b"0.00100000"),
        ("0.00000001", 8, b"0.00000001"),
        ("45300", 1, b"45300.0"),
        ("1E+3", 0, b"1000"),
        ("-627.871", 4, b"-627.8710"),
        ("1234567890123456789.12", 2, b"1234567890123456789.12"),
    ],
)
def test_amounts_are_numbers_with_all_their_decimals(amount: str, decimals: int, text: bytes) -> None:
    assert encode({"qty": number(Decimal(amount), decimals)}) == b'{"qty":%b}' % text


def test_whole_numbers_may_exceed_what_a_float_holds() -> None:
    assert encode([whole(12_393_906_104_898_154_338)]) == b"[12393906104898154338]"


def test_a_level_that_changed_or_is_gone_is_mentioned() -> None:
    before, after = _book((100, 1), (99, 2), (98, 3)), _book((100, 1), (98, 4))
    assert changes(before, after, 10) == _book((99, 0), (98, 4))


def test_a_level_that_fell_off_the_end_of_a_full_book_is_not_mentioned() -> None:
    before, after = _book((100, 1), (99, 2), (98, 3)), _book((101, 5), (100, 1), (99, 2))
    assert changes(before, after, 3) == _book((101, 5))
    asks_before, asks_after = _book((101, 1), (102, 2), (103, 3)), _book((100, 5), (101, 1), (102, 2))
    assert changes(asks_before, asks_after, 3) == _book((100, 5))


def test_a_level_that_moved_up_into_a_full_book_is_mentioned_with_the_one_that_made_room() -> None:
    before, after = _book((100, 1), (99, 2), (98, 3)), _book((99, 2), (98, 3), (97, 9))
    assert changes(before, after, 3) == _book((100, 0), (97, 9))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_carry_their_length(size: int) -> None:
    frame = whole_frame(b"x" * size)
    header = {0: 2, 1: 2, 125: 2, 126: 4, 65_535: 4, 65_536: 10}[size]
    assert len(frame) == size + header and frame[0] == 0x81


def test_amounts_are_read_exactly_whatever_their_form() -> None:
    params = read_request(b'{"method":"x","params":{"a":0.10,"b":1e-8,"c":7}}').params
    assert [number_text(params, name) for name in ("a", "b", "c", "d")] == ["0.10", "0.00000001", "7", None]


@pytest.mark.parametrize("value", [b'"0.1"', b"true", b"[]", b"1e999", b"1e-99999", b"NaN"])
def test_what_is_no_amount_is_refused(value: bytes) -> None:
    with pytest.raises((KrakenError, UnreadableRequest)):
        number_text(read_request(b'{"method":"x","params":{"a":%b}}' % value).params, "a")


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"null", b'"ping"', b"\xff\xfe", b"[" * 100_000])
def test_text_that_is_no_object_is_no_request(text: bytes) -> None:
    with pytest.raises(UnreadableRequest):
        read_request(text)


def test_a_request_without_method_or_number_is_still_read() -> None:
    request = read_request(b'{"req_id":"x","params":[]}')
    assert (request.method, dict(request.params), request.req_id) == ("", {}, None)
