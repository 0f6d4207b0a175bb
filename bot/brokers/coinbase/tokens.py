"""The tokens that sign requests to Coinbase, made by the venue's time.

The library would take this machine's clock: one minute ahead, and a request that hangs in the network stays good for a
minute longer than anybody waits for it; a little behind, and nothing is accepted at all.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from bot.seams.ids import IdSource

# The longest that Coinbase lets a token be good for; it takes no request whose token has run out.
TOKEN_SECONDS = 120.0
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class SecretCannotSign(Exception):
    """The API secret is no key; nothing was sent."""


def request_token(
    uri: str, *, key_name: str, secret: str | PrivateKey, valid_from: datetime, seconds: float, ids: IdSource
) -> str:
    """A token for one request, `uri` being method, host and path. Raises `SecretCannotSign`, saying nothing of it."""
    return signed_token({"uri": uri}, key_name=key_name, secret=secret, valid_from=valid_from, seconds=seconds, ids=ids)


def signed_token(
    claims: Mapping[str, str] = MappingProxyType({}),
    *,
    key_name: str,
    secret: str | PrivateKey,
    valid_from: datetime,
    seconds: float,
    ids: IdSource,
) -> str:
    """A token with these claims and its lifetime; a WebSocket's names no request. Raises `SecretCannotSign`."""
    lifetime = {
        "sub": key_name,
        "iss": "cdp",
        "nbf": int(valid_from.timestamp()),
        # Rounded down: never good for longer than was meant.
        "exp": int(valid_from.timestamp() + seconds),
    }
    try:
        key = private_key(secret) if isinstance(secret, str) else secret
        algorithm = "EdDSA" if isinstance(key, ed25519.Ed25519PrivateKey) else "ES256"
        return jwt.encode(
            {**lifetime, **claims}, key, algorithm=algorithm, headers={"kid": key_name, "nonce": ids.token()}
        )
    except Exception:  # noqa: BLE001 - many kinds, from many libraries, and their words are about the secret
        raise SecretCannotSign from None


def private_key(secret: str) -> PrivateKey:
    """From PEM, or base64 of an Ed25519 seed (32 bytes, or 64 with the public half). Raises ValueError, or its like."""
    if secret.lstrip().startswith("-----BEGIN"):
        key = serialization.load_pem_private_key(secret.encode(), password=None)
        if not isinstance(key, PrivateKey):
            raise ValueError("neither an elliptic curve key nor an Ed25519 key")
        return key
    seed = base64.b64decode("".join(secret.split()), validate=True)
    if len(seed) not in (32, 64):
        raise ValueError("not the length of an Ed25519 key")
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32])
