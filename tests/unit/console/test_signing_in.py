"""Passwords, sessions and tokens."""

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.console.attempts import ALTOGETHER, MOST_ADDRESSES, PER_ADDRESS, WINDOW_SECONDS, Attempts
from bot.console.passwords import SHORTEST_TOKEN, Passwords
from bot.console.roles import Role
from bot.console.sessions import KEY_FILE, Sessions, session_key
from bot.seams.ids import SeededIds, SystemIds
from tests.unit.console.served import CONTROL_PASSWORD, VIEW_PASSWORD, WITH_PASSWORDS, Served


@pytest.fixture
def fresh(books: Path) -> Iterator[Served]:
    """Nobody has tried anything yet."""
    with Served(books, bind="0.0.0.0", environ=WITH_PASSWORDS) as served:
        yield served


def test_each_password_gives_its_role_and_a_cookie_that_scripts_cannot_read(fresh: Served) -> None:
    for password, role in ((CONTROL_PASSWORD, "control"), (VIEW_PASSWORD, "view")):
        answer = fresh.post("/api/v1/sign-in", {"password": password})
        assert answer.json["role"] == role
        words = answer.headers["set-cookie"].lower()
        assert "httponly" in words
        assert "samesite=strict" in words
        assert "path=/" in words
        assert "domain" not in words


def test_signing_in_gives_a_new_session_whatever_cookie_came_with_it(fresh: Served) -> None:
    first = fresh.sign_in(VIEW_PASSWORD)
    second = fresh.post("/api/v1/sign-in", {"password": VIEW_PASSWORD}, Cookie=first.cookie)
    assert second.cookie != first.cookie


def test_behind_a_trusted_proxy_with_tls_the_cookie_is_secure_and_the_client_is_who_it_names(books: Path) -> None:
    environ = {**WITH_PASSWORDS, "NIJA__CONSOLE__TRUST_PROXY": "true"}
    with Served(books, bind="0.0.0.0", environ=environ) as served:
        headers = {"X_Forwarded_Proto": "https", "Origin": f"https://{served.host}"}
        answer = served.post("/api/v1/sign-in", {"password": VIEW_PASSWORD}, **headers)
        assert "secure" in answer.headers["set-cookie"].lower()
        # What a client says of itself comes first in the list; the proxy's own word is last.
        told = {"X_Forwarded_For": "1.1.1.1, 203.0.113.1"}
        for _ in range(PER_ADDRESS):
            assert served.post("/api/v1/sign-in", {"password": "wrong"}, **told).status == 401
        told = {"X_Forwarded_For": "2.2.2.2, 203.0.113.1"}
        assert served.post("/api/v1/sign-in", {"password": "wrong"}, **told).status == 429
        told = {"X_Forwarded_For": "203.0.113.2"}
        assert served.post("/api/v1/sign-in", {"password": "wrong"}, **told).status == 401


def test_without_that_trust_nobody_says_who_they_are(fresh: Served) -> None:
    for number in range(PER_ADDRESS):
        fresh.post("/api/v1/sign-in", {"password": "wrong"}, X_Forwarded_For=f"203.0.113.{number}")
    assert fresh.post("/api/v1/sign-in", {"password": CONTROL_PASSWORD}, X_Forwarded_For="9.9.9.9").status == 429


def test_wrong_ones_get_the_same_words_and_soon_have_to_wait(fresh: Served, caplog: pytest.LogCaptureFixture) -> None:
    wrong = ["", "x", CONTROL_PASSWORD[:-1], f"{CONTROL_PASSWORD} ", CONTROL_PASSWORD.upper()]
    answers = [fresh.post("/api/v1/sign-in", {"password": each}) for each in wrong]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    with caplog.at_level(logging.WARNING):
        waits = [fresh.post("/api/v1/sign-in", {"password": CONTROL_PASSWORD}) for _ in range(5)]
    assert {answer.status for answer in waits} == {429}
    assert all(1 <= int(answer.headers["retry-after"]) <= 61 for answer in waits)
    said = [record.getMessage() for record in caplog.records if "too many attempts" in record.getMessage()]
    assert len(said) == 1, "a log must not grow with what strangers try"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"password": 1}', b'{"password": null}', b'"x"', b"[" * 60_000, b"\xff\xfe"]
)
def test_what_is_no_password_is_no_try(local: Served, body: bytes) -> None:
    answer = local.post("/api/v1/sign-in", body, **{"Content-Type": "application/json"})
    assert answer.status == 400
    assert "error" in answer.json


def test_letters_that_no_text_has_are_no_password(fresh: Served) -> None:
    answer = fresh.post(
        "/api/v1/sign-in", b'{"password": "\\ud800 lone surrogate"}', **{"Content-Type": "application/json"}
    )
    assert answer.status in (400, 401)


