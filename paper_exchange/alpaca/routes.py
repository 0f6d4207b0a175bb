"""Which path is which endpoint, who may call it, and what a handler is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote

from paper_exchange.alpaca.query import Query
from paper_exchange.alpaca.replies import BAD_PARAMETER, ApiError
from paper_exchange.http import Call, Reply
from paper_exchange.path_template import variable_parts

if TYPE_CHECKING:
    from paper_exchange.alpaca.context import Venue
    from paper_exchange.api_keys import Account
    from paper_exchange.catalogue import Catalogue
    from paper_exchange.exchange import Exchange

PREFIX = "/v2/"


class Scope(StrEnum):
    """What a key must be allowed to do. DATA is market data, which has a rate limit of its own."""

    VIEW = "view"
    TRADE = "trade"
    DATA = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An admitted call, with the variable parts of its path."""

    venue: Venue
    call: Call
    parameters: Mapping[str, str]
    now_ns: int

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    @property
    def listings(self) -> Catalogue:
        return self.venue.listings

    @property
    def query(self) -> Query:
        return Query(self.call.query)

    @property
    def account(self) -> Account:
        assert self.call.account is not None, "an endpoint was reached without a key"
        return self.call.account

    @property
    def account_id(self) -> str:
        return self.account.account_id

    @property
    def body(self) -> dict[str, object]:
        body = json_object(self.call.body)
        if body is None:
            raise ApiError(BAD_PARAMETER, "request body format is invalid")
        return body

    def is_visible(self, time_ns: int) -> bool:
        """Whether a look-up shows what happened then; a fault can keep the youngest out of sight."""
        return not self.call.lookup_lag_ns or time_ns <= self.now_ns - self.call.lookup_lag_ns


Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``path`` is below ``/v2/``, its variable parts in braces; ``name`` is what journal and faults call it."""

    method: str
    path: str
    scope: Scope
    handler: Handler
    given_name: str = ""

    @property
    def name(self) -> str:
        return self.given_name or self.path

    def match(self, method: str, parts: list[str]) -> dict[str, str] | None:
        """The variable parts of a path, or None if this is not the endpoint."""
        return variable_parts(self.path, parts) if method == self.method else None


@dataclass(frozen=True, slots=True)
class Route:
    endpoint: Endpoint
    parameters: Mapping[str, str]


class RouteTable:
    """Endpoints in order of preference: a fixed path stands before one with variable parts."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._endpoints = endpoints

    def find(self, method: str, path: str) -> Route | None:
        if not path.startswith(PREFIX):
            return None
        # Unescaped part by part, since the colon of orders:by_client_order_id may come escaped.
        parts = [unquote(part) for part in path.removeprefix(PREFIX).split("/")]
        for endpoint in self._endpoints:
            parameters = endpoint.match(method, parts)
            if parameters is not None:
                return Route(endpoint, parameters)
        return None


def json_object(body: bytes) -> dict[str, object] | None:
    """The body as a JSON object, None if it isn't one; numbers come exactly as they were written."""
    try:
        content = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
