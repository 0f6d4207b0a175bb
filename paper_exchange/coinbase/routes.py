"""Which path is which endpoint, who may call it, and what a handler is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote

from paper_exchange.coinbase.query import Query
from paper_exchange.coinbase.replies import ApiError
from paper_exchange.http import Call, Reply
from paper_exchange.path_template import variable_parts

if TYPE_CHECKING:
    from paper_exchange.api_keys import Account
    from paper_exchange.catalogue import Catalogue
    from paper_exchange.day_figures import DayFigures
    from paper_exchange.exchange import Exchange

BROKERAGE_PREFIX = "/api/v3/brokerage/"
OLD_API_PREFIX = "/v2/"


class Scope(StrEnum):
    """What a key must be allowed to do. PUBLIC needs no token at all."""

    PUBLIC = "public"
    VIEW = "view"
    TRADE = "trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An admitted call, with the variable parts of its path, and what this front shows of the market."""

    exchange: Exchange
    listings: Catalogue
    day_figures: DayFigures
    call: Call
    parameters: Mapping[str, str]
    now_ns: int

    @property
    def query(self) -> Query:
        return Query(self.call.query)

    @property
    def account(self) -> Account:
        assert self.call.account is not None, "a private endpoint was reached without a token"
        return self.call.account

    @property
    def body(self) -> dict[str, object]:
        body = json_object(self.call.body)
        if body is None:
            raise ApiError("INVALID_ARGUMENT", "the body is not a JSON object")
        return body


Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``name`` is the path below the prefix, its variable parts in braces: what journal and faults call it."""

    method: str
    name: str
    scope: Scope
    handler: Handler
    prefix: str = BROKERAGE_PREFIX

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The variable parts of ``path``, or None if this is not the endpoint."""
        if method != self.method or not path.startswith(self.prefix):
            return None
        found = variable_parts(self.name, path.removeprefix(self.prefix).split("/"))
        return None if found is None else {name: unquote(part) for name, part in found.items()}


@dataclass(frozen=True, slots=True)
class Route:
    endpoint: Endpoint
    parameters: Mapping[str, str]


class RouteTable:
    """Endpoints in order of preference: a fixed path stands before one with variable parts."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._endpoints = endpoints

    def find(self, method: str, path: str) -> Route | None:
        for endpoint in self._endpoints:
            parameters = endpoint.match(method, path)
            if parameters is not None:
                return Route(endpoint, parameters)
        return None


def json_object(body: bytes) -> dict[str, object] | None:
    """The body as a JSON object; None if it isn't one."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
