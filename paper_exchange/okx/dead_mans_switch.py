"""``cancel-all-after``: who stops renewing it loses all open orders."""

from __future__ import annotations

from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.http import Reply
from paper_exchange.okx.order_forms import required_text
from paper_exchange.okx.query import WHOLE, milliseconds
from paper_exchange.okx.replies import data_reply, wrong
from paper_exchange.okx.routes import Request

SHORTEST_SECONDS, LONGEST_SECONDS = 10, 120


def cancel_all_after(request: Request) -> Reply:
    """``timeOut`` seconds from now, 0 to take it back. Tags, which would narrow it, are not heeded."""
    text = required_text(request.fields, "timeOut")
    seconds = int(text) if WHOLE.fullmatch(text) else -1
    if seconds and not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise wrong("timeOut")
    trigger_ns = request.now_ns + seconds * NANOSECONDS_PER_SECOND
    if seconds:
        request.exchange.switches.arm(request.account_id, trigger_ns)
    else:
        request.exchange.switches.disarm(request.account_id)
    request.exchange.note_change()
    row = {
        "triggerTime": milliseconds(trigger_ns) if seconds else "0",
        "tag": str(request.fields.get("tag") or ""),
        "ts": milliseconds(request.now_ns),
    }
    return data_reply([row])
