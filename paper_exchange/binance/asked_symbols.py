"""Which symbols a request asks about: one, some, or all; in whatever status or in a certain one."""

from __future__ import annotations

import json

from paper_exchange.binance.errors import BAD_COMBINATION, OTHER_STATUS, BinanceError, missing, not_valid
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.routes import Request
from paper_exchange.binance.symbols import STATUSES, status_of
from paper_exchange.catalogue import Listing


def asked_symbols(request: Request, *, all_listed: bool = False) -> list[Listing]:
    """The symbols a request names, one or several, or all."""
    parameters, symbols = request.parameters, request.symbols
    name, names = parameters.symbol(), listed_names(parameters)
    if name is not None and names is not None:
        raise BinanceError(BAD_COMBINATION)
    if name is not None:
        names = [name]
    if names is not None:
        return _in_status(parameters, [symbols.listing(each) for each in names], named=True)
    return _in_status(parameters, list(symbols.listings) if all_listed else symbols.listings.trading(), named=False)


def traded_symbol(request: Request) -> Listing:
    """The one symbol that a request must name, and that has a market. Raises BinanceError."""
    name = request.parameters.symbol()
    if name is None:
        raise missing("symbol")
    _in_status(request.parameters, [request.symbols.listing(name)], named=True)
    return request.symbols.traded(name)


def listed_names(parameters: Parameters) -> list[str] | None:
    """The parameter ``symbols``: a JSON array of names."""
    given = parameters.text("symbols")
    if given is None:
        return None
    try:
        names = json.loads(given)
    except ValueError:
        raise not_valid("symbols") from None
    if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
        raise not_valid("symbols")
    return names


def _in_status(parameters: Parameters, listings: list[Listing], *, named: bool) -> list[Listing]:
    """Of a list those in the status that is asked for; symbols asked for by name must all be in it."""
    wanted = parameters.text("symbolStatus")
    if wanted not in (None, *STATUSES):
        raise not_valid("symbolStatus")
    chosen = [listing for listing in listings if wanted in (None, status_of(listing))]
    if named and len(chosen) < len(listings):
        raise BinanceError(OTHER_STATUS)
    return chosen
