"""Orders in the words of the sockets, said again in the words of REST, which are then read by the same code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paper_exchange.clock import NANOSECONDS_PER_SECOND, parse_rfc3339
from paper_exchange.kraken.envelope import KrakenError, invalid_argument
from paper_exchange.kraken.ws.requests import check_names, flag, nested, number_text, text, whole_number

ORDER_NAMES = frozenset(
    {
        "order_type", "side", "symbol", "order_qty", "cash_order_qty", "limit_price", "limit_price_type", "triggers",
        "time_in_force", "expire_time", "effective_time", "post_only", "reduce_only", "margin", "cl_ord_id",
        "order_userref", "conditional", "display_qty", "fee_preference", "stp_type", "sender_sub_id", "no_mpp",
    }
)  # fmt: skip
ADD_ORDER_NAMES = ORDER_NAMES | {"deadline", "validate", "token"}
USUAL_NAMES = frozenset(
    {
        "order_type", "side", "symbol", "order_qty", "cl_ord_id", "order_userref", "time_in_force", "limit_price",
        "limit_price_type", "triggers", "deadline", "token",
    }
)  # fmt: skip
TRIGGER_NAMES = frozenset({"reference", "price", "price_type"})
CONDITIONAL_NAMES = frozenset(
    {
        "order_type", "limit_price", "limit_price_type", "trigger_price", "trigger_price_type", "stop_price",
    }
)  # fmt: skip
DEADLINE_SECONDS = (0.5, 60.0)
DEFAULT_DEADLINE_SECONDS = 5.0


def rest_fields(params: Mapping[str, Any]) -> dict[str, object]:
    """The fields of AddOrder for the params of add_order. Raises KrakenError for a value of the wrong kind."""
    fields: dict[str, object] = {
        "ordertype": text(params, "order_type"),
        "type": text(params, "side"),
        "pair": text(params, "symbol"),
        "volume": number_text(params, "order_qty"),
        "cl_ord_id": text(params, "cl_ord_id"),
    }
    user_reference = whole_number(params, "order_userref")
    if user_reference is not None:
        fields["userref"] = str(user_reference)
    time_in_force = text(params, "time_in_force")
    if time_in_force is not None:
        fields["timeinforce"] = time_in_force
    _put_prices(params, fields)
    if not USUAL_NAMES.issuperset(params):
        _put_rarer(params, fields)
    return fields


def _put_prices(params: Mapping[str, Any], fields: dict[str, object]) -> None:
    limit = price_text(params, "limit_price", "limit_price_type")
    triggers = nested(params, "triggers")
    if triggers is None:
        fields["price"] = limit
        return
    check_names(triggers, TRIGGER_NAMES, "add_order")
    if text(triggers, "reference") not in (None, "last"):
        raise invalid_argument("triggers")
    fields["price"], fields["price2"] = price_text(triggers, "price", "price_type"), limit


def _put_rarer(params: Mapping[str, Any], fields: dict[str, object]) -> None:
    flags = []
    if flag(params, "post_only"):
        flags.append("post")
    cash = number_text(params, "cash_order_qty")
    if cash is not None:
        if fields["volume"] is not None:
            raise invalid_argument("cash_order_qty")
        fields["volume"] = cash
        flags.append("viqc")
    if (preference := text(params, "fee_preference")) is not None:
        flags.append({"base": "fcib", "quote": "fciq"}.get(preference, "?"))
    fields["oflags"] = ",".join(flags)
    fields["leverage"] = "2" if flag(params, "margin") else None
    fields["reduce_only"] = "true" if flag(params, "reduce_only") else None
    fields["validate"] = "true" if flag(params, "validate") else None
    fields["expiretm"] = _seconds(params, "expire_time")
    fields["starttm"] = _seconds(params, "effective_time")
    if number_text(params, "display_qty") is not None:
        raise invalid_argument("display_qty")
    conditional = nested(params, "conditional")
    if conditional is not None:
        fields["close"] = _close_fields(conditional)


def _close_fields(conditional: Mapping[str, Any]) -> dict[str, object]:
    check_names(conditional, CONDITIONAL_NAMES, "add_order")
    limit = price_text(conditional, "limit_price", "limit_price_type")
    trigger = price_text(conditional, "trigger_price", "trigger_price_type") or price_text(
        conditional, "stop_price", ""
    )
    return {"ordertype": text(conditional, "order_type"), "price": trigger or limit, "price2": limit}


def _seconds(params: Mapping[str, Any], name: str) -> str | None:
    written = text(params, name)
    if written is None:
        return None
    try:
        time_ns = parse_rfc3339(written)
    except (ValueError, OverflowError):
        raise invalid_argument(name) from None
    return f"{time_ns // NANOSECONDS_PER_SECOND}.{time_ns % NANOSECONDS_PER_SECOND:09d}"


def price_text(params: Mapping[str, Any], name: str, kind_name: str) -> str | None:
    """A price as REST writes it: ``static`` is absolute, ``pct`` and ``quote`` are distances."""
    price = number_text(params, name)
    kind = text(params, kind_name) if kind_name else None
    if price is None or kind in (None, "static"):
        return price
    if kind not in ("pct", "quote"):
        raise invalid_argument(kind_name)
    signed = price if price.startswith("-") else f"+{price}"
    return f"{signed}%" if kind == "pct" else signed


def deadline_ns(params: Mapping[str, Any], received_ns: int) -> int:
    """The latest time at which the engine may take the request: 0.5 to 60 seconds ahead, 5 if nothing is said."""
    written = text(params, "deadline")
    if written is None:
        return received_ns + round(DEFAULT_DEADLINE_SECONDS * NANOSECONDS_PER_SECOND)
    try:
        chosen_ns = parse_rfc3339(written)
    except (ValueError, OverflowError):
        raise invalid_argument("deadline") from None
    ahead = (chosen_ns - received_ns) / NANOSECONDS_PER_SECOND
    if ahead <= 0:
        raise KrakenError("EService:Deadline elapsed")
    if not DEADLINE_SECONDS[0] <= ahead <= DEADLINE_SECONDS[1]:
        raise invalid_argument("deadline")
    return chosen_ns
