"""Parameters of a request, from its query and its form body, and the checks that all endpoints share."""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import parse_qsl

from paper_exchange.binance.amounts import DECIMALS, NANOSECONDS_PER_MILLISECOND
from paper_exchange.binance.errors import (
    EMPTY_PARAMETER,
    FILTER_FAILURE,
    TOO_MANY_PARAMETERS,
    TOO_PRECISE,
    UNREAD_PARAMETERS,
    BinanceError,
    illegal_characters,
    missing,
    not_valid,
)

AMOUNT_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
WHOLE_RANGE = r"^[0-9]{1,20}$"
SYMBOL_RANGE = "^[A-Z0-9-_.]{1,20}$"
CLIENT_ID_RANGE = "^[a-zA-Z0-9-_]{1,36}$"
AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
WHOLE = re.compile(r"[0-9]{1,20}", re.ASCII)
SYMBOL = re.compile(r"[A-Z0-9\-_.]{1,20}", re.ASCII)
CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}", re.ASCII)
SIGNATURE = "signature"
SIGNED_NAMES = frozenset({"timestamp", "recvWindow", SIGNATURE})
"""What every signed request may carry beside its own parameters."""


class Parameters:
    """What was sent, by name; where query and body hold the same one, the query wins. Raises BinanceError."""

    def __init__(self, query: bytes, body: bytes) -> None:
        self._query, self._body = query, body
        in_query, in_body = _pairs(query), _pairs(body)
        self._twice = _repeated(in_query) or _repeated(in_body)
        self._values = dict(in_body) | dict(in_query)

    @property
    def signed_text(self) -> bytes:
        """What the signature is made of: query and body as they came, nothing between them, without the signature."""
        return _without_signature(self._query) + _without_signature(self._body)

    def check(self, readable: frozenset[str] | None) -> None:
        """Refuses parameters that are repeated, empty or none of ``readable`` (None: whatever comes is read)."""
        if self._twice is not None:
            raise BinanceError(TOO_MANY_PARAMETERS, f"Duplicate values for parameter '{self._twice}'.")
        for name, value in self._values.items():
            if not value:
                raise BinanceError(EMPTY_PARAMETER, f"Parameter '{name}' was empty.")
        if readable is None:
            return
        sent, read = len(self._values), len(self._values.keys() & readable)
        if sent > read and not readable:
            raise BinanceError(TOO_MANY_PARAMETERS, f"Too many parameters; expected '0' and received '{sent}'.")
        if sent > read:
            text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            raise BinanceError(UNREAD_PARAMETERS, text)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def symbol(self, name: str = "symbol") -> str | None:
        """The wire's symbol, of legal characters; whether it exists is for the caller to find out."""
        value = self.text(name)
        if value is not None and not SYMBOL.fullmatch(value):
            raise illegal_characters(name, SYMBOL_RANGE)
        return value

    def client_id(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not CLIENT_ID.fullmatch(value):
            raise illegal_characters(name, CLIENT_ID_RANGE)
        return value

    def amount(self, name: str, decimals: int = DECIMALS) -> Decimal | None:
        """A number above zero with at most ``decimals`` decimals; None when it was not sent."""
        value = self.text(name)
        if value is None:
            return None
        if not AMOUNT.fullmatch(value):
            raise illegal_characters(name, AMOUNT_RANGE)
        if len(value.partition(".")[2]) > decimals:
            raise BinanceError(TOO_PRECISE, f"Parameter '{name}' has too much precision.")
        amount = Decimal(value)
        if not amount:
            raise BinanceError(FILTER_FAILURE, f"Invalid {name}.")
        return amount

    def readable_amount(self, name: str) -> Decimal | None:
        """For the journal: the amount if it can be read, and no complaint if not."""
        value = self.text(name)
        return Decimal(value) if value is not None and AMOUNT.fullmatch(value) else None

    def whole(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not WHOLE.fullmatch(value):
            raise illegal_characters(name, WHOLE_RANGE)
        return int(value)

    def limit(self, default: int, maximum: int) -> int:
        """How many rows; more than ``maximum`` means the maximum."""
        wanted = self.whole("limit")
        if wanted == 0:
            raise not_valid("limit")
        return min(wanted or default, maximum)

    def time_ns(self, name: str) -> int | None:
        """A time given in milliseconds, as nanoseconds."""
        value = self.whole(name)
        if value is None:
            return None
        if value > 10**14:
            raise not_valid(name)
        return value * NANOSECONDS_PER_MILLISECOND

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise not_valid(name)
        return value.lower() == "true"


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []


def _repeated(pairs: list[tuple[str, str]]) -> str | None:
    names = [name for name, _ in pairs]
    return next((name for name in names if names.count(name) > 1), None)


def _without_signature(text: bytes) -> bytes:
    return b"&".join(part for part in text.split(b"&") if not part.startswith(b"signature="))
