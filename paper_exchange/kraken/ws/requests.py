"""What a client asks for: one JSON object with ``method``, ``params`` and, if it likes, ``req_id``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from paper_exchange.kraken.envelope import KrakenError, invalid_argument

LARGEST_EXPONENT = 30
"""No amount has more digits before or after its point; ``1e999999`` written out would fill the memory."""
LARGEST_NUMBER = 2**63


class UnreadableRequest(ValueError):
    """The text is no JSON object."""


@dataclass(frozen=True, slots=True)
class Request:
    """``params`` hold JSON values, amounts as Decimal or int."""

    method: str
    params: Mapping[str, Any]
    req_id: int | None = None
    has_params: bool = True
    others: frozenset[str] = field(default=frozenset())
    """Names beside those three."""


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_NO_PARAMS: Mapping[str, Any] = {}
_ENVELOPE = frozenset({"method", "params", "req_id"})


def read_request(text: bytes) -> Request:
    """Raises UnreadableRequest."""
    try:
        fields = _decode(text)
    except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError) as problem:
        raise UnreadableRequest(str(problem)) from None
    params = fields.get("params")
    req_id = fields.get("req_id")
    method = fields.get("method", fields.get("event"))
    return Request(
        method=method if isinstance(method, str) else "",
        params=params if isinstance(params, dict) else _NO_PARAMS,
        req_id=req_id if isinstance(req_id, int) and not isinstance(req_id, bool) and _fits(req_id) else None,
        has_params=params is not None,
        others=frozenset(fields) - _ENVELOPE if len(fields) > len(_ENVELOPE) else frozenset(),
    )


def _fits(value: int) -> bool:
    """Into 64 bits, as what is sent back must."""
    return abs(value) < LARGEST_NUMBER


def unsupported_field(name: str, method: str) -> KrakenError:
    return KrakenError(f"Unsupported field: '{name}' for the given msg type: {method}")


def check_names(params: Mapping[str, Any], known: frozenset[str], method: str) -> None:
    """Raises KrakenError for the first name that this message does not have."""
    if not known.issuperset(params):
        raise unsupported_field(next(name for name in params if name not in known), method)


def _wrong(name: str, kind: str) -> KrakenError:
    return KrakenError(f"{name.capitalize()} field must be a {kind}")


def number_text(params: Mapping[str, Any], name: str) -> str | None:
    """An amount as plain text; None if absent. Amounts written as text are refused, as Kraken does."""
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise _wrong(name, "number_float")
    amount = Decimal(value)
    if not amount.is_finite() or abs(amount.adjusted()) > LARGEST_EXPONENT or len(str(amount)) > 2 * LARGEST_EXPONENT:
        raise invalid_argument(name)
    return format(amount, "f")


def whole_number(params: Mapping[str, Any], name: str, default: int | None = None) -> int | None:
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not _fits(value):
        raise _wrong(name, "number_integer")
    return value


def text(params: Mapping[str, Any], name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "string")
    return value or None


def flag(params: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = params.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _wrong(name, "boolean")
    return value


def items(params: Mapping[str, Any], name: str) -> list[Any]:
    """An array; none if absent."""
    value = params.get(name)
    if value is not None and not isinstance(value, list):
        raise _wrong(name, "array")
    return value or []


def nested(params: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = params.get(name)
    if value is not None and not isinstance(value, dict):
        raise _wrong(name, "object")
    return value
