"""Misbehaviour on command: which requests a fault matches, what it does to them, and how often.

``match`` narrows by brokerage, account name and endpoint (each may hold ``*``), and ``nth`` lets the first ``nth - 1``
matching requests pass. A fault hits ``times`` requests (default 1) and then stays in the list, spent; ``times`` null
or "forever" hits until it is deleted. On a socket the endpoint of a request is ``ws/<method>`` (``ws/add_order``; the
opening is ``ws/connect``) and that of a message sent unasked ``ws/<channel>`` (``ws/executions``, ``ws/heartbeat``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from paper_exchange.clock import NANOSECONDS_PER_SECOND


class FaultKind(StrEnum):
    """What a fault does. "Not processed" means that no nonce is used and nothing changes at the exchange."""

    DELAY = "delay"
    """Checked on arrival (nonce used), carried out after ``seconds`` even if the client has gone."""
    DROP_REQUEST = "drop_request"
    """The connection closes; not processed."""
    DROP_RESPONSE = "drop_response"
    """Processed, then the connection closes without an answer."""
    ACCEPT_THEN_5XX = "accept_then_5xx"
    """Processed, then answered with ``status`` (default 502): a page of HTML, or ``text`` in the brokerage's own error
    envelope."""
    STATUS_5XX = "5xx"
    """Answered with ``status`` (default 503; 400 to 599); not processed."""
    HTML = "html"
    """200 with a page of HTML; not processed."""
    MALFORMED = "malformed"
    """Processed, then 200 with JSON that is cut off."""
    BODY = "body"
    """Processed, then 200 with ``text`` as the whole body: any reply a client must be able to bear."""
    DRIP = "drip"
    """Processed, then sent one byte every ``seconds`` (default 1); ``part`` "body" (default) or "headers"."""
    HANG = "hang"
    """No answer until the client leaves, or the connection closes after ``seconds``; not processed."""
    RESET = "reset"
    """The connection is reset (RST); not processed."""
    API_ERROR = "api_error"
    """``text`` in the brokerage's own error envelope; not processed."""
    LOOKUP_LAG = "lookup_lag"
    """Look-ups of orders and fills don't show those younger than ``seconds``."""
    NULL_CONFIGURATION = "null_configuration"
    """Coinbase only: an accepted order is answered with ``order_configuration`` null."""
    CLOSE = "close"
    """Sockets: processed, then the connection ends without an answer, with ``code`` (default 1006: without a word)."""
    STALE_TOKEN = "stale_token"
    """Sockets: the request's token counts as expired from now on."""
    GAP = "gap"
    """Sockets: a message to the client is lost; its sequence number is used up."""
    DUPLICATE = "duplicate"
    """Sockets: a message to the client is sent twice."""
    REORDER = "reorder"
    """Sockets: a message to the client is sent after the next one of its subscription."""
    BAD_CHECKSUM = "bad_checksum"
    """Sockets: an update of a book carries a wrong checksum."""
    SILENCE = "silence"
    """Sockets: from this message on nothing leaves for ``seconds``, not even heartbeats and pongs; it is lost."""


