"""What a venue writes is read strictly: nonsense is an unreadable reply, never a value."""

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.replies import EPOCH, decode_json, iso_time, number, optional_number, text_of, unix_text, unix_time
from bot.domain.errors import UnreadableReply


def test_numbers_come_out_exact() -> None:
    assert decode_json(b'{"a": 0.1, "b": 1e-8, "c": 12}', where="x") == {
        "a": Decimal("0.1"),
        "b": Decimal("1e-8"),
        "c": 12,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>We'll be right back</html>",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1e9999999999999999999999}',
        b"[" * 100_000,
        b'{"a": "\xff"}',
        b'{"a": 1',
        "١".encode(),
    ],
)
def test_what_is_no_strict_json_is_refused_naming_where(body: bytes) -> None:
    with pytest.raises(UnreadableReply, match="Kraken Balance"):
        decode_json(body, where="Kraken Balance")


@given(st.binary(max_size=200))
def test_no_bytes_at_all_raise_anything_else(body: bytes) -> None:
    with contextlib.suppress(UnreadableReply):
        decode_json(body, where="x")


@pytest.mark.parametrize(
    "value",
    ["-1", "nan", "inf", "1e999", "9" * 400, "1_0", "٣", " 1", "", True, None, [], {}, 1.5, Decimal("NaN"), -1, 10**16],
)
def test_an_amount_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(UnreadableReply):
        number(value, where="x")


def test_a_missing_optional_number_is_its_default_but_a_wrong_one_is_not() -> None:
    assert optional_number({}, "a", where="x") == 0
    assert optional_number({"a": ""}, "a", where="x") == 0
    with pytest.raises(UnreadableReply):
        optional_number({"a": "soon"}, "a", where="x")


def test_a_text_that_is_a_number_is_refused_and_the_field_named() -> None:
    with pytest.raises(UnreadableReply, match="token"):
        text_of({"token": 5}, "token", where="x")


@given(st.integers(min_value=0, max_value=7 * 10**15))
def test_unix_times_keep_the_microsecond_both_ways(microseconds: int) -> None:
    moment = EPOCH + timedelta(microseconds=microseconds)
    assert unix_time(unix_text(moment), where="x") == moment


def test_times_outside_the_calendar_are_refused() -> None:
    with pytest.raises(UnreadableReply):
        unix_time("99999999999999", where="x")
    with pytest.raises(UnreadableReply):
        iso_time("yesterday", where="x")


def test_iso_times_may_have_nanoseconds() -> None:
    assert iso_time("2026-03-01T12:00:00.123456789Z", where="x") == datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
