"""Checks the signed token (JWT) that every private Coinbase request carries.

Rules: algorithm ES256; header ``kid`` and claim ``sub`` are both the key's name; ``iss`` names the developer platform;
``nbf`` has come, ``exp`` has not, and lies at most two minutes ahead; ``uri`` is ``"{METHOD} {host}{path}"`` of this
very request, without the query; on a socket there is none. A token may be used more than once while it lives: Coinbase
keeps no nonces.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.types import Options

from paper_exchange.clock import NANOSECONDS_PER_SECOND

ISSUERS = frozenset({"cdp", "coinbase-cloud"})
"""The platform's present and former name; clients in use send either."""
LONGEST_LIFE_SECONDS = 120
CLOCK_LEEWAY_SECONDS = 5
"""How far a client's clock may run ahead or behind. Coinbase publishes no figure."""

SIGNATURE_ONLY: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_sub": False,
    "verify_iss": False,
}
"""The claims are checked here, by the exchange's clock: the library would read the machine's."""


class Unauthorized(Exception):
    """The token is missing, forged, expired, or made for another request; the message says which, for the journal."""


def verify_token(
    authorization: str | None,
    *,
    method: str,
    host: str,
    path: str,
    now_ns: int,
    public_key_of: Callable[[str], str | None],
) -> str:
    """The name of the key that signed this request; raises Unauthorized.

    ``authorization`` is the header's text, ``host`` the Host header (with the port), ``path`` the path without query,
    and ``public_key_of`` gives the public PEM of a key's name, or None for a key that was never issued.
    """
    name, claims = _verified(_bearer(authorization), now_ns, public_key_of)
    _check_uri(claims, method, host, path)
    return name


def verify_socket_token(token: str, *, now_ns: int, public_key_of: Callable[[str], str | None]) -> str:
    """The name of the key that signed a message on a socket, as ``verify_token``; one made for a request is no good."""
    name, claims = _verified(token, now_ns, public_key_of)
    if "uri" in claims:
        raise Unauthorized("the token is that of a request")
    return name


def key_claimed(token: str) -> str:
    """The name of the key that a token says has signed it; empty if it says nothing."""
    try:
        return _key_name(token)
    except Unauthorized:
        return ""


def _verified(token: str, now_ns: int, public_key_of: Callable[[str], str | None]) -> tuple[str, dict[str, object]]:
    """The key that signed a token that holds now, and its claims. Raises Unauthorized."""
    name = _key_name(token)
    public_pem = public_key_of(name)
    if public_pem is None:
        raise Unauthorized("unknown key")
    claims = _signed_claims(token, public_pem)
    if claims.get("sub") != name:
        raise Unauthorized("sub is not the key that signed")
    if claims.get("iss") not in ISSUERS:
        raise Unauthorized("iss is not the platform's")
    _check_lifetime(claims, now_ns)
    return name, claims


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("no bearer token")
    return token.strip()


def _key_name(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise Unauthorized("not a token") from None
    name = header.get("kid")
    if header.get("alg") != "ES256":
        raise Unauthorized("algorithm is not ES256")
    if not isinstance(name, str) or not name:
        raise Unauthorized("no kid")
    return name


def _signed_claims(token: str, public_pem: str) -> dict[str, object]:
    try:
        claims: dict[str, object] = jwt.decode(
            token, _public_key(public_pem), algorithms=["ES256"], options=SIGNATURE_ONLY
        )
    except jwt.InvalidTokenError:
        raise Unauthorized("bad signature") from None
    return claims


@lru_cache(maxsize=4096)
def _public_key(public_pem: str) -> ec.EllipticCurvePublicKey:
    key = serialization.load_pem_public_key(public_pem.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("an issued key is not an elliptic curve key")
    return key


def _check_lifetime(claims: dict[str, object], now_ns: int) -> None:
    now = now_ns / NANOSECONDS_PER_SECOND
    not_before, expires = claims.get("nbf"), claims.get("exp")
    if not _is_time(not_before) or not _is_time(expires):
        raise Unauthorized("nbf or exp is missing")
    if now + CLOCK_LEEWAY_SECONDS < float(str(not_before)):
        raise Unauthorized("token is not valid yet")
    if now > float(str(expires)):
        raise Unauthorized("token has expired")
    if float(str(expires)) - now > LONGEST_LIFE_SECONDS + CLOCK_LEEWAY_SECONDS:
        raise Unauthorized("token lives longer than two minutes")


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_uri(claims: dict[str, object], method: str, host: str, path: str) -> None:
    # Some clients cut "https://" off their address to form the claim; on plain HTTP their "http://" stays in.
    claimed = str(claims.get("uri", "")).replace(f"{method} http://", f"{method} ", 1)
    if claimed != f"{method} {host}{path}":
        raise Unauthorized("uri is not this request's")
