"""Tokens of the Coinbase front: what the official client signs is let in, everything else is kept out."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from coinbase import jwt_generator

from paper_exchange.clock import NANOSECONDS_PER_SECOND, SystemClock
from paper_exchange.coinbase.keys import new_key_pair, public_half
from paper_exchange.coinbase.tokens import Unauthorized, verify_token

HOST = "127.0.0.1:4711"
PATH = "/api/v3/brokerage/accounts"
NOW = 1_790_000_000
NAME, PRIVATE, PUBLIC = new_key_pair()


def _claims(**changes: object) -> dict[str, object]:
    claims: dict[str, object] = {
        "sub": NAME,
        "iss": "cdp",
        "nbf": NOW,
        "exp": NOW + 120,
        "uri": f"GET {HOST}{PATH}",
    }
    claims.update(changes)
    return {key: value for key, value in claims.items() if value is not None}


def _token(changes: dict[str, object] | None = None, *, kid: str = NAME, private: str = PRIVATE) -> str:
    return jwt.encode(_claims(**(changes or {})), private, algorithm="ES256", headers={"kid": kid, "nonce": "ab"})


def _verify(token: str | None, *, method: str = "GET", path: str = PATH, now: float = NOW) -> str:
    return verify_token(
        None if token is None else f"Bearer {token}",
        method=method,
        host=HOST,
        path=path,
        now_ns=int(now * NANOSECONDS_PER_SECOND),
        public_key_of={NAME: PUBLIC}.get,
    )


def test_a_key_pair_has_the_form_the_platform_issues() -> None:
    assert NAME.startswith("organizations/") and "/apiKeys/" in NAME
    assert PRIVATE.startswith("-----BEGIN EC PRIVATE KEY-----")
    assert public_half(PRIVATE) == PUBLIC
    assert new_key_pair()[0] != NAME


def test_the_official_clients_token_is_accepted() -> None:
    token = jwt_generator.build_rest_jwt(f"GET {HOST}{PATH}", NAME, PRIVATE)
    assert _verify(token, now=SystemClock().now_ns() / NANOSECONDS_PER_SECOND) == NAME


def test_the_former_platform_name_and_a_plain_http_address_are_accepted() -> None:
    former: dict[str, object] = {"iss": "coinbase-cloud", "aud": ["any"], "uri": f"GET http://{HOST}{PATH}"}
    assert _verify(_token(former)) == NAME


def test_a_token_may_be_used_twice_while_it_lives() -> None:
    token = _token()
    assert _verify(token) == _verify(token, now=NOW + 119) == NAME


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW - 1}, "expired"),
        ({"nbf": NOW + 60}, "not valid yet"),
        ({"exp": NOW + 3600}, "two minutes"),
        ({"exp": None}, "missing"),
        ({"nbf": None}, "missing"),
        ({"exp": True}, "missing"),
        ({"sub": "organizations/other/apiKeys/other"}, "sub"),
        ({"iss": "me"}, "iss"),
        ({"uri": f"POST {HOST}{PATH}"}, "uri"),
        ({"uri": f"GET {HOST}/api/v3/brokerage/orders"}, "uri"),
        ({"uri": f"GET api.coinbase.com{PATH}"}, "uri"),
        ({"uri": f"GET {HOST}{PATH}?limit=1"}, "uri"),
        ({"uri": None}, "uri"),
    ],
)
def test_a_wrong_claim_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(Unauthorized, match=reason):
        _verify(_token(changes))


def test_a_token_signed_by_another_key_is_refused() -> None:
    with pytest.raises(Unauthorized, match="bad signature"):
        _verify(_token(private=new_key_pair()[1]))


def test_a_key_that_was_never_issued_is_refused() -> None:
    with pytest.raises(Unauthorized, match="unknown key"):
        _verify(_token(kid="organizations/a/apiKeys/b"))


def test_an_altered_token_is_refused() -> None:
    header, _, signature = _token().split(".")
    forged = base64.urlsafe_b64encode(json.dumps(_claims(exp=NOW + 100)).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthorized, match="bad signature"):
        _verify(f"{header}.{forged}.{signature}")


def test_an_unsigned_or_symmetrically_signed_token_is_refused() -> None:
    unsigned = jwt.encode(_claims(), "", algorithm="none", headers={"kid": NAME})
    symmetric = jwt.encode(_claims(), "s" * 64, algorithm="HS256", headers={"kid": NAME})
    for token in (unsigned, symmetric):
        with pytest.raises(Unauthorized, match="ES256"):
            _verify(token)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer abc", "Bearer a.b.c"])
def test_a_header_without_a_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        verify_token(header, method="GET", host=HOST, path=PATH, now_ns=NOW * 10**9, public_key_of={NAME: PUBLIC}.get)
