"""The header ``expTime``: until when an order may be placed or changed."""

from __future__ import annotations

from paper_exchange.http import Call
from paper_exchange.okx.query import MILLISECOND_NS, WHOLE
from paper_exchange.okx.replies import ApiError, wrong

HONOURED_BY = frozenset(
    {"trade/order", "trade/batch-orders", "trade/amend-order", "trade/amend-batch-orders"}
)  # fmt: skip


def expiry_ns(call: Call) -> int | None:
    """The deadline that a request gives itself. Raises ApiError for one that is no time."""
    text = call.headers.get("exptime", "").strip()
    if not text or call.method != "POST" or call.endpoint not in HONOURED_BY:
        return None
    if not WHOLE.fullmatch(text):
        raise wrong("expTime")
    return int(text) * MILLISECOND_NS


def check_expiry(call: Call) -> None:
    """Raises ApiError (50036) for a request that arrives too late; the engine looks again (50037)."""
    deadline_ns = expiry_ns(call)
    if deadline_ns is not None and call.received_ns > deadline_ns:
        raise ApiError("50036")
