"""What the codes of OKX and Binance prove: of an order that was sent, and of a reading."""

import pytest

from bot.brokers.by_ccxt import binance_errors, okx_errors
from bot.brokers.by_ccxt.meanings import Meaning, Refusal, page_error, refusal_error
from bot.brokers.http_session import HttpReply
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
    VenueInMaintenance,
)


def of_an_order(refusal: Refusal, *, status: int = 200) -> type[VenueError]:
    return type(refusal_error(refusal, where="here", changes_orders=True, status=status))


def of_a_reading(refusal: Refusal) -> type[VenueError]:
    return type(refusal_error(refusal, where="here", changes_orders=False))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("51008", InsufficientFunds),
        ("51000", OrderRefused),
        ("51020", OrderRefused),
        ("51121", OrderRefused),
        ("51006", OrderRefused),
        ("51010", OrderRefused),
        ("51022", VenueInMaintenance),
        ("50011", RetryLater),
        ("50061", RetryLater),
        ("50036", RetryLater),
        ("50037", RetryLater),
        ("50102", RetryLater),
        ("50101", CredentialsRejected),
        ("50105", CredentialsRejected),
        ("50120", CredentialsRejected),
        # It exists:
        ("51016", OutcomeUnknown),
        # It may exist:
        ("50001", OutcomeUnknown),
        ("50004", OutcomeUnknown),
        ("50013", OutcomeUnknown),
        ("50026", OutcomeUnknown),
        ("51149", OutcomeUnknown),
        ("99999", OutcomeUnknown),
        ("", OutcomeUnknown),
    ],
)
def test_only_a_listed_code_of_okx_proves_that_there_is_no_order(code: str, kind: type[VenueError]) -> None:
    assert of_an_order(okx_errors.refusal_of(code, "words")) is kind


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("-2010", "Account has insufficient balance for requested action.", InsufficientFunds),
        ("-2010", "Order would immediately match and take.", OrderRefused),
        ("-2010", "Market is closed.", VenueInMaintenance),
        ("-2010", "Duplicate order sent.", OutcomeUnknown),
        ("-2010", "duplicate, though with other words: insufficient balance", OutcomeUnknown),
        ("-2010", "", OutcomeUnknown),
        ("-2010", "something new", OutcomeUnknown),
        ("-1013", "Filter failure: LOT_SIZE", OrderRefused),
        ("-1013", "Market is closed.", VenueInMaintenance),
        ("-1015", "Too many new orders.", RetryLater),
        ("-1003", "Too many requests.", RetryLater),
        ("-1021", "", RetryLater),
        ("-1022", "", CredentialsRejected),
        ("-2014", "", CredentialsRejected),
        ("-2015", "", CredentialsRejected),
        ("-1102", "", OrderRefused),
        ("-1121", "", OrderRefused),
        ("-1000", "", OutcomeUnknown),
        ("-1001", "", OutcomeUnknown),
        ("-1006", "", OutcomeUnknown),
        ("-1007", "", OutcomeUnknown),
        ("-1008", "", OutcomeUnknown),
        ("-9999", "", OutcomeUnknown),
    ],
)
def test_only_listed_words_of_binance_prove_that_there_is_no_order(
    code: str, words: str, kind: type[VenueError]
) -> None:
    assert of_an_order(binance_errors.refusal_of(code, words, 400)) is kind


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_with_a_server_error_no_code_proves_anything_of_an_order(status: int) -> None:
    for refusal in (okx_errors.refusal_of("51008", ""), binance_errors.refusal_of("-1121", "", status)):
        assert of_an_order(refusal, status=status) is OutcomeUnknown


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (okx_errors.refusal_of("50001", ""), VenueInMaintenance),
        (okx_errors.refusal_of("50011", ""), RetryLater),
        (okx_errors.refusal_of("50102", ""), RetryLater),
        (okx_errors.refusal_of("50111", ""), CredentialsRejected),
        (okx_errors.refusal_of("51603", ""), UnreadableReply),
        (okx_errors.refusal_of("51008", ""), UnreadableReply),
        (binance_errors.refusal_of("-1003", "", 429), RetryLater),
        (binance_errors.refusal_of("-1008", "", 503), VenueInMaintenance),
        (binance_errors.refusal_of("-2013", "", 400), UnreadableReply),
        (binance_errors.refusal_of("-2015", "", 401), CredentialsRejected),
        (binance_errors.refusal_of("0", "Service unavailable from a restricted location", 451), CredentialsRejected),
    ],
)
def test_a_reading_fails_by_what_its_code_means(refusal: Refusal, kind: type[VenueError]) -> None:
    assert of_a_reading(refusal) is kind


def test_whatever_a_venue_asks_is_waited_and_else_a_few_seconds() -> None:
    refusal = okx_errors.refusal_of("50011", "")
    asked = refusal_error(refusal, where="", changes_orders=False, retry_after_seconds=17)
    unasked = refusal_error(refusal, where="", changes_orders=False)
    assert isinstance(asked, RetryLater) and asked.retry_after_seconds == 17
    assert isinstance(unasked, RetryLater) and unasked.retry_after_seconds == 5


@pytest.mark.parametrize("status", [200, 400, 403, 418, 429, 500])
def test_a_page_of_whatever_stands_in_front_proves_nothing_of_an_order(status: int) -> None:
    reply = HttpReply(status, b"<html>")
    assert type(page_error(reply, where="", changes_orders=True)) is OutcomeUnknown
    reading = RetryLater if status in (403, 418, 429) else UnreadableReply
    assert type(page_error(reply, where="", changes_orders=False)) is reading


@pytest.mark.parametrize("code", ["50101", "50105", "50110", "50111", "50113", "50119"])
def test_a_key_that_okx_refuses_comes_with_what_to_do(code: str) -> None:
    error = refusal_error(okx_errors.refusal_of(code, "no"), where="x", changes_orders=False)
    assert okx_errors.ADVICE[code] in str(error)


def test_every_code_has_one_meaning_only() -> None:
    groups = [
        okx_errors.REFUSED,
        okx_errors.FUNDS,
        okx_errors.MARKET_CLOSED,
        okx_errors.TOO_MANY,
        okx_errors.TOO_MANY_ORDERS,
        okx_errors.LATE,
        okx_errors.CLOCK,
        okx_errors.KEY,
        okx_errors.RIGHT,
        okx_errors.DOWN,
    ]
    assert sum(map(len, groups)) == len(okx_errors.MEANINGS)
    assert "51016" not in okx_errors.MEANINGS and "50004" not in okx_errors.MEANINGS


@pytest.mark.parametrize("document", [None, [], "ok", {}, {"code": 0}, {"code": None}, {"code": ""}, {"error": []}])
def test_what_has_no_code_is_not_said_by_okx(document: object) -> None:
    assert not okx_errors.speaks(document)


def test_a_refusal_of_binance_is_known_by_its_code_and_words() -> None:
    found = binance_errors.refusal_in({"code": -1121, "msg": "Invalid symbol."}, 400)
    assert found is not None and (found.code, found.meaning) == ("-1121", Meaning.REFUSED)
    assert binance_errors.refusal_in({"status": 1, "msg": "system_maintenance"}, 200) is None
    assert binance_errors.refusal_in({"code": 200, "msg": "success"}, 200) is None
    assert binance_errors.refusal_in({"code": True, "msg": ""}, 400) is None
    assert binance_errors.refusal_in([], 400) is None
