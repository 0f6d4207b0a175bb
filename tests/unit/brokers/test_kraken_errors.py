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
    VenueError,
    VenueInMaintenance,
)

R, C, U, X = RetryLater, CredentialsRejected, UnreadableReply, OutcomeUnknown
# Every text that Kraken documents or was seen to give: what it means after a reading, and after an order was sent.
LISTED: dict[str, tuple[type[VenueError], type[VenueError]]] = {
    "EAPI:Invalid key": (C, C),
    "EAPI:Invalid signature": (C, C),
    "EAPI:Invalid nonce": (R, R),
    "EAPI:Rate limit exceeded": (R, R),
    "EAPI:Bad request": (U, OrderRefused),
    "EAPI:Feature disabled": (U, OrderRefused),
    "EGeneral:Invalid arguments": (U, OrderRefused),
    "EGeneral:Invalid arguments:cl_ord_id": (U, OrderRefused),
    "EGeneral:Invalid arguments:cl_ord_id not unique": (U, X),
    "EGeneral:Invalid arguments:deadline": (R, R),
    "EGeneral:Permission denied": (C, C),
    "EGeneral:Unknown method": (U, OrderRefused),
    "EGeneral:Temporary lockout": (R, R),
    "EGeneral:Too many requests": (R, R),
    "EGeneral:Internal error": (U, X),
    "EDatabase:Internal error": (U, X),
    "EService:Unavailable": (R, X),
    "EService:Busy": (R, X),
    "EService:Timeout": (R, X),
    "EService:Throttled": (R, R),
    "EService:Market in cancel_only mode": (VenueInMaintenance, VenueInMaintenance),
    "EService:Market in post_only mode": (VenueInMaintenance, VenueInMaintenance),
    "EService:Market in limit_only mode": (VenueInMaintenance, VenueInMaintenance),
    "EService:Deadline elapsed": (R, R),
    "EQuery:Unknown asset pair": (U, OrderRefused),
    "EQuery:Invalid asset pair": (U, OrderRefused),
    "EQuery:Unknown asset": (U, OrderRefused),
    "EOrder:Insufficient funds": (U, InsufficientFunds),
    "EOrder:Insufficient margin": (U, InsufficientFunds),
    "EOrder:Insufficient initial margin": (U, InsufficientFunds),
    "EOrder:Order minimum not met": (U, OrderRefused),
    "EOrder:Cost minimum not met": (U, OrderRefused),
    "EOrder:Tick size check failed": (U, OrderRefused),
    "EOrder:Invalid price": (U, OrderRefused),
    "EOrder:Invalid order": (U, OrderRefused),
    "EOrder:Unknown position": (U, OrderRefused),
    "EOrder:Unknown order": (U, X),
    "EOrder:Cancel pending": (U, X),
    "EOrder:Orders limit exceeded": (R, R),
    "EOrder:Rate limit exceeded": (R, R),
    "EOrder:Domain rate limit exceeded": (R, R),
    "EOrder:Positions limit exceeded": (U, OrderRefused),
    "EOrder:Scheduled orders limit exceeded": (U, OrderRefused),
    "EOrder:Cannot open position": (U, OrderRefused),
    "EOrder:Cannot open opposing position": (U, OrderRefused),
    "EOrder:Margin allowance exceeded": (U, OrderRefused),
    "EOrder:Margin level too low": (U, OrderRefused),
    "EOrder:Margin position size exceeded": (U, OrderRefused),
    "EOrder:Reduce only": (U, OrderRefused),
    "EOrder:Post only order": (U, OrderRefused),
    "EAccount:Invalid permissions": (C, C),
    "EAuth:Account temporary disabled": (C, C),
    "EAuth:Account unconfirmed": (C, C),
    "EAuth:Failed": (C, C),
    "EAuth:Rate limit exceeded": (R, R),
    "EAuth:Too many requests": (R, R),
    "ETrade:Invalid request": (U, OrderRefused),
    "ETrade:Locked": (C, C),
    "ETrade:User Locked": (C, C),
    "EBM:limit exceeded:CAL": (U, OrderRefused),
    "ESession:Invalid session": (RetryLater, RetryLater),
}
UNLISTED = (
    "ESomething:Nobody has seen this",
    "EOrder:",
    "EOrder:A new kind of no",
    "EOrder:Orders are being processed",
    "EGeneral:",
    "EGeneral:Something",
    "EService:",
    "EService:Market in some_new mode",
    "EAPI:Something",
    "EQuery:Something",
    "EGeneral:Invalid arguments:cl_ord_id is taken",
    "EGeneral:Invalid arguments volume",
    "insufficient funds",
    "E",
    "",
    " ",
)


def test_the_table_is_the_whole_of_what_is_believed() -> None:
    assert set(MEANINGS) == set(LISTED)


@pytest.mark.parametrize("text", LISTED)
def test_each_listed_text_has_its_class_for_readings_and_for_orders(text: str) -> None:
    reading, order = LISTED[text]
    for spoken in (text, f"{text}:some detail", text.replace(":", ": ", 1)):
        assert type(error_of([spoken], where="x", order_sent=False)) is reading
        after_sending = error_of([spoken], where="x", order_sent=True)
        assert type(after_sending) is order
        assert after_sending.venue_code == spoken


@pytest.mark.parametrize("text", [*UNLISTED, *(f"{text}s" for text in LISTED), *(f"{text} now" for text in LISTED)])
def test_a_text_that_is_not_listed_word_for_word_proves_nothing_of_an_order(text: str) -> None:
    assert type(error_of([text], where="x", order_sent=True)) is OutcomeUnknown


def test_details_do_not_change_what_was_seen_of_them() -> None:
    seen = {
        "EGeneral:Invalid arguments:volume minimum not met": OrderRefused,
        "EOrder:Invalid price:XBTZEUR price can only be specified up to 1 decimals.": OrderRefused,
        "EOrder:Reduce only:No position exists": OrderRefused,
        "EService: Throttled: 1763000000": RetryLater,
        "EGeneral:Internal error:42": OutcomeUnknown,
    }
    for text, kind in seen.items():
        assert type(error_of([text], where="x", order_sent=True)) is kind


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
