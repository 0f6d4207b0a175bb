"""What happened to an account: fills, and money that came or went without one (deposits, withdrawals, fees).

A fill names its order but not the client's id for it, and it has no fee: fees are activities of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from paper_exchange.alpaca.account import account_uuid
from paper_exchange.alpaca.numbers import text
from paper_exchange.alpaca.query import Query
from paper_exchange.alpaca.replies import BAD_PARAMETER, ApiError, json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.assets import STOCKS
from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.http import Reply
from paper_exchange.orders import ZERO, LedgerEntry, LedgerKind, OrderStatus, Trade
from paper_exchange.trading_calendar import new_york_date

FILL = "FILL"
GROUPS = {"TRANS": ("CSD", "CSW")}
CASH_KINDS = {
    LedgerKind.DEPOSIT: "CSD",
    LedgerKind.WITHDRAWAL: "CSW",
    LedgerKind.TRANSFER: "JNLC",
    LedgerKind.DIVIDEND: "DIV",
    LedgerKind.ADJUSTMENT: "MISC",
}
KINDS = frozenset({*CASH_KINDS, LedgerKind.FEE})
"""Kinds of what moves here without a trade."""
MOST_ACTIVITIES = 100
MICROSECOND_NS = 1000
DESCRIBED = frozenset({LedgerKind.FEE, LedgerKind.DIVIDEND})


@dataclass(frozen=True, slots=True)
class Activity:
    """``number`` orders those of one moment; ``unique`` is an id that no other record has."""

    kind: str
    time_ns: int
    number: int
    unique: str
    record: Trade | LedgerEntry

    @property
    def activity_id(self) -> str:
        """``20260105143000123::`` and a UUID."""
        seconds, rest = divmod(self.time_ns, NANOSECONDS_PER_SECOND)
        return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y%m%d%H%M%S}{rest // 1_000_000:03d}::{self.unique}"

    @property
    def place(self) -> tuple[int, bool, int]:
        return self.time_ns, self.kind != FILL, self.number


def list_activities(request: Request) -> Reply:
    """Newest first unless asked otherwise; ``page_token`` is the id of the last one of the page before."""
    query = request.query
    wanted = _activity_filter(query, _kinds(request))
    chosen = [activity for activity in _all(request) if request.is_visible(activity.time_ns) and wanted(activity)]
    chosen.sort(key=lambda activity: activity.place, reverse=query.choice("direction", ("desc", "asc")) == "desc")
    start = _after_token(chosen, query.text("page_token"))
    page = chosen[start : start + query.whole("page_size", MOST_ACTIVITIES, maximum=MOST_ACTIVITIES)]
    return json_reply([_render(request, activity) for activity in page])


def _kinds(request: Request) -> frozenset[str]:
    """The kinds asked for, none for all."""
    one = request.parameters.get("activity_type")
    named = [one] if one is not None else request.query.texts("activity_types")
    return frozenset(kind for name in named for kind in GROUPS.get(name.upper(), (name.upper(),)))


def _activity_filter(query: Query, kinds: frozenset[str]) -> Callable[[Activity], bool]:
    after_ns, until_ns = query.time_ns("after"), query.time_ns("until")
    day, category = query.text("date"), query.text("category")

    def wanted(activity: Activity) -> bool:
        micros = activity.time_ns // MICROSECOND_NS
        return (
            (not kinds or activity.kind in kinds)
            and (after_ns is None or micros > after_ns // MICROSECOND_NS)
            and (until_ns is None or micros < until_ns // MICROSECOND_NS)
            and (not day or new_york_date(activity.time_ns).isoformat() == day[:10])
            and category in ("", "trade_activity" if activity.kind == FILL else "non_trade_activity")
        )

    return wanted


def _all(request: Request) -> Iterator[Activity]:
    engine, account_id = request.exchange.engine, request.account_id
    for trade in engine.trades(account_id):
        yield Activity(FILL, trade.time_ns, trade.trade_number, trade.trade_id, trade)
    for number, entry in enumerate(engine.ledger(account_id)):
        if entry.kind is not LedgerKind.TRADE:
            yield Activity(_kind_of(entry), entry.time_ns, number, entry.ledger_id, entry)


def _kind_of(entry: LedgerEntry) -> str:
    """Shares that come or go without money are journaled (JNLS), or of a split."""
    if entry.asset in STOCKS:
        return "SPLIT" if entry.kind is LedgerKind.ADJUSTMENT else "JNLS"
    return CASH_KINDS.get(entry.kind, "FEE")


def _after_token(chosen: list[Activity], token: str) -> int:
    if not token:
        return 0
    unique = token.rpartition("::")[2]
    for position, activity in enumerate(chosen):
        if activity.unique == unique and activity.activity_id == token:
            return position + 1
    raise ApiError(BAD_PARAMETER, "page_token is not the id of one of these activities")


def _render(request: Request, activity: Activity) -> dict[str, object]:
    head: dict[str, object] = {"id": activity.activity_id, "account_id": account_uuid(request.account)}
    if isinstance(activity.record, Trade):
        return {**head, "activity_type": FILL, **_fill(request, activity.record)}
    return {**head, "activity_type": activity.kind, **_movement(activity.record)}


def _fill(request: Request, trade: Trade) -> dict[str, object]:
    engine = request.exchange.engine
    order = engine.order(trade.order_id)
    until = order.trades[: order.trades.index(trade.trade_id) + 1]
    done = sum((engine.trade(trade_id).quantity for trade_id in until), ZERO)
    is_last = len(until) == len(order.trades) and order.status is OrderStatus.FILLED
    # An order in dollars has no quantity of its own: what it buys in the end is what it was for.
    whole = order.quantity if order.quantity is not None else order.filled_quantity
    return {
        "transaction_time": rfc3339(trade.time_ns),
        "type": "fill" if is_last else "partial_fill",
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "side": trade.side.value,
        "symbol": trade.symbol.partition("/")[0],
        "leaves_qty": text(whole - done),
        "order_id": trade.order_id,
        "cum_qty": text(done),
        "order_status": "filled" if is_last else "partially_filled",
    }


def _movement(entry: LedgerEntry) -> dict[str, object]:
    row: dict[str, object] = {
        "date": new_york_date(entry.time_ns).isoformat(),
        "created_at": rfc3339(entry.time_ns),
        "net_amount": text(entry.amount - entry.fee) if entry.asset not in STOCKS else "0",
        "description": entry.reference_id if entry.kind in DESCRIBED else "",
        "status": "executed",
    }
    if entry.asset in STOCKS:
        row |= {"symbol": entry.asset, "qty": text(entry.amount)}
    return row
