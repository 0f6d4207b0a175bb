"""Rights over every route there is, and what happens on an address that others reach without a password."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.console.answers import ConsoleRoute
from bot.console.app import STREAM_ROUTE
from bot.console.headers import HEADERS
from bot.console.roles import Role
from bot.console.routes import all_routes
from tests.unit.console.served import CONTROL_PASSWORD, CONTROL_TOKEN, VIEW_PASSWORD, VIEW_TOKEN, WITH_PASSWORDS, Served

ROUTES = all_routes()
PATHS: Mapping[str, str] = {
    "label": "kraken",
    "signal_id": "none",
    "client_order_id": "none",
    "symbol": "BTC-USD",
    "id": "1",
}
# A view session that asks for a control is refused before its body is looked at; with control rights the body is wrong.
REFUSED = {401, 403}


def address_of(route: ConsoleRoute) -> str:
    return route.path.format(**PATHS)


def asks(served: Served, route: ConsoleRoute, **headers: str | None) -> int:
    if route.method == "POST":
        return served.post(address_of(route), {}, **headers).status
    return served.get(address_of(route), **headers).status


def test_every_route_needs_a_role_or_is_one_of_the_few_that_say_nothing_of_money() -> None:
    open_to_anybody = {route.path for route in ROUTES if route.needs is Role.NONE}
    assert open_to_anybody == {"/live", "/ready", "/trading", "/api/v1/session"}
    assert {route.path for route in ROUTES if route.health} == {"/live", "/ready", "/trading"}
    assert all(route.needs is Role.CONTROL for route in ROUTES if route.method != "GET")
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("who", ["nobody", "view", "view token", "control", "control token"])
def test_who_has_not_the_role_gets_nothing_of_any_route(public: Served, who: str) -> None:
    role = {"nobody": Role.NONE}.get(who, Role.VIEW if "view" in who else Role.CONTROL)
    headers: dict[str, str | None] = {}
    if "token" in who:
        headers = {"Authorization": f"Bearer {VIEW_TOKEN if role is Role.VIEW else CONTROL_TOKEN}"}
    elif role:
        cookie, csrf = session_of(public, role)
        headers = {"Cookie": cookie, "X_CSRF_Token": csrf}
    wrong = []
    for route in ROUTES:
        status = asks(public, route, **headers)
        expected = {401} if role is Role.NONE and route.needs else {403} if role < route.needs else None
        if status == 500 or (status not in expected if expected else status in REFUSED):
            wrong.append((route.method, route.path, status))
    assert wrong == []


_SESSIONS: dict[tuple[int, Role], tuple[str, str]] = {}


def session_of(served: Served, role: Role) -> tuple[str, str]:
    """Signed in once a role: tries are counted."""
    key = (served.port, role)
    if key not in _SESSIONS:
        browser = served.sign_in(VIEW_PASSWORD if role is Role.VIEW else CONTROL_PASSWORD)
        _SESSIONS[key] = (browser.cookie, browser.csrf)
    return _SESSIONS[key]


def test_the_stream_needs_the_right_to_look(public: Served) -> None:
    assert STREAM_ROUTE.needs is Role.VIEW
    assert public.get("/api/v1/stream?topics=overview").status == 401
    assert public.get("/api/v1/stream?topics=nonsense", Authorization=f"Bearer {VIEW_TOKEN}").status == 400


def test_without_a_password_on_an_address_that_others_reach_health_alone_is_served(shut: Served) -> None:
    for route in ROUTES:
        status = asks(shut, route)
        assert (status in (200, 503)) if route.health else status == 503, route.path
    assert "NIJA_CONSOLE_PASSWORD" in shut.get("/").text
    assert shut.get("/static/js/app.js").status == 503
    assert shut.get("/api/v1/stream").status == 503
    assert shut.post("/api/v1/sign-in", {"password": ""}).status == 503
    assert "set-cookie" not in shut.get("/").headers
    assert shut.get("/api/v1/overview", Authorization="Bearer ").status == 503


@pytest.mark.parametrize(
    ("bind", "environ", "opens"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("localhost", {}, True),
        ("0.0.0.0", {}, False),
        ("::", {}, False),
        ("192.168.1.5", {}, False),
        # Others reach it by a name, through a proxy on this machine.
        ("127.0.0.1", {"NIJA__CONSOLE__PUBLIC_HOSTS": "nija.example.org"}, False),
        ("127.0.0.1", {"RAILWAY_PUBLIC_DOMAIN": "nija.up.railway.app"}, False),
        ("127.0.0.1", {"NIJA__CONSOLE__TRUST_PROXY": "true"}, False),
        # What is too short to be a password is none.
        ("0.0.0.0", {"NIJA_CONSOLE_PASSWORD": "short"}, False),
        ("0.0.0.0", {"NIJA_CONSOLE_TOKEN": "t" * 21}, False),
        ("127.0.0.1", {"NIJA_CONSOLE_PASSWORD": CONTROL_PASSWORD}, False),
    ],
)
def test_nobody_controls_without_a_password_unless_this_machine_alone_can_ask(
    books: Path, bind: str, environ: Mapping[str, str], opens: bool
) -> None:
    with Served(books, bind=bind, environ=environ) as served:
        cookie = served.get("/", host=next(iter(sorted(served.context.host_names)), served.host)).cookie
        assert bool(cookie) == opens
        overview = served.get("/api/v1/overview", Cookie=cookie or None)
        assert overview.status == (200 if opens else 503 if served.context.shut else 401)


def test_what_comes_through_a_proxy_of_this_machine_is_not_this_machine(local: Served) -> None:
    for header in ("X-Forwarded-For", "X_Forwarded_Host", "Forwarded", "X_Real_IP"):
        answer = local.ask("GET", "/", **{header: "203.0.113.9"})
        assert answer.status == 403
        assert "set-cookie" not in answer.headers


def test_a_session_made_without_a_password_is_worth_nothing_once_there_is_one(local: Served, books: Path) -> None:
    browser = local.open_page()
    assert browser.get("/api/v1/accounts").status == 200
    with Served(books, environ={"NIJA_CONSOLE_PASSWORD": CONTROL_PASSWORD}) as later:
        assert later.get("/api/v1/accounts", Cookie=browser.cookie).status == 401


def test_a_changed_password_ends_the_sessions_of_the_old_one(books: Path) -> None:
    with Served(books, bind="0.0.0.0", environ=WITH_PASSWORDS) as before:
        cookie = before.sign_in(CONTROL_PASSWORD).cookie
    with Served(books, bind="0.0.0.0", environ=WITH_PASSWORDS) as restarted:
        assert restarted.get("/api/v1/accounts", Cookie=cookie).status == 200
    changed = {**WITH_PASSWORDS, "NIJA_CONSOLE_PASSWORD": "another one entirely"}
    with Served(books, bind="0.0.0.0", environ=changed) as after:
        assert after.get("/api/v1/accounts", Cookie=cookie).status == 401


def test_who_signed_out_is_out(public: Served) -> None:
    browser = public.sign_in(VIEW_PASSWORD)
    assert browser.get("/api/v1/accounts").status == 200
    assert browser.post("/api/v1/sign-out", {}, X_CSRF_Token="").status == 403
    assert browser.post("/api/v1/sign-out", {}).status == 200
    assert browser.get("/api/v1/accounts").status == 401


@pytest.mark.parametrize("path", ["/", "/static/app.css", "/live", "/nothing", "/api/v1/accounts", "/metrics"])
def test_every_answer_has_the_headers_that_keep_others_out(public: Served, path: str) -> None:
    answer = public.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name.lower()] == value
    assert "server" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_policy_lets_nothing_from_elsewhere_and_nothing_inline_run() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
