"""What the venue's answer to an order over the WebSocket means, for the order and for everything it passed.

As over REST: one table classes its texts, and the rate counter, the gate, the clock and the key are told.
"""

from bot.brokers.kraken.errors import (
    DEADLINES,
    LOCKOUT_SECONDS,
    OUT_OF_SERVICE,
    REFUSED_KEY,
    TEMPORARY_LOCKOUT,
    TOO_MANY_REQUESTS,
    error_of,
    normal_text,
    throttled_seconds,
)
from bot.brokers.kraken.socket_requests import OrderWays, SocketRequest
from bot.brokers.kraken.stream_messages import Message
from bot.brokers.venue_gate import Trouble
from bot.domain.errors import OutcomeUnknown, VenueError


def meaning_of_answer(ways: OrderWays, made: SocketRequest, message: Message) -> VenueError | None:
    """None for a good answer, else the error to raise for the order."""
    where = f"{ways.label}: Kraken {made.method}"
    if message.success is True and not message.error:
        if made.passage is not None:
            made.passage.answered()
        ways.refused_key.accepted()
        return None
    if message.success is not False or not message.error:
        return OutcomeUnknown(f"{where}: an answer that is neither a yes nor a no")
    text = normal_text(message.error)
    _tell_gate(made, text)
    seconds = throttled_seconds(text, ways.venue_clock.now())
    ways.key.rates.refused(text, pair=made.pair, venue_order_id=made.venue_order_id, seconds=seconds)
    error = error_of([message.error], where=where, order_sent=True)
    if text.startswith(REFUSED_KEY):
        ways.refused_key.refused(error, venue_code=text)
    if text.startswith(DEADLINES):
        ways.venue_clock.doubt()
    if text.startswith(TEMPORARY_LOCKOUT):
        ways.key.locked_out_until = ways.clock.monotonic() + LOCKOUT_SECONDS
    return error


def _tell_gate(made: SocketRequest, text: str) -> None:
    if made.passage is None:
        return
    if text.startswith(TOO_MANY_REQUESTS):
        made.passage.shut_out(text)
    elif text.startswith(OUT_OF_SERVICE):
        made.passage.met(Trouble.MAINTENANCE, text)
    else:
        made.passage.answered()
