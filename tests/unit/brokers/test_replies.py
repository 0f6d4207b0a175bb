"""What a venue writes is read strictly: nonsense is an unreadable reply, never a value."""

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.replies import (
    EPOCH,
    as_id,
    decode_json,
    flag_of,
    iso_time,
    number,
    optional_number,
    text_of,
    unix_text,
    unix_time,
)
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


@pytest.mark.parametrize("depth", [25, 400, 3000, 200_000])
def test_what_is_nested_deeper_than_any_venue_nests_is_refused(depth: int) -> None:
    for body in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        with pytest.raises(UnreadableReply):
            decode_json(body, where="x")


def test_what_venues_do_nest_is_read() -> None:
    assert decode_json(b"[" * 20 + b"]" * 20, where="x")


@pytest.mark.parametrize("text", [rb"\ud800", rb"a\uDC00b", rb"\udfff\ud800"])
def test_half_a_surrogate_pair_is_no_text(text: bytes) -> None:
    for body in (b'"' + text + b'"', b'{"a": ["' + text + b'"]}', b'{"' + text + b'": 1.5}'):
        with pytest.raises(UnreadableReply):
            decode_json(body, where="x")
    assert decode_json(rb'"\ud83d\ude00"', where="x") == "\U0001f600"


@pytest.mark.parametrize("value", ["1234567890123.12345678901234567", "0.1234567890123456789012345678901", "1e-40"])
def test_a_number_that_cannot_be_kept_exactly_is_refused_and_not_rounded(value: str) -> None:
    for given_as in (value, Decimal(value)):
        with pytest.raises(UnreadableReply):
            number(given_as, where="x")


def test_an_enormous_number_is_refused_before_anything_is_made_of_it() -> None:
    for text in (b"9" * 5000, b"0." + b"1" * 100_000, b"-" + b"9" * 30, b"1e99999999999999999999"):
        with pytest.raises(UnreadableReply):
            number(decode_json(text, where="x"), where="x")


@pytest.mark.parametrize("value", ["true", 0, 1, "", [], {}])
def test_a_flag_is_true_or_false_or_not_there(value: object) -> None:
    assert flag_of({}, "a", default=True, where="x") and flag_of({"a": None}, "a", default=True, where="x")
    assert not flag_of({"a": False}, "a", default=True, where="x")
    with pytest.raises(UnreadableReply, match="true or false"):
        flag_of({"a": value}, "a", default=False, where="x")


@pytest.mark.parametrize("value", [None, 5, "", " ", "a b", "../x", "a/b", "x" * 65, "\u0663", "<b>", "a\nb", ["a"]])
def test_an_id_is_one_that_can_stand_in_a_path_and_in_a_row(value: object) -> None:
    assert as_id("OUF4EM-FRGI2-MQMWZD", where="x") == "OUF4EM-FRGI2-MQMWZD"
    with pytest.raises(UnreadableReply):
        as_id(value, where="x")
