"""Kraken's words, and what the bot does next."""

import pytest

from bot.brokers.http_session import HttpReply
from bot.brokers.kraken.envelope import open_envelope
from bot.brokers.kraken.errors import MEANINGS, error_of
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueInMaintenance,
)


@pytest.mark.parametrize(
    ("text", "reading", "order"),
    [
        ("EAPI:Invalid key", CredentialsRejected, CredentialsRejected),
        ("EAPI:Invalid signature", CredentialsRejected, CredentialsRejected),
        ("EAPI:Invalid nonce", RetryLater, RetryLater),
        ("EAPI:Rate limit exceeded", RetryLater, RetryLater),
        ("EGeneral:Permission denied", CredentialsRejected, CredentialsRejected),
        ("EGeneral:Temporary lockout", RetryLater, RetryLater),
        ("EGeneral:Invalid arguments", UnreadableReply, OrderRefused),
        ("EGeneral:Invalid arguments:volume minimum not met", UnreadableReply, OrderRefused),
        ("EGeneral:Invalid arguments:cl_ord_id not unique", UnreadableReply, OutcomeUnknown),
        ("EGeneral:Internal error", UnreadableReply, OutcomeUnknown),
        ("EDatabase:Internal error", UnreadableReply, OutcomeUnknown),
        ("EService:Unavailable", RetryLater, OutcomeUnknown),
        ("EService:Busy", RetryLater, OutcomeUnknown),
        ("EService:Timeout", RetryLater, OutcomeUnknown),
        ("EService: Throttled: 1763000000", RetryLater, RetryLater),
        ("EService:Market in cancel_only mode", VenueInMaintenance, VenueInMaintenance),
        ("EService:Deadline elapsed", RetryLater, RetryLater),
        ("EQuery:Unknown asset pair", UnreadableReply, OrderRefused),
        ("EOrder:Insufficient funds", UnreadableReply, InsufficientFunds),
        ("EOrder:Order minimum not met", UnreadableReply, OrderRefused),
        ("EOrder:Invalid price:XBTZEUR price can only be specified up to 1 decimals.", UnreadableReply, OrderRefused),
        ("EOrder:Rate limit exceeded", RetryLater, RetryLater),
        ("EOrder:Unknown order", UnreadableReply, OutcomeUnknown),
        ("ETrade:Locked", CredentialsRejected, CredentialsRejected),
        ("ESomething:Nobody has seen this", UnreadableReply, OutcomeUnknown),
        ("", UnreadableReply, OutcomeUnknown),
    ],
)
def test_each_text_has_its_class_for_readings_and_for_orders(text: str, reading: type, order: type) -> None:
    assert type(error_of([text], where="x", order_sent=False)) is reading
    after_sending = error_of([text], where="x", order_sent=True)
    assert type(after_sending) is order
    assert after_sending.venue_code == text


def test_of_several_texts_after_an_order_the_one_that_leaves_most_open_counts() -> None:
    error = error_of(["EOrder:Insufficient funds", "EService:Busy"], where="x", order_sent=True)
    assert type(error) is OutcomeUnknown


def test_a_lock_out_is_waited_out_for_a_quarter_of_an_hour() -> None:
    error = error_of(["EGeneral:Temporary lockout"], where="x", order_sent=False)
    assert isinstance(error, RetryLater) and error.retry_after_seconds == 900


def test_no_text_of_the_table_lets_a_reading_speak_of_orders() -> None:
    for meaning in MEANINGS.values():
        assert not issubclass(meaning.reading, OrderRefused | OutcomeUnknown)
        assert not issubclass(meaning.order, UnreadableReply)


def test_warnings_do_not_hide_a_result() -> None:
    envelope = open_envelope(HttpReply(200, b'{"error": ["WDatabase:No change"], "result": {"a": 1}}'), where="x")
    assert list(envelope.errors) == [] and envelope.result == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"error": []}',
        b'{"error": [], "result": null}',
        b'{"error": "E", "result": {}}',
        b'{"error": [5]}',
        b"[]",
    ],
)
def test_an_envelope_without_error_and_result_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        open_envelope(HttpReply(200, body), where="x")


@pytest.mark.parametrize(
    ("status", "kind"), [(502, UnreadableReply), (301, UnreadableReply), (429, RetryLater), (403, RetryLater)]
)
def test_a_status_that_is_not_the_apis_is_no_answer(status: int, kind: type) -> None:
    with pytest.raises(kind, match=str(status)):
        open_envelope(HttpReply(status, b'{"error": [], "result": {}}'), where="x")
