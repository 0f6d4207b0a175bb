"""Key pairs in the form in which Coinbase's developer platform issues them."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def new_key_pair() -> tuple[str, str, str]:
    """A new key: its name, its private half and its public half.

    The name is ``organizations/{uuid}/apiKeys/{uuid}``; the private half a SEC1 PEM ("BEGIN EC PRIVATE KEY") on the
    curve P-256, which is what the client keeps; the public half a PEM that is all the exchange needs to check tokens.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    public_pem = _public_pem(private.public_key())
    name = f"organizations/{_uuid('organization', public_pem)}/apiKeys/{_uuid('key', public_pem)}"
    return name, _private_pem(private), public_pem


def public_half(private_pem: str) -> str:
    """The public PEM that belongs to a private PEM; raises ValueError when the text is no EC private key."""
    key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic curve key")
    return _public_pem(key.public_key())


def _uuid(purpose: str, public_pem: str) -> UUID:
    # The key is random already, so its fingerprint is as unique as a random id.
    return UUID(bytes=sha256(f"{purpose}:{public_pem}".encode()).digest()[:16], version=4)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _public_pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
