"""Which method and path is which endpoint, who may call it, what it weighs, and what a handler is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from paper_exchange.binance.parameters import SIGNED_NAMES, Parameters
from paper_exchange.http import Call, Reply

if TYPE_CHECKING:
    from paper_exchange.api_keys import Account
    from paper_exchange.binance.client_orders import ClientOrders
    from paper_exchange.binance.day_tickers import DayTickers
    from paper_exchange.binance.limits import Limits
    from paper_exchange.binance.symbols import Symbols
    from paper_exchange.exchange import Exchange

API_PREFIX = "/api/v3/"
WALLET_PREFIX = "/sapi/v1/"


class Right(StrEnum):
    """What a key may be allowed, under the names of its settings at the venue."""

    READ = "enableReading"
    TRADE = "enableSpotAndMarginTrading"
    WITHDRAW = "enableWithdrawals"
    INTERNAL_TRANSFER = "enableInternalTransfer"
    UNIVERSAL_TRANSFER = "permitsUniversalTransfer"


@dataclass(frozen=True, slots=True)
class Shared:
    """What all requests of the front have in common."""

    exchange: Exchange
    symbols: Symbols
    limits: Limits
    client_orders: ClientOrders
    day_tickers: DayTickers
    cancel_ids: dict[str, str] = field(default_factory=dict)
    """The client ids of cancels, by the id of the order that each has ended: streams tell both."""


@dataclass(frozen=True, slots=True)
class Request:
    """An admitted call at exchange time ``now_ns``."""

    shared: Shared
    call: Call
    parameters: Parameters
    now_ns: int

    @property
    def exchange(self) -> Exchange:
        return self.shared.exchange

    @property
    def symbols(self) -> Symbols:
        return self.shared.symbols

    @property
    def account(self) -> Account:
        assert self.call.account is not None, "a signed endpoint was reached without a key"
        return self.call.account

    def is_visible(self, time_ns: int) -> bool:
        """Whether a look-up shows what happened then: a lag keeps the youngest out of sight."""
        lag_ns = self.call.lookup_lag_ns
        return not lag_ns or time_ns <= self.now_ns - lag_ns


Handler = Callable[[Request], Reply]
Weight = int | Callable[[Parameters], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``name`` is what journal and faults call it. ``right`` None: anyone may call it, without a signature.

    ``readable`` are the parameters it knows, None: it minds none. With ``to_engine`` the request's time is looked at
    again right before it is carried out.
    """

    method: str
    path: str
    name: str
    handler: Handler
    weight: Weight
    readable: frozenset[str] | None
    right: Right | None = None
    to_engine: bool = False

    @property
    def names(self) -> frozenset[str] | None:
        """All parameters that a request may hold."""
        return self.readable if self.readable is None or self.right is None else self.readable | SIGNED_NAMES

    def weight_of(self, parameters: Parameters) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(parameters)


class RouteTable:
    """Endpoints by method and path."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._endpoints: Mapping[tuple[str, str], Endpoint] = {(each.method, each.path): each for each in endpoints}

    def find(self, method: str, path: str) -> Endpoint | None:
        return self._endpoints.get((method, path))
