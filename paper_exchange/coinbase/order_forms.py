"""The body of an order, to the engine's terms and back: ``order_configuration`` holds exactly one of seven forms.

There is no market order that waits for a price: a stop always has a limit. Brackets, TWAP and the forms for futures
are refused as UNSUPPORTED_ORDER_CONFIGURATION.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.clock import parse_rfc3339, rfc3339
from paper_exchange.coinbase.products import BASE_MAXIMUM, QUOTE_MAXIMUM, quote_increment, text
from paper_exchange.coinbase.refusals import OrderRefused
from paper_exchange.coinbase.replies import ApiError
from paper_exchange.orders import NewOrder, Order, OrderKind, Side, TimeInForce

PLAIN_DECIMAL = re.compile(r"\d{1,30}(\.\d{0,30})?|\.\d{1,30}", re.ASCII)
"""How amounts are written: digits, no sign and no exponent."""
FELL, ROSE = "STOP_DIRECTION_STOP_DOWN", "STOP_DIRECTION_STOP_UP"


@dataclass(frozen=True, slots=True)
class Form:
    """One of the forms: its kind is LIMIT for stops too, until side and direction say which stop it is."""

    name: str
    kind: OrderKind
    time_in_force: TimeInForce
    stop: bool = False


FORMS = {
    form.name: form
    for form in (
        Form("market_market_ioc", OrderKind.MARKET, TimeInForce.IOC),
        Form("sor_limit_ioc", OrderKind.LIMIT, TimeInForce.IOC),
        Form("limit_limit_gtc", OrderKind.LIMIT, TimeInForce.GTC),
        Form("limit_limit_gtd", OrderKind.LIMIT, TimeInForce.GTD),
        Form("limit_limit_fok", OrderKind.LIMIT, TimeInForce.FOK),
        Form("stop_limit_stop_limit_gtc", OrderKind.LIMIT, TimeInForce.GTC, stop=True),
        Form("stop_limit_stop_limit_gtd", OrderKind.LIMIT, TimeInForce.GTD, stop=True),
    )
}


@dataclass(frozen=True, slots=True)
class OrderForm:
    """An order's body, taken apart but not yet judged by the product's rules."""

    form: Form
    fields: Mapping[str, object]
    side: Side

    def amount(self, name: str) -> Decimal | None:
        """A field's amount, None when it is absent. Raises ApiError unless it is text that is a plain number."""
        value = self.fields.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or not PLAIN_DECIMAL.fullmatch(value):
            raise ApiError("INVALID_ARGUMENT", f"{name} is not a decimal number in text")
        return Decimal(value)

    def required(self, name: str) -> Decimal:
        amount = self.amount(name)
        if amount is None:
            raise ApiError("INVALID_ARGUMENT", f"{name} is missing")
        return amount


def read_form(body: Mapping[str, object]) -> OrderForm:
    """Side and form of a body. Raises ApiError for what isn't an order at all, OrderRefused for one not offered."""
    configuration = body.get("order_configuration")
    if not isinstance(configuration, dict):
        raise ApiError("INVALID_ARGUMENT", "order_configuration is missing")
    given = {name: fields for name, fields in configuration.items() if fields is not None}
    if len(given) != 1:
        raise ApiError("INVALID_ARGUMENT", "order_configuration must hold exactly one configuration")
    [(name, fields)] = given.items()
    if name not in FORMS:
        raise OrderRefused("UNSUPPORTED_ORDER_CONFIGURATION", f"{name} is not supported for this product")
    if not isinstance(fields, dict):
        raise ApiError("INVALID_ARGUMENT", f"{name} is not an object")
    if body.get("side") not in ("BUY", "SELL"):
        raise OrderRefused("INVALID_SIDE", "side must be BUY or SELL")
    return OrderForm(FORMS[name], fields, Side(str(body["side"]).lower()))


def new_order(form: OrderForm, listing: Listing, *, account_id: str, client_order_id: str | None) -> NewOrder:
    """The order in the engine's terms. Raises ApiError for unreadable fields, OrderRefused for sizes out of bounds."""
    quantity, quote_amount = _sizes(form)
    _check_bounds(listing, quantity, quote_amount)
    is_limit = form.form.kind is OrderKind.LIMIT
    return NewOrder(
        account_id=account_id,
        symbol=listing.symbol,
        side=form.side,
        kind=_stop_kind(form) if form.form.stop else form.form.kind,
        quantity=quantity,
        quote_amount=quote_amount,
        quote_includes_fee=quote_amount is not None,
        limit_price=form.required("limit_price") if is_limit else None,
        trigger_price=form.required("stop_price") if form.form.stop else None,
        time_in_force=form.form.time_in_force,
        post_only=_post_only(form),
        expires_at_ns=_end_time_ns(form),
        client_order_id=client_order_id,
    )