SOCKET_PUSHES = frozenset(
    {
        FaultKind.GAP,
        FaultKind.DUPLICATE,
        FaultKind.REORDER,
        FaultKind.BAD_CHECKSUM,
        FaultKind.SILENCE,
        FaultKind.CLOSE,
    }
)
"""What can happen to a message that a socket sends unasked."""
SOCKET_REQUESTS = frozenset(
    {
        FaultKind.DROP_REQUEST,
        FaultKind.DROP_RESPONSE,
        FaultKind.DELAY,
        FaultKind.HANG,
        FaultKind.RESET,
        FaultKind.API_ERROR,
        FaultKind.BODY,
        FaultKind.CLOSE,
        FaultKind.STALE_TOKEN,
    }
)
"""What can happen to a request that came over a socket."""
SOCKET_CONNECTS = frozenset(
    {FaultKind.DROP_REQUEST, FaultKind.DELAY, FaultKind.HANG, FaultKind.RESET, FaultKind.STATUS_5XX}
)
"""What can happen to the opening of a socket."""
REST_REQUESTS = frozenset(FaultKind) - SOCKET_PUSHES - {FaultKind.STALE_TOKEN, FaultKind.LOOKUP_LAG}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultAction:
    kind: FaultKind
    seconds: float | None = None
    status: int | None = None
    text: str | None = None
    part: str = "body"
    code: int | None = None

    @property
    def nanoseconds(self) -> int:
        return round((self.seconds or 0.0) * NANOSECONDS_PER_SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMatch:
    brokerage: str | None = None
    account: str | None = None
    endpoint: str | None = None
    nth: int = 1

    def covers(self, brokerage: str, account: str | None, endpoint: str) -> bool:
        return (
            _covers(self.brokerage, brokerage)
            and _covers(self.account, account or "")
            and _covers(self.endpoint, endpoint)
        )


@dataclass(slots=True, kw_only=True)
class Fault:
    fault_id: int
    match: FaultMatch
    action: FaultAction
    times: int | None = 1
    seen: int = 0
    applied: int = 0

    def hits(self) -> bool:
        """Count one matching request and say whether this fault applies to it."""
        self.seen += 1
        if self.seen < self.match.nth or (self.times is not None and self.applied >= self.times):
            return False
        self.applied += 1
        return True

    def describe(self) -> dict[str, object]:
        return {
            "id": self.fault_id,
            "match": {
                "brokerage": self.match.brokerage,
                "account": self.match.account,
                "endpoint": self.match.endpoint,
                "nth": self.match.nth,
            },
            "action": {
                "kind": self.action.kind.value,
                "seconds": self.action.seconds,
                "status": self.action.status,
                "text": self.action.text,
                "part": self.action.part,
                "code": self.action.code,
            },
            "times": self.times,
            "seen": self.seen,
            "applied": self.applied,
        }


@dataclass(slots=True)
class FaultPlan:
    """The faults in force, oldest first. The oldest that hits a request wins; a look-up lag adds to any other."""

    _faults: list[Fault] = field(default_factory=list)
    _next_id: int = 1

    def __bool__(self) -> bool:
        """Whether there is any fault, spent ones included."""
        return bool(self._faults)

    def add(self, match: FaultMatch, action: FaultAction, times: int | None) -> Fault:
        fault = Fault(fault_id=self._next_id, match=match, action=action, times=times)
        self._next_id += 1
        self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Remove one fault, or all of them; returns how many."""
        kept = [] if fault_id is None else [fault for fault in self._faults if fault.fault_id != fault_id]
        removed = len(self._faults) - len(kept)
        self._faults = kept
        return removed

    def listed(self) -> list[dict[str, object]]:
        return [fault.describe() for fault in self._faults]

    def take(
        self, brokerage: str, account: str | None, endpoint: str, kinds: frozenset[FaultKind] = REST_REQUESTS
    ) -> FaultAction | None:
        """The action for this request, if any; counts the request for every fault of ``kinds`` that it matches."""
        chosen: FaultAction | None = None
        for fault in self._faults:
            if fault.action.kind not in kinds or not fault.match.covers(brokerage, account, endpoint):
                continue
            if chosen is None:
                chosen = fault.action if fault.hits() else None
            else:
                fault.seen += 1
        return chosen

    def take_lookup_lag_ns(self, brokerage: str, account: str | None, endpoint: str) -> int:
        """How young an order must be for this look-up not to show it; 0 without such a fault."""
        lags = [
            fault.action.nanoseconds
            for fault in self._faults
            if fault.action.kind is FaultKind.LOOKUP_LAG
            and fault.match.covers(brokerage, account, endpoint)
            and fault.hits()
        ]
        return max(lags, default=0)


def _covers(pattern: str | None, value: str) -> bool:
    return pattern is None or fnmatchcase(value.lower(), pattern.lower())
