"""Errors in Binance's envelope ``{"code": -1121, "msg": "Invalid symbol."}``, and the HTTP status of each code."""

from __future__ import annotations

import json

from paper_exchange.http import Reply

UNKNOWN, DISCONNECTED, TOO_MANY_REQUESTS, UNEXPECTED_RESPONSE, TIMEOUT = -1000, -1001, -1003, -1006, -1007
SERVER_BUSY, FILTER_FAILURE, TOO_MANY_ORDERS, SHUTTING_DOWN = -1008, -1013, -1015, -1016
BAD_TIMESTAMP, BAD_SIGNATURE = -1021, -1022
ILLEGAL_CHARACTERS, TOO_MANY_PARAMETERS, MISSING_PARAMETER = -1100, -1101, -1102
UNREAD_PARAMETERS, EMPTY_PARAMETER, NEEDLESS_PARAMETER, TOO_PRECISE = -1104, -1105, -1106, -1111
BAD_TIME_IN_FORCE, BAD_ORDER_TYPE, BAD_SIDE, BAD_INTERVAL, BAD_SYMBOL = -1115, -1116, -1117, -1120, -1121
BAD_SYMBOL_STATUS, TOO_LONG, BAD_COMBINATION, BAD_VALUE, BAD_RECV_WINDOW = -1122, -1127, -1128, -1130, -1131
NEW_ORDER_REJECTED, CANCEL_REJECTED, NO_SUCH_ORDER, BAD_KEY_FORMAT, REJECTED_KEY = -2010, -2011, -2013, -2014, -2015
ALREADY_SUBSCRIBED = -2035
PARTLY_REPLACED, NOT_REPLACED, ARCHIVED, OTHER_STATUS = -2021, -2022, -2026, -1220

STATUS_OF_CODE = {
    UNKNOWN: 500,
    DISCONNECTED: 500,
    TOO_MANY_REQUESTS: 429,
    UNEXPECTED_RESPONSE: 500,
    TIMEOUT: 504,
    SERVER_BUSY: 503,
    SHUTTING_DOWN: 503,
    TOO_MANY_ORDERS: 429,
    BAD_KEY_FORMAT: 401,
    REJECTED_KEY: 401,
    PARTLY_REPLACED: 409,
}
"""All others are 400."""
MESSAGES = {
    UNKNOWN: "An unknown error occurred while processing the request.",
    DISCONNECTED: "Internal error; unable to process your request. Please try again.",
    TOO_MANY_REQUESTS: "Too many requests queued.",
    UNEXPECTED_RESPONSE: "An unexpected response was received from the message bus. Execution status unknown.",
    TIMEOUT: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    SERVER_BUSY: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    TOO_MANY_ORDERS: "Too many new orders.",
    SHUTTING_DOWN: "This service is no longer available.",
    BAD_TIMESTAMP: "Timestamp for this request is outside of the recvWindow.",
    BAD_SIGNATURE: "Signature for this request is not valid.",
    BAD_TIME_IN_FORCE: "Invalid timeInForce.",
    BAD_ORDER_TYPE: "Invalid orderType.",
    BAD_SIDE: "Invalid side.",
    BAD_INTERVAL: "Invalid interval.",
    BAD_SYMBOL: "Invalid symbol.",
    BAD_SYMBOL_STATUS: "Invalid symbol status.",
    BAD_COMBINATION: "Combination of optional parameters invalid.",
    BAD_RECV_WINDOW: "recvWindow must be less than 60000.",
    NEW_ORDER_REJECTED: "Duplicate order sent.",
    CANCEL_REJECTED: "Unknown order sent.",
    NO_SUCH_ORDER: "Order does not exist.",
    BAD_KEY_FORMAT: "API-key format invalid.",
    REJECTED_KEY: "Invalid API-key, IP, or permissions for action.",
    ALREADY_SUBSCRIBED: "User Data Stream subscription already active.",
    OTHER_STATUS: "The symbol's status does not match the requested symbolStatus.",
    ARCHIVED: "Order was canceled or expired with no executed qty over 90 days ago and has been archived.",
}


class BinanceError(Exception):
    """A request that is turned down with ``code`` and ``message``; without a message, the one the code always has."""

    def __init__(self, code: int, message: str | None = None) -> None:
        self.code = code
        self.message = message if message is not None else MESSAGES.get(code, "Unknown error.")
        super().__init__(f"{code}: {self.message}")

    @property
    def body(self) -> dict[str, object]:
        return {"code": self.code, "msg": self.message}


def missing(name: str) -> BinanceError:
    return BinanceError(MISSING_PARAMETER, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal_characters(name: str, legal: str) -> BinanceError:
    return BinanceError(
        ILLEGAL_CHARACTERS, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def not_valid(name: str) -> BinanceError:
    return BinanceError(BAD_VALUE, f"Data sent for parameter '{name}' is not valid.")


def needless(name: str) -> BinanceError:
    return BinanceError(NEEDLESS_PARAMETER, f"Parameter '{name}' sent when not required.")


def filter_failure(name: str) -> BinanceError:
    return BinanceError(FILTER_FAILURE, f"Filter failure: {name}")


def json_reply(body: object, *, status: int = 200, error: str | None = None) -> Reply:
    return Reply(json.dumps(body, separators=(",", ":")).encode(), status=status, error=error)


def status_of(problem: BinanceError) -> int:
    """The HTTP status of an error, which a socket tells in its answer."""
    return STATUS_OF_CODE.get(problem.code, 400)


def error_reply(problem: BinanceError) -> Reply:
    return json_reply(problem.body, status=status_of(problem), error=str(problem))