def configuration_of(order: Order) -> dict[str, dict[str, object]]:
    """The ``order_configuration`` that describes an accepted order."""
    fields: dict[str, object] = {}
    if order.quote_amount is not None:
        fields["quote_size"] = text(order.quote_amount)
    if order.quantity is not None:
        fields["base_size"] = text(order.quantity)
    if order.limit_price is not None:
        fields["limit_price"] = text(order.limit_price)
    if order.trigger_price is not None:
        fields["stop_price"] = text(order.trigger_price)
        fields["stop_direction"] = direction_of(order)
    if order.expires_at_ns is not None:
        fields["end_time"] = rfc3339(order.expires_at_ns)
    name = form_name(order)
    if name in ("limit_limit_gtc", "limit_limit_gtd"):
        fields["post_only"] = order.post_only
    return {name: fields}


def form_name(order: Order) -> str:
    if order.kind is OrderKind.MARKET:
        return "market_market_ioc"
    if order.trigger_price is not None:
        return f"stop_limit_stop_limit_{order.time_in_force.value}"
    return "sor_limit_ioc" if order.time_in_force is TimeInForce.IOC else f"limit_limit_{order.time_in_force.value}"


def direction_of(order: Order) -> str:
    """Which way the price must go to trigger a stop."""
    falls = (order.side is Side.SELL) == (order.kind is OrderKind.STOP_LOSS_LIMIT)
    return FELL if falls else ROSE


def _sizes(form: OrderForm) -> tuple[Decimal | None, Decimal | None]:
    if form.form.kind is not OrderKind.MARKET:
        return form.required("base_size"), None
    quantity, quote_amount = form.amount("base_size"), form.amount("quote_size")
    if (quantity is None) == (quote_amount is None):
        raise ApiError("INVALID_ARGUMENT", "a market order takes either quote_size or base_size")
    if quote_amount is not None and form.side is Side.SELL:
        raise OrderRefused("UNSUPPORTED_ORDER_CONFIGURATION", "a market sell takes base_size")
    return quantity, quote_amount


def _check_bounds(listing: Listing, quantity: Decimal | None, quote_amount: Decimal | None) -> None:
    if quantity is not None and quantity > BASE_MAXIMUM:
        raise OrderRefused("PREVIEW_INVALID_BASE_SIZE_TOO_LARGE", f"base_size is above {text(BASE_MAXIMUM)}")
    if quote_amount is None:
        return
    if quote_amount > QUOTE_MAXIMUM:
        raise OrderRefused("PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE", f"quote_size is above {text(QUOTE_MAXIMUM)}")
    if quote_amount % quote_increment(listing):
        step = text(quote_increment(listing))
        raise OrderRefused("INVALID_SIZE_PRECISION", f"quote_size must be a multiple of {step}")


def _stop_kind(form: OrderForm) -> OrderKind:
    direction = form.fields.get("stop_direction")
    if direction not in (FELL, ROSE):
        raise ApiError("INVALID_ARGUMENT", f"stop_direction must be {FELL} or {ROSE}")
    return OrderKind.STOP_LOSS_LIMIT if (direction == FELL) == (form.side is Side.SELL) else OrderKind.TAKE_PROFIT_LIMIT


def _post_only(form: OrderForm) -> bool:
    value = form.fields.get("post_only", False)
    if value is not None and not isinstance(value, bool):
        raise ApiError("INVALID_ARGUMENT", "post_only is not true or false")
    return bool(value) and form.form.kind is OrderKind.LIMIT and not form.form.stop


def _end_time_ns(form: OrderForm) -> int | None:
    if form.form.time_in_force is not TimeInForce.GTD:
        return None
    try:
        return parse_rfc3339(str(form.fields.get("end_time")))
    except ValueError:
        raise ApiError("INVALID_ARGUMENT", "end_time is not a time in RFC 3339") from None
