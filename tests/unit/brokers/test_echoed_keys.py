"""An answer that repeats what we sent to sign in is read without it."""

import json

import pytest

from bot.brokers.http_session import without_keys

KEY = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSU"
HEADERS = {"User-Agent": "python-requests/2", "Accept": "*/*", "OK-ACCESS-TIMESTAMP": "2026-11-22T04:00:00.123Z"}


@pytest.mark.parametrize("name", ["API-Key", "OK-ACCESS-PASSPHRASE", "X-MBX-APIKEY", "APCA-API-SECRET-KEY", "Anything"])
@pytest.mark.parametrize("write", [str, lambda text: json.dumps(text).replace("/", "\\/")])
def test_a_key_that_comes_back_is_blanked(name: str, write: object) -> None:
    assert callable(write)
    body = without_keys(f"no such key: {write(KEY)}!".encode(), {**HEADERS, name: KEY})
    assert KEY.encode() not in body.replace(b"\\/", b"/")
    assert b"***" in body
    assert body.endswith(b"!")


def test_of_a_bearer_token_the_token_is_blanked_and_the_word_stays() -> None:
    body = without_keys(b"Bearer eyJhbGciOi.x.y is over", {"Authorization": "Bearer eyJhbGciOi.x.y"})
    assert body == b"Bearer *** is over"


def test_what_is_no_key_is_left_alone() -> None:
    body = b'{"ts": "2026-11-22T04:00:00.123Z", "agent": "python-requests/2", "ok": "on"}'
    assert without_keys(body, {**HEADERS, "x-simulated": "on"}) == body
