"""What a user does without the bot: an order of its own, resting far above the market. The bot must leave it alone."""

import base64
import hashlib
import hmac
import json
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from coinbase import jwt_generator

CALL_SECONDS = 30.0
FIRST_NONCE = "1"
"""Below all that the bot will use, and used before it starts."""


@dataclass(frozen=True)
class Keys:
    """An account's way in: the address of its brokerage, key and secret."""

    rest_url: str
    api_key: str
    api_secret: str


def rest_sale(brokerage: str, keys: Keys, symbol: str, quantity: Decimal, price: Decimal) -> str:
    """Place a limit sale that has no id of a client; returns the brokerage's order id."""
    place = {"kraken": _at_kraken, "coinbase": _at_coinbase}[brokerage]
    return place(keys, symbol, format(quantity, "f"), format(price, "f"))


def _at_kraken(keys: Keys, symbol: str, quantity: str, price: str) -> str:
    fields = {
        "nonce": FIRST_NONCE, "pair": symbol, "type": "sell", "ordertype": "limit", "volume": quantity, "price": price,
    }  # fmt: skip
    body, path = urlencode(fields).encode(), "/0/private/AddOrder"
    message = path.encode() + hashlib.sha256(FIRST_NONCE.encode() + body).digest()
    signature = base64.b64encode(hmac.new(base64.b64decode(keys.api_secret), message, "sha512").digest()).decode()
    headers = {
        "API-Key": keys.api_key, "API-Sign": signature, "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    answer = _post(keys.rest_url + path, body, headers)
    return str(answer["result"]["txid"][0])


def _at_coinbase(keys: Keys, symbol: str, quantity: str, price: str) -> str:
    path = "/api/v3/brokerage/orders"
    uri = f"POST {urlsplit(keys.rest_url).netloc}{path}"
    token = jwt_generator.build_rest_jwt(uri, keys.api_key, keys.api_secret)
    # Coinbase takes no order without an id: this one is the user's own.
    body = {
        "client_order_id": f"by-hand-{hashlib.sha256(keys.api_key.encode()).hexdigest()[:12]}",
        "product_id": symbol.replace("/", "-"), "side": "SELL",
        "order_configuration": {"limit_limit_gtc": {"base_size": quantity, "limit_price": price}},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = _post(keys.rest_url + path, json.dumps(body).encode(), headers)
    return str(answer["success_response"]["order_id"])


def _post(url: str, body: bytes, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=CALL_SECONDS) as reply:
        return json.loads(reply.read())
