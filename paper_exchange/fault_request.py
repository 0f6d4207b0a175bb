"""Reads the body of ``POST /faults``; refuses what makes no sense by the name of its field."""

from __future__ import annotations

from collections.abc import Mapping

from paper_exchange.faults import FaultAction, FaultKind, FaultMatch

NEEDS_SECONDS = frozenset({FaultKind.DELAY, FaultKind.LOOKUP_LAG, FaultKind.SILENCE})
TAKES_SECONDS = NEEDS_SECONDS | {FaultKind.DRIP, FaultKind.HANG}
ARGUMENT_NAMES: dict[str, str] = {
    FaultKind.API_ERROR: "text",
    FaultKind.BODY: "text",
    FaultKind.STATUS_5XX: "status",
    FaultKind.ACCEPT_THEN_5XX: "status",
    FaultKind.CLOSE: "code",
}
"""What an argument written right behind the kind means; for all others it is ``seconds``."""
DEFAULT_STATUS = {FaultKind.STATUS_5XX: 503, FaultKind.ACCEPT_THEN_5XX: 502}
MAY_TAKE_TEXT = frozenset({FaultKind.ACCEPT_THEN_5XX})
DEFAULT_CLOSE_CODE = 1006
CLOSE_CODES = frozenset({1000, 1001, 1006, 1008, 1011, 1012, 1013})
"""RFC 6455, section 7.4.1, and 1006, which is no code on the wire but a connection that just ends."""


class BadFault(ValueError):
    """A fault that can't be understood; the message names the field."""


def parse_fault(body: Mapping[str, object]) -> tuple[FaultMatch, FaultAction, int | None]:
    """Read the body of ``POST /faults``, nested or flat; raises BadFault naming the field.

    Nested: ``{"match": {"account": "master", "endpoint": "AddOrder"}, "action": {"kind": "hang"}, "times": 1}``.
    Flat: ``{"account": "master", "endpoint": "AddOrder", "action": "api_error", "text": "EService:Busy"}``.
    An action may carry its argument: ``"api_error EService:Busy"``, ``"delay 2.5"``, ``{"delay": 2.5}``.
    """
    rest = dict(body)
    times = _times(rest.pop("times", 1))
    match_fields = _object("match", rest.pop("match", {}))
    action_fields = _action_fields(rest.pop("action", None))
    for name in ("brokerage", "account", "endpoint", "nth"):
        if name in rest:
            match_fields[name] = rest.pop(name)
    return _match(match_fields), _action({**rest, **action_fields}), times


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
        return {"kind": kind, _argument_name(kind): argument} if argument else {"kind": kind}
    fields = _object("action", value)
    if len(fields) == 1 and (kind := next(iter(fields))) in set(FaultKind):
        return {"kind": kind, _argument_name(kind): fields[kind]}
    return fields


def _argument_name(kind: str) -> str:
    return ARGUMENT_NAMES.get(kind, "seconds")


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
        code=_code(kind, fields.pop("code", None)),
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
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 400 <= value <= 599:
        raise BadFault("status must be a whole number from 400 to 599")
    return value


def _text(kind: FaultKind, value: object) -> str | None:
    needs_text = ARGUMENT_NAMES.get(kind) == "text"
    if value is None and not needs_text:
        return None
    if not needs_text and kind not in MAY_TAKE_TEXT:
        raise BadFault(f"text has no meaning for {kind}")
    if not isinstance(value, str) or not value:
        raise BadFault(f"text is missing: {kind} needs what to answer with")
    return value


def _part(value: object) -> str:
    if value not in ("body", "headers", "answer"):
        raise BadFault('part must be "body", "headers" or "answer"')
    return str(value)


def _code(kind: FaultKind, value: object) -> int | None:
    if kind is not FaultKind.CLOSE:
        if value is not None:
            raise BadFault(f"code has no meaning for {kind}")
        return None
    code = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if code is None:
        return DEFAULT_CLOSE_CODE
    if isinstance(code, bool) or code not in CLOSE_CODES:
        raise BadFault(f"code must be one of {', '.join(map(str, sorted(CLOSE_CODES)))}")
    return int(str(code))


def _nothing_left(where: str, fields: Mapping[str, object]) -> None:
    if fields:
        raise BadFault(f"{where} has no field {sorted(fields)[0]!r}")
