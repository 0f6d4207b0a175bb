"""Misbehaviour on command: which requests a fault matches, what it does to them, and how often.

``match`` narrows by brokerage, account name and endpoint (each may hold ``*``), and ``nth`` lets the first ``nth - 1``
matching requests pass. A fault hits ``times`` requests (default 1) and then stays in the list, spent; ``times`` null
or "forever" hits until it is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """Processed, then answered with ``status`` (default 502)."""
    STATUS_5XX = "5xx"
    """Answered with ``status`` (default 503; 400 to 599); not processed."""
    HTML = "html"
    """200 with a page of HTML; not processed."""
    MALFORMED = "malformed"
    """Processed, then 200 with JSON that is cut off."""
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


NEEDS_SECONDS = frozenset({FaultKind.DELAY, FaultKind.LOOKUP_LAG})
TAKES_SECONDS = NEEDS_SECONDS | {FaultKind.DRIP, FaultKind.HANG}
DEFAULT_STATUS = {FaultKind.STATUS_5XX: 503, FaultKind.ACCEPT_THEN_5XX: 502}


class BadFault(ValueError):
    """A fault that can't be understood; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultAction:
    kind: FaultKind
    seconds: float | None = None
    status: int | None = None
    text: str | None = None
    part: str = "body"

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

    def take(self, brokerage: str, account: str | None, endpoint: str) -> FaultAction | None:
        """The action for this request, if any; counts the request for every fault it matches."""
        chosen: FaultAction | None = None
        for fault in self._faults:
            if fault.action.kind is FaultKind.LOOKUP_LAG or not fault.match.covers(brokerage, account, endpoint):
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


def parse_fault(body: Mapping[str, object]) -> tuple[FaultMatch, FaultAction, int | None]:
    """Read the body of ``POST /faults``, nested or flat; raises BadFault naming the field.

    Nested: ``{"match": {"account": "master", "endpoint": "AddOrder"}, "action": {"kind": "hang"}, "times": 1}``.
    Flat: ``{"account": "master", "endpoint": "AddOrder", "action": "api_error", "text": "EService:Busy"}``.
    A text action may carry its argument: ``"api_error EService:Busy"``, ``"delay 2.5"``.
    """
    rest = dict(body)
    times = _times(rest.pop("times", 1))
    match_fields = _object("match", rest.pop("match", {}))
    action_fields = _action_fields(rest.pop("action", None))
    for name in ("brokerage", "account", "endpoint", "nth"):
        if name in rest:
            match_fields[name] = rest.pop(name)
    return _match(match_fields), _action({**rest, **action_fields}), times


def _covers(pattern: str | None, value: str) -> bool:
    return pattern is None or fnmatchcase(value.lower(), pattern.lower())


def _times(value: object) -> int | None:
    if value is None or value == "forever":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadFault('times must be a whole number from 1, null or "forever"')
    return value


def _object(name: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise BadFault(f"{name} must be an object")
    return dict(value)


def _action_fields(value: object) -> dict[str, object]:
    if value is None:
        raise BadFault("action is missing")
    if isinstance(value, str):
        kind, _, argument = value.partition(" ")
        name = "text" if kind == FaultKind.API_ERROR else "seconds"
        return {"kind": kind, name: argument} if argument else {"kind": kind}
    return _object("action", value)


def _match(fields: dict[str, object]) -> FaultMatch:
    nth = fields.pop("nth", None)
    if nth is None:
        nth = 1
    if isinstance(nth, bool) or not isinstance(nth, int) or nth < 1:
        raise BadFault("nth must be a whole number from 1")
    texts: dict[str, str | None] = {}
    for name in ("brokerage", "account", "endpoint"):
        value = fields.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise BadFault(f"{name} must be text")
        texts[name] = value
    _nothing_left("match", fields)
    return FaultMatch(brokerage=texts["brokerage"], account=texts["account"], endpoint=texts["endpoint"], nth=nth)


def _action(fields: dict[str, object]) -> FaultAction:
    name = fields.pop("kind", None) or fields.pop("type", None)
    try:
        kind = FaultKind(str(name))
    except ValueError:
        raise BadFault(f"action {name!r} is not one of: {', '.join(FaultKind)}") from None
    action = FaultAction(
        kind=kind,
        seconds=_seconds(kind, fields.pop("seconds", None)),
        status=_status(kind, fields.pop("status", None)),
        text=_text(kind, fields.pop("text", None)),
        part=_part(fields.pop("part", "body")),
    )
    _nothing_left("action", fields)
    return action


def _seconds(kind: FaultKind, value: object) -> float | None:
    if value is None:
        if kind in NEEDS_SECONDS:
            raise BadFault(f"seconds is missing: {kind} needs it")
        return None
    if kind not in TAKES_SECONDS:
        raise BadFault(f"seconds has no meaning for {kind}")
    try:
        if isinstance(value, bool):
            raise TypeError
        seconds = float(str(value))
    except (TypeError, ValueError):
        raise BadFault("seconds must be a number") from None
    if not 0 <= seconds <= 86_400:
        raise BadFault("seconds must be from 0 to 86400")
    return seconds


def _status(kind: FaultKind, value: object) -> int | None:
    if kind not in DEFAULT_STATUS:
        if value is not None:
            raise BadFault(f"status has no meaning for {kind}")
        return None
    if value is None:
        return DEFAULT_STATUS[kind]
    if isinstance(value, bool) or not isinstance(value, int) or not 400 <= value <= 599:
        raise BadFault("status must be a whole number from 400 to 599")
    return value


def _text(kind: FaultKind, value: object) -> str | None:
    if kind is FaultKind.API_ERROR and (not isinstance(value, str) or not value):
        raise BadFault("text is missing: api_error needs the error to answer with")
    if kind is not FaultKind.API_ERROR and value is not None:
        raise BadFault(f"text has no meaning for {kind}")
    return value if isinstance(value, str) else None


def _part(value: object) -> str:
    if value not in ("body", "headers"):
        raise BadFault('part must be "body" or "headers"')
    return str(value)


def _nothing_left(where: str, fields: Mapping[str, object]) -> None:
    if fields:
        raise BadFault(f"{where} has no field {sorted(fields)[0]!r}")
