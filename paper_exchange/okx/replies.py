"""Answers in OKX's envelope: ``{"code", "msg", "data"}``, all values text; refusals carry what the journal says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from paper_exchange.http import Reply

OK = "0"
FAILED, PARTLY_FAILED = "1", "2"
"""Of an order endpoint: every order, or some of a batch, failed; ``sCode`` of each says why."""
STATUS_OF_CODE = {
    "404": 404,
    "50000": 400,
    "50001": 503,
    "50002": 400,
    "50004": 400,
    "50005": 410,
    "50006": 400,
    "50011": 429,
    "50013": 429,
    "50014": 400,
    "50015": 400,
    "50016": 400,
    "50024": 400,
    "50025": 400,
    "50026": 500,
    "50115": 405,
    "51000": 400,
    **{str(code): 401 for code in range(50100, 50115)},
}
"""HTTP status by code; every other code comes with 200."""
MESSAGES = {
    "50001": "Service temporarily unavailable. Try again later.",
    "50004": "API endpoint request timeout (does not mean that the request was successful or failed, "
    "please check the request result).",
    "50011": "Too Many Requests",
    "50013": "Systems are busy. Please try again later.",
    "50026": "System error. Try again later.",
    "50036": "The expTime can't be earlier than the current system time. Please adjust the expTime and try again.",
    "50037": "Order expired.",
    "50061": "The maximum account rate limit has been reached.",
    "50101": "APIKey does not match current environment.",
    "50102": "Timestamp request expired",
    "50103": 'Request header "OK-ACCESS-KEY" can not be empty.',
    "50104": 'Request header "OK-ACCESS-PASSPHRASE" can not be empty.',
    "50105": 'Request header "OK-ACCESS-PASSPHRASE" incorrect.',
    "50106": 'Request header "OK-ACCESS-SIGN" can not be empty.',
    "50107": 'Request header "OK-ACCESS-TIMESTAMP" can not be empty.',
    "50111": "Invalid OK-ACCESS-KEY",
    "50112": "Invalid OK-ACCESS-TIMESTAMP",
    "50113": "Invalid Sign",
    "50119": "API key doesn't exist",
    "50120": "This API key doesn't have permission to use this function",
    "51001": "Instrument ID, Instrument ID code, or Spread ID doesn't exist.",
    "51008": "Order failed. Insufficient balance in account",
    "51016": "Client order ID already exists.",
    "51020": "Your order should meet or exceed the minimum order amount.",
    "51022": "Contract suspended.",
    "51121": "Order quantity must be a multiple of the lot size.",
    "51400": "Cancellation failed as the order has been filled, canceled or does not exist.",
    "51412": "Cancellation timed out.",
    "51603": "Order does not exist.",
}
ABOUT_AN_ORDER = frozenset({"50036", "51001", "51603"})
"""Codes like those of an order that stand in the envelope itself."""


class ApiError(Exception):
    """A request that OKX turns down as a whole: ``code`` stands in the envelope, without data."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.message = MESSAGES.get(code, "") if message is None else message
        super().__init__(f"{code}: {self.message}")


class OrderRefused(Exception):
    """One order that is turned down: ``code`` and ``message`` go into its ``sCode`` and ``sMsg``."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.message = MESSAGES.get(code, "") if message is None else message
        super().__init__(f"{code}: {self.message}")


def missing(name: str) -> ApiError:
    return ApiError("50014", f"Parameter {name} can not be empty.")


def wrong(name: str) -> ApiError:
    return ApiError("51000", f"Parameter {name} error")


def json_reply(body: Mapping[str, object], *, status: int = 200, error: str | None = None) -> Reply:
    return Reply(json.dumps(body, separators=(",", ":")).encode(), status=status, error=error)


def data_reply(rows: Sequence[object]) -> Reply:
    return json_reply({"code": OK, "msg": "", "data": rows})


def error_reply(code: str, message: str) -> Reply:
    """The whole request is turned down."""
    body = {"code": code, "msg": message, "data": []}
    return json_reply(body, status=STATUS_OF_CODE.get(code, 200), error=f"{code}: {message}")


def told_error(text: str) -> Reply:
    """``51008``, ``51008: words`` or ``50011 words``: where the venue would put that code."""
    code, _, words = text.replace(":", " ", 1).strip().partition(" ")
    message = words.strip() or MESSAGES.get(code, code)
    if (code.startswith("51") and code != "51000" and code not in ABOUT_AN_ORDER) or code == "50037":
        row = {"clOrdId": "", "ordId": "", "tag": "", "ts": "", "sCode": code, "sMsg": message, "subCode": ""}
        return json_reply({"code": FAILED, "msg": "", "data": [row]}, error=f"{code}: {message}")
    return error_reply(code, message)
