"""Names, origins and page tokens: what another page in the same browser could send."""

import pytest

from bot.console.hosts import host_name, names_of
from tests.unit.console.served import CONTROL_TOKEN, Browser, Served

FAVOURITE = {"action": "add_favourite", "target": "kraken", "details": {"symbol": "BTC/USD"}}


@pytest.fixture(scope="module")
def browser(local: Served) -> Browser:
    return local.open_page()


@pytest.mark.parametrize(
    "host",
    [
        *("evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "evil.com:8080", "127.0.0.1@evil.com", "0.0.0.0"),
        *("", " ", "127.0.0.1:x", "127.0.0.1:999999", "[::1", "::1", "[::2]", "127.1", "2130706433", "127.0.0.2"),
        *("localhost.", "127.0.0.1/", "127.0.0.1, evil.com", "LOCALHOST.evil.com", "http://127.0.0.1"),
    ],
)
def test_a_name_that_is_not_ours_is_answered_by_nothing_but_health(local: Served, browser: Browser, host: str) -> None:
    for path in ("/", "/static/app.css", "/api/v1/session", "/api/v1/overview", "/metrics", "/api/v1/stream"):
        answer = local.ask("GET", path, host=host, Cookie=browser.cookie)
        assert answer.status in (400, 421), path
        assert "set-cookie" not in answer.headers
    assert local.post("/api/v1/sign-in", {"password": "x"}, host=host).status in (400, 421)
    assert local.post("/api/v1/controls", FAVOURITE, host=host, Cookie=browser.cookie).status in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LocalHost:{}", "[::1]:{}", "localhost"])
def test_the_names_of_this_machine_are_ours(local: Served, browser: Browser, host: str) -> None:
    assert local.ask("GET", "/api/v1/session", host=host.format(local.port)).status == 200


def test_two_host_lines_are_no_request(local: Served) -> None:
    assert local.ask("GET", "/api/v1/session", HOST="evil.com").status == 400


def test_names_are_read_as_what_they_are() -> None:
    assert host_name("Nija.Example.org:443") == "nija.example.org"
    assert host_name("evil.com:80@127.0.0.1") == ""
    assert names_of("0.0.0.0", [], {}) == frozenset()
    assert "nija.example.org" in names_of("0.0.0.0", ["NIJA.example.org"], {})
    assert names_of("0.0.0.0", [], {"RENDER_EXTERNAL_HOSTNAME": "x.onrender.com"}) >= {"x.onrender.com", "localhost"}


# Each changes what our own page sends; None = it is missing.
FORGED: list[dict[str, str | None]] = [
    {"Origin": "https://evil.com"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1:{port}@evil.com"},
    {"Origin": "http://evil.com#127.0.0.1:{port}"},
    {"Origin": "http://evil.com/127.0.0.1:{port}"},
    {"Origin": "http://[::1"},
    {"Origin": ""},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": ""},
    {"Sec_Fetch_Site": "SAME-ORIGIN, cross-site"},
    {"Origin": None, "Sec_Fetch_Site": None},
    {"Origin": None, "Sec_Fetch_Site": "cross-site"},
    {"X_CSRF_Token": None},
    {"X_CSRF_Token": ""},
    {"X_CSRF_Token": "0" * 64},
    {"X_CSRF_Token": "é"},
]


@pytest.mark.parametrize("forged", FORGED, ids=str)
def test_what_another_page_sends_changes_nothing(
    local: Served, browser: Browser, forged: dict[str, str | None]
) -> None:
    changed = {name: value and value.replace("{port}", str(local.port)) for name, value in forged.items()}
    answer = browser.post("/api/v1/controls", {**FAVOURITE, "nonce": "n" * 20}, **changed)
    assert answer.status == 403, answer.text
    assert browser.get("/api/v1/controls").json["controls"] == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_is_no_request_even_from_our_own_page(browser: Browser, content_type: str) -> None:
    body = b'{"action": "kill", "nonce": "nnnnnnnnnnnnnnnnnnnn"}'
    assert browser.post("/api/v1/controls", body, **{"Content-Type": content_type}).status == 415


def test_a_script_with_a_token_needs_no_page_but_a_browser_with_one_does(public: Served) -> None:
    token = {"Authorization": f"Bearer {CONTROL_TOKEN}"}
    assert public.ask("POST", "/api/v1/controls", body={}, **token).status == 400
    assert public.ask("POST", "/api/v1/controls", body={}, Origin="https://evil.com", **token).status == 403


def test_nothing_is_changed_by_reading(local: Served, browser: Browser) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert local.ask(method, "/api/v1/controls/1/kill", Cookie=browser.cookie).status == 404
        assert local.ask(method, "/api/v1/sign-out", Cookie=browser.cookie).status in (404, 405)
    assert browser.get("/api/v1/accounts").status == 200
