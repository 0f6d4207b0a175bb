"""How a request finds its endpoint, and what a handler is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paper_exchange.api_keys import Account
from paper_exchange.catalogue import Catalogue, Listing, UnknownSymbol
from paper_exchange.http import Call, Reply
from paper_exchange.okx.instruments import symbol_of
from paper_exchange.okx.limits import Limit
from paper_exchange.okx.query import Query
from paper_exchange.okx.replies import ApiError

if TYPE_CHECKING:
    from paper_exchange.day_figures import DayFigures
    from paper_exchange.exchange import Exchange
    from paper_exchange.okx.account_levels import AccountLevels
    from paper_exchange.okx.client_ids import ClientIds

PREFIX = "/api/v5/"
Fields = Mapping[str, object]


class Scope(StrEnum):
    """What a key must be allowed to do. PUBLIC needs no key at all."""

    PUBLIC = "public"
    READ = "read_only"
    TRADE = "trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An admitted call, with what this front shows of the market and knows of accounts."""

    exchange: Exchange
    listings: Catalogue
    day_figures: DayFigures
    instrument_codes: Mapping[str, str]
    levels: AccountLevels
    client_ids: ClientIds
    call: Call
    now_ns: int

    @property
    def query(self) -> Query:
        return Query(self.call.query)

    @property
    def account(self) -> Account:
        assert self.call.account is not None, "a private endpoint was reached without a key"
        return self.call.account

    @property
    def account_id(self) -> str:
        return self.account.account_id

    def is_visible(self, time_ns: int) -> bool:
        """Whether a look-up shows what came at ``time_ns``: a fault keeps the youngest out of sight."""
        lag_ns = self.call.lookup_lag_ns
        return not lag_ns or time_ns <= self.now_ns - lag_ns

    @property
    def fields(self) -> Fields:
        """The body as one object. Raises ApiError."""
        body = json_body(self.call.body)
        if not isinstance(body, dict):
            raise ApiError("50002", "JSON syntax error")
        return body

    @property
    def rows(self) -> list[Fields]:
        """The body as a list of objects; a single object counts as a list of one. Raises ApiError."""
        rows = bodies(self.call.body)
        if rows is None:
            raise ApiError("50002", "JSON syntax error")
        if not rows:
            raise ApiError("50000", "Body for POST request cannot be empty.")
        return rows

    def with_instrument(self, fields: Fields) -> Fields:
        """An order's fields, its instrument named by its id also where the client named it by ``instIdCode``."""
        code = str(fields.get("instIdCode") or "")
        if fields.get("instId") or not code:
            return fields
        return {**fields, "instId": self.instrument_codes.get(code, f"code {code}")}

    def listing(self, inst_id: str) -> Listing:
        """Raises ApiError for an instrument that OKX doesn't have."""
        try:
            return self.listings.listing(symbol_of(inst_id))
        except UnknownSymbol:
            raise ApiError("51001") from None


Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``name`` is the path below the prefix, which is what journal and faults call it."""

    method: str
    name: str
    scope: Scope
    handler: Handler
    limit: Limit | None = None
    places: bool = False
    """Whether it places or amends orders, which is counted for the whole account too."""


class RouteTable:
    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._endpoints = {(endpoint.method, endpoint.name): endpoint for endpoint in endpoints}

    def find(self, method: str, path: str) -> Endpoint | None:
        if not path.startswith(PREFIX):
            return None
        return self._endpoints.get((method, path.removeprefix(PREFIX)))


def json_body(body: bytes) -> object:
    """The body, its numbers as the text they were written in; None if it isn't JSON."""
    try:
        return json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None


def bodies(body: bytes) -> list[Fields] | None:
    """The objects of a body, which is one or a list of them; None for anything else."""
    content = json_body(body)
    rows = content if isinstance(content, list) else [content]
    objects: list[Fields] = [row for row in rows if isinstance(row, dict)]
    return objects if len(objects) == len(rows) else None
