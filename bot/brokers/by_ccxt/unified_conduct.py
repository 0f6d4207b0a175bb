"""What an exchange does, by what ccxt says of it (`features`, `has`). What ccxt does not say is taken as "no"."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.brokers.by_ccxt.unified_exchange import SPOT, Exchange
from bot.brokers.capabilities import Capabilities, Deadline, FeeTaken, PrivateStream, RepeatedId
from bot.domain.order import OrderType

# Ours are letters and digits, 32 of them.
CLIENT_ID = "[A-Za-z0-9]{1,32}"
# What an account's variables can hold; the pass phrase's may hold a user id.
GIVEN = frozenset({"apiKey", "secret", "password", "uid"})
BOUNDED_BUY = "market; buys: limit IOC, at most 1 % above the ask"


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """One exchange's.

    `immediate`: it takes limit orders that end at once. `buys_by_cost`: its market buys are asked for by their cost,
    so that they are sent as bounded limit orders. `trades_by_market` and `open_by_market`: these lists are asked for
    market by market. `trades_page` and `open_page`: the most that one answer lists, None = not known.
    """

    immediate: bool
    buys_by_cost: bool
    trades_by_market: bool
    open_by_market: bool
    trades_page: int | None
    trades_window: timedelta | None
    open_page: int | None
    clock: bool
    order_by_number: bool
    # The methods that together list ended orders of every kind; () = there is none.
    ended_lists: tuple[str, ...]
    passphrase: bool
    # What it wants besides a key, a secret and a pass phrase (or user id), in ccxt's words.
    wanted: tuple[str, ...] = ()

    @property
    def hindrance(self) -> str:
        """Why nothing can be traded there by this adapter; empty = it can."""
        if self.wanted:
            return f"it is opened with {' and '.join(self.wanted)}, which can't be given here"
        if not self.order_by_number and not self.ended_lists:
            return "it shows no single order and no list of ended ones, so that no outcome could ever be known"
        if self.buys_by_cost and not self.immediate:
            return "it takes market buys by their cost only and has no limit orders that end at once"
        return ""

    def capabilities(self) -> Capabilities:
        """As the others state theirs; nothing is assumed of stops, rights and streams."""
        types = {OrderType.MARKET: BOUNDED_BUY if self.buys_by_cost else "market", OrderType.LIMIT_GTC: "limit"}
        if self.immediate:
            types[OrderType.LIMIT_IOC] = "limit, timeInForce IOC"
        return Capabilities(
            order_types=types,
            stop_orders=(),
            market_by_quote=False,
            repeated_id=RepeatedId.NEW_ORDER,
            client_id=CLIENT_ID,
            deadline=Deadline.NONE,
            fee=FeeTaken.TOLD,
            private_stream=PrivateStream.NONE,
            passphrase=self.passphrase,
            withdraw_right_told=False,
        )


def conduct_of(exchange: Exchange) -> Conduct:
    spot = _section(exchange.features, SPOT)
    orders, trades, opened = (_section(spot, name) for name in ("createOrder", "fetchMyTrades", "fetchOpenOrders"))
    days = trades.get("untilDays")
    return Conduct(
        immediate=bool(_section(orders, "timeInForce").get("IOC")),
        buys_by_cost=bool(orders.get("marketBuyRequiresPrice")),
        trades_by_market=bool(trades.get("symbolRequired", True)),
        open_by_market=bool(opened.get("symbolRequired", True)),
        trades_page=_whole(trades.get("limit")),
        trades_window=timedelta(days=days) if isinstance(days, int | float) and days > 0 else None,
        open_page=_whole(opened.get("limit")),
        clock=bool(exchange.has.get("fetchTime")),
        order_by_number=bool(exchange.has.get("fetchOrder")),
        ended_lists=_ended_lists(exchange.has),
        passphrase=bool(exchange.requiredCredentials.get("password") or exchange.requiredCredentials.get("uid")),
        wanted=tuple(name for name, needed in exchange.requiredCredentials.items() if needed and name not in GIVEN),
    )


def _ended_lists(has: Mapping[str, object]) -> tuple[str, ...]:
    for name, method in (
        ("fetchOrders", "fetch_orders"),
        ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
    ):
        if has.get(name):
            return (method,)
    both = (("fetchClosedOrders", "fetch_closed_orders"), ("fetchCanceledOrders", "fetch_canceled_orders"))
    return tuple(method for name, method in both if has.get(name))


def _section(fields: object, name: str) -> Mapping[str, object]:
    found = fields.get(name) if isinstance(fields, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value > 0 else None
