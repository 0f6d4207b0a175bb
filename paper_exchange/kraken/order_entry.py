"""Reads the parameters of AddOrder into an order for the engine; refuses in Kraken's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.clock import NANOSECONDS_PER_SECOND, parse_rfc3339
from paper_exchange.kraken.conditional_close import CloseTerms
from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import UNKNOWN_PAIR, KrakenError, invalid_argument
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.naming import PairName
from paper_exchange.kraken.price_text import PriceText, plain_decimal
from paper_exchange.orders import LIMIT_KINDS, TRIGGERED_KINDS, NewOrder, OrderKind, Side, TimeInForce

UUID_SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
SHORT_UUID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
FREE_TEXT = re.compile(r"[!-~]{1,18}")
FLAGS = frozenset({"post", "fcib", "fciq", "nompp", "viqc"})
INT32 = 2**31
EXPIRY_SECONDS = (5, 31 * 86_400)
DEADLINE_SECONDS = (2, 60)


@dataclass(frozen=True, slots=True)
class Entry:
    """An order read: for the engine, and what only the answer needs."""

    new: NewOrder
    pair: PairName
    listing: Listing
    close: CloseTerms | None
    validate_only: bool


def read_entry(
    context: Context, params: Params, *, pair_text: str | None = None, deadline_ns: int | None = None
) -> Entry:
    """Raises KrakenError. ``pair_text`` replaces the ``pair`` field, as in a batch, ``deadline_ns`` the deadline's."""
    pair = context.names.pair(pair_text or params.text("pair") or "", strict=context.account.strict)
    if pair is None:
        raise KrakenError(UNKNOWN_PAIR)
    listing = context.names.listing(pair)
    side, kind = _side(params), _kind(params)
    flags = _flags(params, side, kind)
    _refuse_margin(params)
    volume = _volume(params)
    first, second = _prices(context, params, listing, side, kind)
    time_in_force, expires_at_ns = _time_in_force(context, params)
    client_order_id, user_reference = _references(params)
    new = NewOrder(
        account_id=context.account.account_id,
        symbol=pair.symbol,
        side=side,
        kind=kind,
        quantity=None if "viqc" in flags else volume,
        quote_amount=volume if "viqc" in flags else None,
        limit_price=second if kind in TRIGGERED_KINDS else first,
        trigger_price=first if kind in TRIGGERED_KINDS else None,
        time_in_force=time_in_force,
        post_only="post" in flags,
        expires_at_ns=expires_at_ns,
        client_order_id=client_order_id,
        user_reference=user_reference,
        deadline_ns=deadline_ns if deadline_ns is not None else read_deadline(context, params),
    )
    return Entry(new, pair, listing, CloseTerms.read(params, listing, side), params.flag("validate"))


def read_deadline(context: Context, params: Params) -> int | None:
    """``deadline`` must lie 2 to 60 seconds ahead when the request arrives; one already over has elapsed."""
    text = params.text("deadline")
    if text is None:
        return None
    try:
        deadline_ns = parse_rfc3339(text)
    except (ValueError, OverflowError):
        raise invalid_argument("deadline") from None
    ahead = (deadline_ns - context.call.received_ns) / NANOSECONDS_PER_SECOND
    if ahead <= 0:
        raise KrakenError("EService:Deadline elapsed")
    if not DEADLINE_SECONDS[0] <= ahead <= DEADLINE_SECONDS[1]:
        raise invalid_argument("deadline")
    return deadline_ns


def same_client_id(one: str | None, other: str | None) -> bool:
    """Whether two ids are the same one: a UUID may be written with hyphens or capitals, or not."""
    return one is not None and other is not None and _normal_id(one) == _normal_id(other)


def _normal_id(text: str) -> str:
    if UUID_SHAPE.fullmatch(text) or SHORT_UUID.fullmatch(text):
        return text.replace("-", "").lower()
    return text


def _side(params: Params) -> Side:
    try:
        return Side(params.text("type") or "")
    except ValueError:
        raise invalid_argument("type") from None


def _kind(params: Params) -> OrderKind:
    """Trailing stops, icebergs and margin settlements are not offered here."""
    try:
        return OrderKind(params.text("ordertype") or "")
    except ValueError:
        raise invalid_argument("ordertype") from None


