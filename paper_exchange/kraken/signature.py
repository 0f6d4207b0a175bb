"""API keys of Kraken and the signature of a private request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from paper_exchange.brokerage import KeyPair


def new_key_pair() -> KeyPair:
    """A key of 56 characters and a secret of 64 bytes in base64, as Kraken gives them."""
    return KeyPair(
        api_key=base64.b64encode(secrets.token_bytes(42)).decode(),
        api_secret=base64.b64encode(secrets.token_bytes(64)).decode(),
    )


def sign(secret: str, path: str, nonce: str, body: bytes) -> str:
    """``base64(HMAC-SHA512(base64decode(secret), path + SHA256(nonce + body)))``.

    ``path`` starts at ``/0/private/``; ``body`` is exactly what goes over the wire.
    """
    digest = hashlib.sha256(nonce.encode() + body).digest()
    mac = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()


def signature_is_valid(secret: str, path: str, nonce: str, body: bytes, signature: str) -> bool:
    """Whether ``signature`` is right for these bytes; compared in constant time."""
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, base64.b64decode(sign(secret, path, nonce, body)))
