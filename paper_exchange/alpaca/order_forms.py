"""The body of an order, to the engine's terms: what Alpaca's rules refuse is refused here, before money is looked at.

A ``day`` order rests until the close of the session ends it. Buy stops become stop-limits, so that a gap has a bound;
sell stops do not. Trailing stops, orders for the auctions and brackets are not offered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from paper_exchange.alpaca.instruments import find_listing, is_fractionable
from paper_exchange.alpaca.numbers import text
from paper_exchange.alpaca.order_terms import DAY, Terms
from paper_exchange.alpaca.replies import BAD_PARAMETER, NOT_POSSIBLE, ApiError
from paper_exchange.alpaca.routes import Request
from paper_exchange.catalogue import Listing
from paper_exchange.orders import NewOrder, OrderKind, Side, TimeInForce
from paper_exchange.write_ahead import Placement

PLAIN_DECIMAL = re.compile(r"\d{1,30}(\.\d{0,30})?|\.\d{1,30}", re.ASCII)
MOST_DECIMALS = 9
MOST_DIGITS = 15
"""Before or behind the point: beyond that a number is no amount, and reckoning with it would not be exact."""
LARGEST_ID = 128
ONE_DOLLAR = Decimal(1)
MARKET, LIMIT, STOP, STOP_LIMIT = "market", "limit", "stop", "stop_limit"
KINDS = frozenset({MARKET, LIMIT, STOP, STOP_LIMIT, "trailing_stop"})
TIMES_IN_FORCE = {
    DAY: TimeInForce.GTC, "gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "fok": TimeInForce.FOK,
    "opg": None, "cls": None,
}  # fmt: skip
"""In the engine's terms; None for those of the auctions."""
COLLAR_BOUNDARY, WIDE_COLLAR, NARROW_COLLAR = Decimal(50), Decimal("0.04"), Decimal("0.025")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderForm:
    """An order's body, read; whether the asset's rules allow it is not decided yet. Prices and notional are dollars."""

    stock: str
    side: Side
    kind: str
    time_in_force: str
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    extended_hours: bool
    client_order_id: str | None

    @property
    def is_fractional(self) -> bool:
        return self.quantity is None or self.quantity != self.quantity.to_integral_value()


def read_form(body: Mapping[str, object]) -> OrderForm:
    """Raises ApiError for a body that is no order, or one of a kind that is not offered."""
    _refuse_complex(body)
    side, kind = _choice(body, "side", frozenset(Side)), _choice(body, "type", KINDS)
    form = OrderForm(
        stock=_text(body, "symbol"),
        side=Side(side),
        kind=kind,
        time_in_force=_choice(body, "time_in_force", frozenset(TIMES_IN_FORCE)),
        quantity=amount_or_none(body.get("qty"), "qty"),
        notional=amount_or_none(body.get("notional"), "notional"),
        limit_price=amount_or_none(body.get("limit_price"), "limit_price"),
        stop_price=amount_or_none(body.get("stop_price"), "stop_price"),
        extended_hours=body.get("extended_hours") is True,
        client_order_id=read_client_order_id(body),
    )
    _check_shape(form)
    return form


def read_client_order_id(body: Mapping[str, object]) -> str | None:
    given = body.get("client_order_id")
    if given is None or given == "":
        return None
    if not isinstance(given, str) or len(given) > LARGEST_ID or not given.isprintable():
        raise ApiError(BAD_PARAMETER, f"client_order_id must be no more than {LARGEST_ID} characters")
    return given


def amount_or_none(value: object, name: str) -> Decimal | None:
    """A JSON number or plain digits in text; None when it is absent. Raises ApiError for anything else."""
    if value is None or value == "":
        return None
    amount: Decimal | None = None
    match value:
        case bool():
            pass
        case int() | Decimal():
            amount = Decimal(value)
        case str() if PLAIN_DECIMAL.fullmatch(value):
            amount = Decimal(value)
    if amount is None or not amount.is_finite() or abs(amount.adjusted()) > MOST_DIGITS:
        raise ApiError(BAD_PARAMETER, f"{name} is not a number")
    return amount