def _flags(params: Params, side: Side, kind: OrderKind) -> tuple[str, ...]:
    flags = tuple(dict.fromkeys(params.items("oflags")))
    wrong = (
        any(flag not in FLAGS for flag in flags)
        or ("post" in flags and kind is not OrderKind.LIMIT)
        or {"fcib", "fciq"} <= set(flags)
    )
    if wrong:
        raise invalid_argument("oflags")
    if "viqc" in flags and (kind is not OrderKind.MARKET or side is not Side.BUY):
        raise invalid_argument("viqc")
    return flags


def _refuse_margin(params: Params) -> None:
    leverage = params.text("leverage")
    if leverage is not None and leverage.lower() not in ("none", "0", "1"):
        raise invalid_argument("leverage")
    if params.flag("reduce_only"):
        raise KrakenError("EOrder:Reduce only:No position exists")
    if params.text("starttm") not in (None, "0", "+0"):
        raise invalid_argument("starttm")


def _volume(params: Params) -> Decimal:
    volume = plain_decimal(params.text("volume") or "")
    if volume is None or volume <= 0:
        raise invalid_argument("volume")
    return volume


def _prices(
    context: Context, params: Params, listing: Listing, side: Side, kind: OrderKind
) -> tuple[Decimal | None, Decimal | None]:
    """``price`` (relative to the last price) and ``price2`` (relative to ``price``) as far as the kind uses them."""
    if kind is OrderKind.MARKET:
        return None, None
    written = PriceText.read(params.text("price") or "", "price")
    # Only a relative price needs the market, which a pair that does not trade has none of.
    last = context.exchange.engine.quote(listing.symbol).last if written.sign is not None else Decimal(0)
    first = written.resolve(listing, side, last)
    if kind not in TRIGGERED_KINDS or kind not in LIMIT_KINDS:
        return first, None
    return first, PriceText.read(params.text("price2") or "", "price2").resolve(listing, side, first)


def _time_in_force(context: Context, params: Params) -> tuple[TimeInForce, int | None]:
    expires_at_ns = _expiry(context, params)
    name = (params.text("timeinforce") or ("GTD" if expires_at_ns is not None else "GTC")).upper()
    if name == "GTC" and expires_at_ns is not None:
        name = "GTD"
    if name not in TimeInForce.__members__:
        raise invalid_argument("timeinforce")
    if (name == "GTD") != (expires_at_ns is not None):
        raise invalid_argument("expiretm")
    return TimeInForce[name], expires_at_ns


def _expiry(context: Context, params: Params) -> int | None:
    """``expiretm``: 0 for never, Unix seconds, or ``+n`` seconds from now; 5 seconds to a month ahead."""
    text = params.text("expiretm") or "0"
    relative = text.startswith("+")
    amount = plain_decimal(text.removeprefix("+"))
    if amount is None:
        raise invalid_argument("expiretm")
    if amount == 0:
        return None
    nanoseconds = int(amount * NANOSECONDS_PER_SECOND)
    expires_at_ns = context.call.received_ns + nanoseconds if relative else nanoseconds
    ahead = (expires_at_ns - context.call.received_ns) / NANOSECONDS_PER_SECOND
    if not EXPIRY_SECONDS[0] <= ahead <= EXPIRY_SECONDS[1]:
        raise invalid_argument("expiretm")
    return expires_at_ns


def _references(params: Params) -> tuple[str | None, int | None]:
    """``cl_ord_id`` and ``userref`` exclude each other (a userref of 0 counts as none)."""
    client_order_id = params.text("cl_ord_id")
    user_reference = _user_reference(params)
    if client_order_id is None:
        return None, user_reference
    if user_reference or not _is_client_id(client_order_id):
        raise invalid_argument("cl_ord_id")
    return client_order_id, None


def _is_client_id(text: str) -> bool:
    return any(shape.fullmatch(text) for shape in (UUID_SHAPE, SHORT_UUID, FREE_TEXT))


def _user_reference(params: Params) -> int | None:
    text = params.text("userref")
    if text is None:
        return None
    reference = whole_number(text)
    if reference is None or not -INT32 <= reference < INT32:
        raise invalid_argument("userref")
    return reference


def whole_number(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None
