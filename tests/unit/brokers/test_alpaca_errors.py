"""Which words of Alpaca prove that an order does not exist, and which one proves that it does."""

import json

import pytest

from bot.brokers.alpaca.errors import DAY_TRADE, DUPLICATE_ID, WASH_TRADE, order_error, reading_error
from bot.brokers.http_session import HttpReply
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    MarketClosed,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)


def answer(status: int, code: object = None, message: str = "") -> HttpReply:
    fields = {"message": message} if code is None else {"code": code, "message": message}
    return HttpReply(status, json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(400, 40010000, "request body format is invalid"), OrderRefused),
        (answer(401, 40110000, "request is not authorized"), CredentialsRejected),
        (answer(403, None, "forbidden."), CredentialsRejected),
        (answer(403, 40310000, "insufficient buying power"), InsufficientFunds),
        (answer(403, 40310000, "insufficient qty available for order (requested: 2, available: 1)"), InsufficientFunds),
        (answer(403, 40310000, "account is restricted to liquidation only"), OrderRefused),
        (answer(422, 40010001, "qty must be > 0"), OrderRefused),
        (answer(422, 42210000, "invalid limit_price 187.451. sub-penny increment"), OrderRefused),
        (answer(422, 42210000, "fractional orders are only accepted during market hours"), MarketClosed),
        (answer(422, 40010001, "client_order_id must be unique"), OutcomeUnknown),
        (answer(422, 40010001, "client order id must be unique"), OutcomeUnknown),
        (answer(429, 42910000, "too many requests"), RetryLater),
        (answer(404, 40410000, "asset not found"), OutcomeUnknown),
        (answer(408, 40810000, "timeout"), OutcomeUnknown),
        (answer(500, 50010000, "internal server error"), OutcomeUnknown),
        (answer(504, 50410000, "gateway timeout"), OutcomeUnknown),
        (answer(403, None, "blocked"), OutcomeUnknown),
        (answer(422, "42210000", "text for a number"), OutcomeUnknown),
        (answer(422, True, "a flag for a number"), OutcomeUnknown),
        (HttpReply(403, b"<html>forbidden</html>"), OutcomeUnknown),
        (HttpReply(422, b""), OutcomeUnknown),
        (HttpReply(429, b"slow down"), OutcomeUnknown),
        (HttpReply(302, b""), OutcomeUnknown),
    ],
)
def test_an_order_is_refused_only_on_a_word_that_proves_it(reply: HttpReply, kind: type[VenueError]) -> None:
    assert type(order_error(reply, where="POST /orders")) is kind


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (422, "client_order_id must be unique", DUPLICATE_ID),
        (403, "trade denied due to pattern day trading protection", DAY_TRADE),
        (403, "potential wash trade detected. use complex orders", WASH_TRADE),
    ],
)
def test_what_the_next_step_hangs_on_is_named(status: int, message: str, code: str) -> None:
    assert order_error(answer(status, 40310000, message), where="POST /orders").venue_code == code


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(401, 40110000, "request is not authorized"), CredentialsRejected),
        (answer(403, None, "forbidden."), CredentialsRejected),
        (answer(403, 40310000, "access to this resource is not permitted for the key"), CredentialsRejected),
        (answer(404, 40410000, "order not found"), UnreadableReply),
        (answer(422, 42210000, "invalid symbol"), UnreadableReply),
        (answer(429, 42910000, "too many requests"), RetryLater),
        (HttpReply(403, b"<html>"), RetryLater),
        (HttpReply(429, b"", 7.0), RetryLater),
        (HttpReply(500, b"oops"), UnreadableReply),
    ],
)
def test_a_reading_that_fails_is_classed_by_what_to_do_next(reply: HttpReply, kind: type[VenueError]) -> None:
    error = reading_error(reply, where="GET /account")
    assert type(error) is kind
    if reply.retry_after_seconds is not None:
        assert isinstance(error, RetryLater)
        assert error.retry_after_seconds == 7.0


def test_what_is_not_subscribed_to_is_no_word_about_the_key() -> None:
    no = answer(403, 40310000, "subscription does not permit querying recent SIP data")
    assert type(reading_error(no, where="GET /stocks/bars", market_data=True)) is UnreadableReply