def new_order(request: Request, form: OrderForm, listing: Listing, *, replaces: str | None = None) -> NewOrder:
    """The order in the engine's terms. Raises ApiError where the rules of the stock or the hour forbid it."""
    _check_prices(form)
    _check_fractions(form, listing)
    _check_hours(request, form)
    quantity, quote_amount = _sizes(request, form, listing)
    terms = Terms(
        kind=form.kind,
        time_in_force=form.time_in_force,
        extended_hours=form.extended_hours,
        notional=text(form.notional) if form.notional is not None else None,
        replaces=replaces,
    )
    time_in_force = TIMES_IN_FORCE[form.time_in_force]
    assert time_in_force is not None, "orders for the auctions are refused before"
    return NewOrder(
        account_id=request.account_id,
        symbol=listing.symbol,
        side=form.side,
        kind=_engine_kind(form),
        quantity=quantity,
        quote_amount=quote_amount,
        limit_price=_limit_price(form, listing),
        trigger_price=form.stop_price,
        time_in_force=time_in_force,
        client_order_id=form.client_order_id,
        venue_terms=terms.encoded(),
    )


def asked_listing(request: Request, stock: str) -> Listing:
    listing = find_listing(request.listings, stock)
    if listing is None:
        raise ApiError(NOT_POSSIBLE, f'asset "{stock}" not found')
    return listing


def collar(price: Decimal) -> Decimal:
    """How far above a price Alpaca reckons that a market buy may fill, as a fraction."""
    return WIDE_COLLAR if price < COLLAR_BOUNDARY else NARROW_COLLAR


def placements(request: Request) -> list[Placement]:
    """The order that a call asks for, also when it will be refused; none of other calls."""
    if (request.call.method, request.call.endpoint) != ("POST", "orders"):
        return []
    call = request.call
    try:
        form = read_form(request.body)
        new = new_order(request, form, asked_listing(request, form.stock))
    except ApiError:
        return [Placement(call.client_order_id, call.symbol, call.side)]
    # Fractions of a share are taken for the day only, whether their sender means to cancel the rest at once or not.
    immediate = replace(new, time_in_force=TimeInForce.IOC)
    others = (immediate,) if (form.kind, form.time_in_force) == (LIMIT, DAY) else ()
    return [Placement(call.client_order_id, new.symbol, new.side.value, new, others)]


def _refuse_complex(body: Mapping[str, object]) -> None:
    if body.get("order_class") not in (None, "", "simple") or body.get("take_profit") or body.get("stop_loss"):
        raise ApiError(NOT_POSSIBLE, "complex orders are not supported by this exchange")


def _check_shape(form: OrderForm) -> None:
    needs_limit, needs_stop = form.kind in (LIMIT, STOP_LIMIT), form.kind in (STOP, STOP_LIMIT)
    wrong = None
    if form.kind == "trailing_stop":
        raise ApiError(NOT_POSSIBLE, "trailing stop orders are not supported by this exchange")
    if TIMES_IN_FORCE[form.time_in_force] is None:
        raise ApiError(NOT_POSSIBLE, "orders for the auctions are not supported by this exchange")
    if (form.quantity is None) == (form.notional is None):
        wrong = "qty or notional is required" if form.quantity is None else "only one of qty or notional is accepted"
    elif needs_limit != (form.limit_price is not None):
        wrong = f"{form.kind} orders require {'' if needs_limit else 'no '}limit price"
    elif needs_stop != (form.stop_price is not None):
        wrong = f"{form.kind} orders require {'' if needs_stop else 'no '}stop price"
    elif form.notional is not None and needs_stop:
        wrong = "notional orders must be market or limit orders"
    if wrong is not None:
        raise ApiError(BAD_PARAMETER, wrong)
    for name, amount in (("qty", form.quantity), ("notional", form.notional)):
        _check_amount(name, amount)