# -- counting ---------------------------------------------------------------------------------------------------------
def test_five_a_minute_from_one_address_and_thirty_from_all() -> None:
    attempts = Attempts()
    assert [attempts.wait_seconds("a", 0.0) for _ in range(PER_ADDRESS)] == [0.0] * PER_ADDRESS
    assert attempts.wait_seconds("a", 1.0) == WINDOW_SECONDS - 1
    others = [attempts.wait_seconds(f"b{number}", 2.0) for number in range(ALTOGETHER)]
    assert others.count(0.0) == ALTOGETHER - PER_ADDRESS
    assert attempts.wait_seconds("a", WINDOW_SECONDS) == 0.0


def test_addresses_of_those_who_wait_are_not_kept() -> None:
    attempts = Attempts()
    for number in range(MOST_ADDRESSES + 100):
        attempts.wait_seconds(f"2001:db8::{number:x}", 0.0)
    assert len(attempts._of) <= ALTOGETHER


# -- sessions ---------------------------------------------------------------------------------------------------------
def test_a_session_holds_until_its_hour_and_no_longer() -> None:
    sessions = Sessions(b"k" * 32, hours=1, ids=SeededIds(1))
    cookie, session = sessions.begin(Role.VIEW, "view", signed_in=True, now=1000)
    assert sessions.read(cookie, now=1000 + 3599) == session
    assert sessions.read(cookie, now=1000 + 3600) is None


def test_an_ended_session_stays_ended() -> None:
    sessions = Sessions(b"k" * 32, hours=1, ids=SeededIds(1))
    cookie, session = sessions.begin(Role.VIEW, "view", signed_in=True, now=0)
    sessions.end(session, now=1)
    assert sessions.read(cookie, now=2) is None


def test_whatever_is_changed_in_a_cookie_makes_it_none() -> None:
    sessions = Sessions(b"k" * 32, hours=1, ids=SeededIds(1))
    cookie, session = sessions.begin(Role.VIEW, "view", signed_in=True, now=0)
    body, _, signature = cookie.partition(".")
    fields = json.loads(base64.urlsafe_b64decode(body))
    raised = base64.urlsafe_b64encode(json.dumps([fields[0], 2, *fields[2:]]).encode()).decode()
    of_csrf = f"{session.session_id}.{sessions.csrf(session.session_id)}"
    forged = ["", ".", body, f"{raised}.{signature}", f"{body}.", f"{body}.{signature[:-1]}", f"{body}.é", of_csrf]
    forged += [cookie + "x", f"{body}.{signature.upper()}", "x" * 5000, f"{body}.{sessions.sign('control', body)}"]
    assert [sessions.read(each, now=1) for each in forged] == [None] * len(forged)
    assert Sessions(b"j" * 32, hours=1, ids=SeededIds(1)).read(cookie, now=1) is None


@pytest.mark.parametrize(
    "cookie", ["nija_session=x.y", "nija_session=", "nija_session=" + "A" * 3000, "a=b; ;;=", "é=é"]
)
def test_odd_cookies_are_nobody(public: Served, cookie: str) -> None:
    assert public.get("/api/v1/accounts", Cookie=cookie).status == 401


def test_the_key_of_sessions_is_for_this_user_alone_and_stays(tmp_path: Path) -> None:
    key = session_key(tmp_path, SystemIds())
    assert len(key) == 32
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert session_key(tmp_path, SystemIds()) == key
    (tmp_path / KEY_FILE).write_bytes(b"short")
    assert len(session_key(tmp_path, SystemIds())) == 32


def test_a_link_in_place_of_the_key_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"k" * 32)
    (tmp_path / KEY_FILE).symlink_to(tmp_path / "elsewhere")
    assert session_key(tmp_path, SystemIds()) != b"k" * 32


# -- tokens -----------------------------------------------------------------------------------------------------------
def test_short_passwords_and_tokens_open_nothing_and_are_named_without_being_told() -> None:
    given = Passwords.of({"NIJA_CONSOLE_PASSWORD": "hunter2", "NIJA_CONSOLE_TOKEN": "t" * (SHORTEST_TOKEN - 1)})
    assert not given.any
    assert given.role_of_password("hunter2") is Role.NONE
    assert given.role_of_token("") is Role.NONE
    assert len(given.problems) == 2
    assert "hunter2" not in str(given.problems) + repr(given)


def test_one_password_for_both_roles_opens_the_lesser() -> None:
    given = Passwords.of({"NIJA_CONSOLE_PASSWORD": "same for both", "NIJA_CONSOLE_VIEW_PASSWORD": "same for both"})
    assert given.role_of_password("same for both") is Role.VIEW
    assert given.problems


def test_a_wrong_token_is_nobody_even_beside_a_good_cookie(public: Served) -> None:
    cookie = public.sign_in(VIEW_PASSWORD).cookie
    for token in ("Bearer wrong", "Bearer ", "bearer é", "Bearer " + CONTROL_PASSWORD):
        assert public.get("/api/v1/accounts", Cookie=cookie, Authorization=token).status == 401


def test_a_password_is_no_token_and_a_token_no_password(fresh: Served) -> None:
    assert fresh.post("/api/v1/sign-in", {"password": WITH_PASSWORDS["NIJA_CONSOLE_TOKEN"]}).status == 401
