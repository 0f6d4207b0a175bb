"""Coinbase's words after an order, and what each of them proves."""

import json

import pytest

from bot.brokers.coinbase.errors import CLOSED, FUNDS, ORDER_STATUSES, REFUSED, refusal, status_error
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

LISTED: dict[str, type[VenueError]] = {
    "INSUFFICIENT_FUND": InsufficientFunds,
    "INSUFFICIENT_FUNDS": InsufficientFunds,
    "INVALID_LEDGER_BALANCE": InsufficientFunds,
    "ORDER_ENTRY_DISABLED": VenueInMaintenance,
    "UNSUPPORTED_ORDER_CONFIGURATION": OrderRefused,
    "INVALID_SIDE": OrderRefused,
    "INVALID_PRODUCT_ID": OrderRefused,
    "INVALID_SIZE_PRECISION": OrderRefused,
    "INVALID_PRICE_PRECISION": OrderRefused,
    "INVALID_LIMIT_PRICE": OrderRefused,
    "INVALID_LIMIT_PRICE_POST_ONLY": OrderRefused,
    "INELIGIBLE_PAIR": OrderRefused,
    "INVALID_NO_LIQUIDITY": OrderRefused,
    "INVALID_REQUEST": OrderRefused,
    "COMMANDER_REJECTED_NEW_ORDER": OrderRefused,
    "INVALID_BASE_SIZE_TOO_SMALL": OrderRefused,
    "INVALID_BASE_SIZE_TOO_LARGE": OrderRefused,
    "INVALID_QUOTE_SIZE_TOO_SMALL": OrderRefused,
    "INVALID_QUOTE_SIZE_TOO_LARGE": OrderRefused,
    "INVALID_BASE_SIZE": OrderRefused,
    "INVALID_QUOTE_SIZE": OrderRefused,
    "INVALID_ORDER_CONFIG": OrderRefused,
    "INVALID_END_TIME": OrderRefused,
    "STOP_PRICE_ABOVE_LAST_TRADE_PRICE": OrderRefused,
    "STOP_PRICE_BELOW_LAST_TRADE_PRICE": OrderRefused,
}
UNLISTED = (
    "DUPLICATE_CLIENT_ORDER_ID",
    "INVALID_CANCEL_REQUEST",
    "A_NEW_REASON",
    "UNKNOWN_FAILURE_REASON",
    "UNKNOWN",
    "insufficient_fund",
    "",
)


def test_the_list_is_the_whole_of_what_is_believed() -> None:
    assert set(LISTED) == FUNDS | CLOSED | REFUSED


@pytest.mark.parametrize("reason", LISTED)
def test_each_listed_reason_has_its_class_also_as_the_previews(reason: str) -> None:
    for reasons in ([reason], [f"PREVIEW_{reason}"], ["UNKNOWN_FAILURE_REASON", f"PREVIEW_{reason}"], ["", reason]):
        error = refusal(reasons, "words", where="x")
        assert type(error) is LISTED[reason] and error.venue_code == reason


@pytest.mark.parametrize("reason", [*UNLISTED, *(f"{reason}_NOW" for reason in LISTED)])
def test_a_reason_that_is_not_listed_proves_nothing_not_even_beside_one_that_is(reason: str) -> None:
    assert type(refusal([reason], "", where="x")) is OutcomeUnknown
    if reason not in ("", "UNKNOWN", "UNKNOWN_FAILURE_REASON"):
        assert type(refusal(["INSUFFICIENT_FUND", reason], "", where="x")) is OutcomeUnknown
        assert type(refusal([reason, "INSUFFICIENT_FUND"], "", where="x")) is OutcomeUnknown


BODIES: dict[str, bytes] = {
    code: json.dumps({"error": code, "message": "words"}).encode()
    for code in ("INVALID_ARGUMENT", "PERMISSION_DENIED", "NOT_FOUND", "unknown", "ANOTHER")
}
BODIES["Unauthorized"] = b"Unauthorized\n"
BODIES["rate_limit_exceeded"] = b'{"errors":[{"id":"rate_limit_exceeded","message":"slowly"}]}'
BODIES["page"] = b"<!DOCTYPE html><title>Attention Required! | Cloudflare</title>"
BODIES["nothing"] = b""
BODIES["cut"] = b'{"error":"INVALID_ARG'
BODIES["twice"] = b'{"error":"INVALID_ARGUMENT","error":"INVALID_ARGUMENT"}'
BODIES["odd"] = b'{"error":["INVALID_ARGUMENT"],"errors":[5]}'


@pytest.mark.parametrize(
    "status", [301, 304, 400, 401, 402, 403, 404, 405, 408, 409, 418, 422, 429, 451, 500, 502, 503, 520]
)
def test_a_status_is_the_venues_own_word_for_an_order_only_with_its_own_code(status: int) -> None:
    expected = {
        (400, "INVALID_ARGUMENT"): OrderRefused,
        (401, "Unauthorized"): CredentialsRejected,
        (403, "PERMISSION_DENIED"): CredentialsRejected,
        (404, "NOT_FOUND"): OrderRefused,
        (429, "rate_limit_exceeded"): RetryLater,
    }
    assert expected == dict(ORDER_STATUSES)
    for name, body in BODIES.items():
        error = status_error(HttpReply(status, body), where="x", order_sent=True)
        assert type(error) is expected.get((status, name), OutcomeUnknown), name
        reading = status_error(HttpReply(status, body), where="x", order_sent=False)
        assert type(reading) in (UnreadableReply, RetryLater, CredentialsRejected), name


def test_the_venues_wish_how_long_to_wait_is_followed() -> None:
    limited = status_error(HttpReply(429, BODIES["rate_limit_exceeded"], 7.0), where="x", order_sent=True)
    assert isinstance(limited, RetryLater) and limited.retry_after_seconds == 7
