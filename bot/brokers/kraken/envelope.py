"""Kraken's envelope: `{"error": [...], "result": ...}`, always with status 200 when the API itself answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.brokers.http_session import HttpReply
from bot.brokers.replies import as_list, as_object, decode_json
from bot.domain.errors import RetryLater, UnreadableReply, VenueError

EDGE_REFUSALS = (403, 429)


@dataclass(frozen=True)
class Envelope:
    """`errors` are all texts but warnings (W…). `result` is None when the answer has none."""

    errors: Sequence[str]
    result: object


def open_envelope(reply: HttpReply, *, where: str) -> Envelope:
    """Raises `UnreadableReply`, or `RetryLater` when the venue's edge turned the request away."""
    if reply.status != 200:
        raise _not_from_the_api(reply, where)
    fields = as_object(decode_json(reply.body, where=where), where=where)
    texts = as_list(fields.get("error"), where=f"{where} error")
    if not all(isinstance(text, str) for text in texts):
        raise UnreadableReply(f"{where}: the list of errors is not text")
    errors = [str(text) for text in texts if not str(text).startswith("W")]
    if not errors and fields.get("result") is None:
        raise UnreadableReply(f"{where}: the answer has neither error nor result")
    return Envelope(errors, fields.get("result"))


def is_api_document(reply: HttpReply) -> bool:
    """Whether it is the API that speaks, with whatever status, and not something in front of it."""
    try:
        return "error" in as_object(decode_json(reply.body, where="error"), where="error")
    except UnreadableReply:
        return False


def _not_from_the_api(reply: HttpReply, where: str) -> VenueError:
    message = f"{where}: HTTP {reply.status}"
    if reply.status in EDGE_REFUSALS:
        return RetryLater(message, venue_code=str(reply.status), retry_after_seconds=reply.retry_after_seconds or 30.0)
    return UnreadableReply(message, venue_code=str(reply.status))
