"""Orders over the socket: the same requests as over REST, in another envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from paper_exchange.api_keys import Account
from paper_exchange.http import Call, check_write_ahead

if TYPE_CHECKING:
    from paper_exchange.exchange import Exchange
    from paper_exchange.okx.front import OkxFront

Fields = Mapping[str, object]
TRADES = {
    "order": "trade/order",
    "batch-orders": "trade/batch-orders",
    "cancel-order": "trade/cancel-order",
    "batch-cancel-orders": "trade/cancel-batch-orders",
    "amend-order": "trade/amend-order",
    "batch-amend-orders": "trade/amend-batch-orders",
}
"""Operations, and the endpoints that do the same."""


def rest_call(call: Call, account: Account, request: Fields) -> Call:
    """The request as if it had come over REST; ``expTime`` stands beside the orders here."""
    operation = str(request.get("op"))
    arguments = request.get("args")
    rows = arguments if isinstance(arguments, list) else []
    single = not operation.startswith("batch-")
    content = (rows[0] if rows else {}) if single else rows
    headers = {"exptime": str(request["expTime"])} if request.get("expTime") else {}
    made = Call(
        call.brokerage, "POST", "", b"", headers, json.dumps(content).encode(), call.received_ns,
        endpoint=TRADES[operation], account=account,
    )  # fmt: skip
    made.fault, made.symbol = call.fault, call.symbol
    return made


def judge(exchange: Exchange, front: OkxFront, call: Call, account: Account, request: Fields) -> None:
    """Say once of each order, as soon as it is here, whether its sender had written it down."""
    if "judged" in call.data:
        return
    call.data["judged"] = True
    made = rest_call(call, account, request)
    check_write_ahead(exchange, call, lambda: front.placements(made))


def trade(front: OkxFront, call: Call, account: Account, request: Fields, now_ns: int) -> dict[str, object]:
    """Carry the orders out; the answer is REST's, with the request's id and operation."""
    made = rest_call(call, account, request)
    reply = front.carry_out(made, now_ns)
    call.order_id = made.order_id
    if reply.error is not None:
        call.data["error"] = reply.error
    body: dict[str, object] = json.loads(reply.body)
    if body["data"]:
        body["msg"] = ""  # Of orders the socket says only in their rows what went wrong.
    microseconds = str(now_ns // 1000)
    return {
        "id": str(request.get("id") or ""), "op": request.get("op"),
        "inTime": microseconds, "outTime": microseconds, **body,
    }  # fmt: skip
