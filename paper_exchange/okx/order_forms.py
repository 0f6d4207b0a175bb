"""The body of an order, to the engine's terms. python-okx sends every optional field as "" or null: both are absent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.okx.query import plain_decimal
from paper_exchange.okx.replies import OrderRefused, missing, wrong
from paper_exchange.okx.routes import Fields
from paper_exchange.orders import NewOrder, OrderKind, Side, TimeInForce

CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
TAG = re.compile(r"[A-Za-z0-9]{1,16}", re.ASCII)
BASE, QUOTE = "base_ccy", "quote_ccy"
CASH, CROSS = "cash", "cross"
TRADE_MODES = frozenset({CASH, CROSS, "isolated", "spot_isolated"})
SELF_TRADE_MODES = frozenset({"cancel_maker", "cancel_taker", "cancel_both"})
TIMES_IN_FORCE = {
    "market": TimeInForce.IOC,
    "limit": TimeInForce.GTC,
    "post_only": TimeInForce.GTC,
    "fok": TimeInForce.FOK,
    "ioc": TimeInForce.IOC,
}
"""The kinds of orders that spot has."""


@dataclass(frozen=True, slots=True)
class OrderForm:
    """An order's body, read but not yet judged by the instrument's rules. ``size`` is base units unless ``in_quote``.

    With ``exact`` (OKX's ``banAmend``) a market order that the balance can't cover is refused; without, it is made
    smaller.
    """

    inst_id: str
    side: Side
    order_type: str
    size: Decimal
    price: Decimal | None
    client_id: str | None
    tag: str
    in_quote: bool
    exact: bool


def read_form(fields: Fields) -> OrderForm:
    """Raises ApiError naming the field, or OrderRefused for a limit order without a price."""
    side, order_type = read_side(fields), required_text(fields, "ordType")
    if order_type not in TIMES_IN_FORCE:
        raise wrong("ordType")
    stp_mode = text(fields, "stpMode")
    if stp_mode is not None and stp_mode not in SELF_TRADE_MODES:
        raise wrong("stpMode")
    if fields.get("attachAlgoOrds"):
        raise wrong("attachAlgoOrds")
    market = order_type == "market"
    price = None if market else positive(fields, "px")
    if price is None and not market:
        raise OrderRefused("51204", "The price for the limit order can not be empty.")
    return OrderForm(
        inst_id=required_text(fields, "instId"),
        side=side,
        order_type=order_type,
        size=required_positive(fields, "sz"),
        price=price,
        client_id=read_id(fields, "clOrdId"),
        tag=_tag(fields),
        in_quote=market and target(fields, side) == QUOTE,
        exact=flag(fields, "banAmend"),
    )


def new_order(form: OrderForm, listing: Listing, *, account_id: str, deadline_ns: int | None) -> NewOrder:
    """The order in the engine's terms, which knows no sells sized in money: those are put into quantities before."""
    return NewOrder(
        account_id=account_id,
        symbol=listing.symbol,
        side=form.side,
        kind=OrderKind.MARKET if form.order_type == "market" else OrderKind.LIMIT,
        quantity=None if form.in_quote else form.size,
        quote_amount=form.size if form.in_quote else None,
        limit_price=form.price,
        time_in_force=TIMES_IN_FORCE[form.order_type],
        post_only=form.order_type == "post_only",
        client_order_id=form.client_id,
        deadline_ns=deadline_ns,
    )


def check_trade_mode(fields: Fields, *, takes_cash: bool) -> None:
    """Raises ApiError, or OrderRefused (51010) for a mode that the account does not have."""
    mode = required_text(fields, "tdMode")
    if mode not in TRADE_MODES:
        raise wrong("tdMode")
    if mode != CASH or not takes_cash:
        raise OrderRefused("51010", "You can't complete this request under your current account mode.")


def read_side(fields: Fields) -> Side:
    side = required_text(fields, "side")
    if side not in set(Side):
        raise wrong("side")
    return Side(side)


def target(fields: Fields, side: Side) -> str:
    """What the size of a market order is counted in; without a word a buy is sized in money."""
    given = text(fields, "tgtCcy")
    if given is not None and given not in (BASE, QUOTE):
        raise wrong("tgtCcy")
    return given or (QUOTE if side is Side.BUY else BASE)


def read_id(fields: Fields, name: str) -> str | None:
    """A client's own id: letters and digits, at most 32. Raises ApiError (51000)."""
    value = text(fields, name)
    if value is not None and not CLIENT_ID.fullmatch(value):
        raise wrong(name)
    return value


def text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise wrong(name)
    return value


def required_text(fields: Fields, name: str) -> str:
    value = text(fields, name)
    if value is None:
        raise missing(name)
    return value


def positive(fields: Fields, name: str) -> Decimal | None:
    value = text(fields, name)
    if value is None:
        return None
    number = plain_decimal(value)
    if not number:
        raise wrong(name)
    return number


def required_positive(fields: Fields, name: str) -> Decimal:
    number = positive(fields, name)
    if number is None:
        raise missing(name)
    return number


def flag(fields: Fields, name: str) -> bool:
    value = fields.get(name)
    if value in (None, "", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise wrong(name)


def _tag(fields: Fields) -> str:
    tag = text(fields, "tag")
    if tag is not None and not TAG.fullmatch(tag):
        raise wrong("tag")
    return tag or ""
