"""API keys of OKX and the signature of a private request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid

from paper_exchange.brokerage import KeyPair


def new_key_pair() -> KeyPair:
    """A key like a UUID, a secret of 32 hex digits, and the passphrase that its owner would have chosen."""
    return KeyPair(
        api_key=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        api_secret=secrets.token_hex(16).upper(),
        passphrase=f"Paper-{secrets.token_urlsafe(9)}!",
    )


def sign(secret: str, text: bytes) -> str:
    """``base64(HMAC-SHA256(secret, text))``."""
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()


def signed_text(timestamp: str, method: str, path: str, query: bytes, body: bytes) -> bytes:
    """What a request's signature covers: exactly the bytes that go over the wire."""
    target = path.encode("latin-1") + (b"?" + query if query else b"")
    return timestamp.encode("latin-1") + method.upper().encode() + target + body


def signature_is_valid(secret: str, text: bytes, signature: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(sign(secret, text).encode(), signature.encode("latin-1", "replace"))
