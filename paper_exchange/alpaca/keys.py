"""Keys in the form in which Alpaca issues them for paper accounts, and how a request carries them."""

from __future__ import annotations

import base64
import binascii
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass

from paper_exchange.brokerage import KeyPair

ID_LETTERS = string.ascii_uppercase + string.digits
SECRET_LETTERS = string.ascii_letters + string.digits
KEY_ID_HEADER, SECRET_HEADER = "apca-api-key-id", "apca-api-secret-key"


def new_key_pair() -> KeyPair:
    """``PK`` and 18 letters, and a secret of 40; both sides know the secret."""
    key_id = "PK" + "".join(secrets.choice(ID_LETTERS) for _ in range(18))
    return KeyPair(key_id, "".join(secrets.choice(SECRET_LETTERS) for _ in range(40)))


@dataclass(frozen=True, slots=True)
class Credentials:
    key_id: str
    secret: str


def credentials_of(headers: Mapping[str, str]) -> Credentials:
    """From Alpaca's own headers, or from HTTP's basic authorization; empty where there are none."""
    if KEY_ID_HEADER in headers:
        return Credentials(headers[KEY_ID_HEADER], headers.get(SECRET_HEADER, ""))
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return Credentials("", "")
    try:
        key_id, _, secret = base64.b64decode(encoded.strip()).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        return Credentials("", "")
    return Credentials(key_id, secret)
