"""A request over the WebSocket API: ``{"id", "method", "params"}``, signed over its parameters in order of name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from paper_exchange.binance.errors import BAD_VALUE, BinanceError
from paper_exchange.binance.parameters import Parameters


@dataclass(frozen=True, slots=True)
class SocketRequest:
    """``request_id`` is given back in the answer, whatever it is: text, a number or null."""

    request_id: object
    method: str
    params: dict[str, str]

    @property
    def parameters(self) -> Parameters:
        """As if they had come in a query: in order of name, the signature apart."""
        return Parameters(urlencode(sorted(self.params.items())).encode(), b"")

    @property
    def api_key(self) -> str:
        return self.params.get("apiKey", "")


def read_request(text: bytes) -> SocketRequest:
    """Raises BinanceError for what is no request."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise BinanceError(BAD_VALUE, "Malformed JSON.") from None
    if not isinstance(content, dict) or not isinstance(content.get("method"), str):
        raise BinanceError(BAD_VALUE, "Malformed request: a method is missing.")
    params = content.get("params") or {}
    if not isinstance(params, dict):
        raise BinanceError(BAD_VALUE, "Malformed request: params is not an object.")
    return SocketRequest(content.get("id"), content["method"], {name: _text(value) for name, value in params.items()})


def _text(value: Any) -> str:
    """As it stands in the text that is signed."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
