"""What goes over OKX's sockets beside orders: answers to login and subscriptions, and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

Fields = Mapping[str, object]
ERRORS = {
    "60004": "Invalid timestamp",
    "60005": "Invalid apiKey",
    "60006": "Timestamp request expired",
    "60007": "Invalid sign",
    "60009": "Login failed.",
    "60011": "Please log in",
    "60012": "Invalid request",
    "60018": "Wrong URL or channel or instType, instId doesn't exist.",
    "60024": "Wrong passphrase",
    "60032": "API key doesn't exist.",
}


class SocketRefused(Exception):
    """A request that OKX turns down, by its code."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.message = ERRORS.get(code, "") if message is None else message
        super().__init__(f"{code}: {self.message}")


def encoded(message: Fields) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def connection_id(number: int) -> str:
    """Eight hex digits, as OKX names its connections."""
    return sha256(f"okx connection {number}".encode()).hexdigest()[:8]


def event(name: str, number: int, **fields: object) -> bytes:
    return encoded({"event": name, **fields, "connId": connection_id(number)})


def error(problem: SocketRefused, number: int, **fields: object) -> bytes:
    return event("error", number, **fields, code=problem.code, msg=problem.message)