def _check_amount(name: str, amount: Decimal | None) -> None:
    if amount is None:
        return
    if amount <= 0:
        raise ApiError(BAD_PARAMETER, f"{name} must be > 0")
    if amount % Decimal(1).scaleb(-MOST_DECIMALS):
        raise ApiError(BAD_PARAMETER, f"{name} must be limited to {MOST_DECIMALS} decimal places")


def _check_prices(form: OrderForm) -> None:
    """From one dollar on prices are in cents, below in hundredths of a cent."""
    for name, price in (("limit_price", form.limit_price), ("stop_price", form.stop_price)):
        if price is None:
            continue
        if price <= 0:
            raise ApiError(BAD_PARAMETER, f"{name} must be > 0")
        if price % (Decimal("0.01") if price >= ONE_DOLLAR else Decimal("0.0001")):
            detail = "sub-penny increment does not fulfill minimum pricing criteria"
            raise ApiError(NOT_POSSIBLE, f"invalid {name} {text(price)}. {detail}")


def _check_fractions(form: OrderForm, listing: Listing) -> None:
    if not form.is_fractional:
        return
    if not is_fractionable(listing):
        raise ApiError(NOT_POSSIBLE, f'asset "{listing.base}" is not fractionable')
    if form.time_in_force != DAY:
        raise ApiError(NOT_POSSIBLE, "fractional orders must be DAY orders")
    if form.notional is not None and form.notional < ONE_DOLLAR:
        raise ApiError(NOT_POSSIBLE, "cost basis must be >= minimal amount of order 1")


def _check_hours(request: Request, form: OrderForm) -> None:
    if form.extended_hours and (form.kind, form.time_in_force) != (LIMIT, DAY):
        raise ApiError(NOT_POSSIBLE, "extended hours order must be DAY limit orders")
    if form.time_in_force not in ("ioc", "fok"):
        return
    if form.kind not in (MARKET, LIMIT):
        raise ApiError(NOT_POSSIBLE, f"{form.time_in_force} orders must be market or limit orders")
    if request.exchange.market.closed:
        raise ApiError(NOT_POSSIBLE, f"{form.time_in_force} orders are only accepted during market hours")


def _sizes(request: Request, form: OrderForm, listing: Listing) -> tuple[Decimal | None, Decimal | None]:
    """Shares, or dollars of a market buy. Any other order in dollars is for as many shares as these make now."""
    if form.notional is None:
        return form.quantity, None
    if form.kind == MARKET and form.side is Side.BUY:
        return None, form.notional
    price = form.limit_price or request.exchange.engine.quote(listing.symbol).bid
    return (form.notional / price / listing.lot_step).to_integral_value(ROUND_FLOOR) * listing.lot_step, None


def _engine_kind(form: OrderForm) -> OrderKind:
    if form.kind == STOP:
        return OrderKind.STOP_LOSS_LIMIT if form.side is Side.BUY else OrderKind.STOP_LOSS
    return {MARKET: OrderKind.MARKET, LIMIT: OrderKind.LIMIT, STOP_LIMIT: OrderKind.STOP_LOSS_LIMIT}[form.kind]


def _limit_price(form: OrderForm, listing: Listing) -> Decimal | None:
    if form.kind != STOP or form.side is not Side.BUY:
        return form.limit_price
    assert form.stop_price is not None
    highest = form.stop_price * (1 + collar(form.stop_price))
    return (highest / listing.tick_size).to_integral_value(ROUND_CEILING) * listing.tick_size


def _choice(body: Mapping[str, object], name: str, choices: frozenset[str]) -> str:
    given = _text(body, name).lower()
    if given not in choices:
        raise ApiError(BAD_PARAMETER, f"invalid {name}: {given}")
    return given


def _text(body: Mapping[str, object], name: str) -> str:
    given = body.get(name)
    if not isinstance(given, str) or not given:
        raise ApiError(BAD_PARAMETER, f"{name} is required")
    return given
