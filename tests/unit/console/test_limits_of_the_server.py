"""Large, slow, broken and many requests, over sockets of our own."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.console import guarded_protocol, stream
from bot.console.app import LARGEST_BODY, STATIC
from bot.console.guarded_protocol import MOST_CONNECTIONS
from tests.bot_process import wait_until
from tests.unit.console.served import CONTROL_PASSWORD, CONTROL_TOKEN, WITH_PASSWORDS, Served

ESTABLISHED = "01"


@contextlib.contextmanager
def connected(served: Served, *sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as opened:
        for part in sent:
            opened.sendall(part)
        yield opened


def all_of(opened: socket.socket) -> bytes:
    """Until the other end hangs up."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := opened.recv(65536):
            found += part
    return found


@pytest.fixture
def hasty(books: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """With tenths of a second for what is seconds, and much to say."""
    monkeypatch.setattr(guarded_protocol, "LONGEST_REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(guarded_protocol, "LONGEST_UNREAD_SECONDS", 0.4)
    monkeypatch.setattr(guarded_protocol, "LOOK_SECONDS", 0.1)
    served = Served(books)
    served.context.first_screen = _Growing()
    with served:
        yield served


# -- size -------------------------------------------------------------------------------------------------------------
def test_a_body_that_is_too_large_is_refused_by_its_length_and_as_it_comes(local: Served) -> None:
    browser = local.open_page()
    large = b"[" + b" " * LARGEST_BODY + b"]"
    assert browser.post("/api/v1/controls", large, **{"Content-Type": "application/json"}).status == 413
    chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
    head = (
        f"POST /api/v1/controls HTTP/1.1\r\nHost: {local.host}\r\nOrigin: {local.origin}\r\nCookie: {browser.cookie}"
        f"\r\nX-CSRF-Token: {browser.csrf}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    with connected(local, head, *[chunk] * 9, b"0\r\n\r\n") as opened:
        assert opened.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_headers_that_are_too_large_are_refused(local: Served) -> None:
    with connected(local, f"GET /live HTTP/1.1\r\nHost: {local.host}\r\nX: ".encode(), b"x" * 70_000) as opened:
        assert all_of(opened)[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b"")
    assert local.get("/live").status in (200, 503)


@pytest.mark.parametrize(
    "sent",
    [
        *(
            b"\x16\x03\x01\x02\x00\x01\x00\x01",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\r\n\r\n\x00\xff\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\n",
        ),
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET http://evil.com/ HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_without_a_word_of_the_inside(local: Served, sent: bytes) -> None:
    with connected(local, sent) as opened:
        opened.shutdown(socket.SHUT_WR)
        answer = all_of(opened)
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 421", b"HTTP/1.1 404")
    assert b"Traceback" not in answer
    assert b"uvicorn" not in answer


# -- time and number --------------------------------------------------------------------------------------------------
def test_who_drips_a_request_is_hung_up_on(hasty: Served) -> None:
    with connected(hasty, b"GET /live HTTP/1.1\r\n") as opened:
        gone = False

        def hung_up() -> bool:
            nonlocal gone
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                opened.sendall(b"X: y\r\n")
                return gone
            gone = True
            return True

        wait_until(hung_up, seconds=20, what="the server hangs up on who drips headers")


def test_who_says_nothing_or_half_a_body_is_hung_up_on(hasty: Served) -> None:
    head = f"POST /api/v1/sign-in HTTP/1.1\r\nHost: {hasty.host}\r\nContent-Length: 100\r\n\r\n".encode()
    for sent in (b"", head + b"{"):
        with connected(hasty, sent) as opened:
            assert all_of(opened) == b""


def test_who_does_not_read_is_let_go(hasty: Served) -> None:
    """A telephone without a signal must not cost a connection for ever, nor hold up anybody else."""
    browser = hasty.open_page()
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(30)
        opened.connect(("127.0.0.1", hasty.port))
        request = f"GET /api/v1/stream?topics=overview HTTP/1.1\r\nHost: {hasty.host}\r\n"
        more = f"Cookie: {browser.cookie}\r\nConnection: close\r\n\r\n"
        opened.sendall((request + more).encode())
        assert not _let_go(hasty, opened)
        wait_until(lambda: _let_go(hasty, opened), seconds=40, what="the reader that does not read is hung up on")
    assert hasty.get("/live").status in (200, 503)


def _let_go(served: Served, opened: socket.socket) -> bool:
    """Whether the server has closed its end: nothing is read here, so that the word of it does not come through."""
    ends = [f"0100007F:{port:04X}" for port in (served.port, opened.getsockname()[1])]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]
    return not any(row[1:4] == [*ends, ESTABLISHED] for row in rows)


class _Growing:
    """Something new to say at each look."""

    def __init__(self) -> None:
        self._times = 0

    def read(self) -> dict[str, Any]:
        self._times += 1
        return {"number": self._times, "text": "x" * 10_000_000}


def test_with_too_many_connections_health_is_still_answered_and_then_all_again(local: Served) -> None:
    browser = local.open_page()
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS + 1):
            stack.enter_context(connected(local))
        wait_until(lambda: browser.get("/api/v1/accounts").status == 503, seconds=10, what="it is busy")
        assert "too many" in browser.get("/api/v1/accounts").json["error"]
        assert local.get("/live").json["alive"] is False  # no bot speaks here: an answer in words, not a refusal
    wait_until(lambda: browser.get("/api/v1/accounts").status == 200, seconds=20, what="it serves again")


def test_a_stream_ends_with_its_session(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.2)
    with Served(books, bind="0.0.0.0", environ=WITH_PASSWORDS) as served:
        browser = served.sign_in(CONTROL_PASSWORD)
        request = f"GET /api/v1/stream?topics=markets HTTP/1.1\r\nHost: {served.host}\r\n"
        more = f"Cookie: {browser.cookie}\r\nConnection: close\r\n\r\n"
        with connected(served, (request + more).encode()) as opened:
            assert b"200 OK" in opened.recv(4096)
            assert browser.post("/api/v1/sign-out", {}).status == 200
            rest = all_of(opened)
        assert rest.endswith(b"0\r\n\r\n")


# -- files ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        *("../app.py", "..%2fapp.py", "%2e%2e/app.py", "%2e%2e%2fapp.py", "js/../../app.py", "js/..%2f..%2fapp.py"),
        *("/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd", "..\\app.py", "..%5capp.py", "....//app.py"),
        *("%00", "app.css%00.js", "x" * 5000, "", ".", "js", "js/", "%ff", "..;/app.py", "%252e%252e/app.py"),
    ],
)
def test_nothing_outside_its_directory_is_a_file_of_the_page(local: Served, path: str) -> None:
    answer = local.get(f"/static/{path}")
    assert answer.status in (400, 404), answer.text[:300]
    assert b"import" not in answer.body
    assert str(STATIC).encode() not in answer.body


def test_every_file_of_the_page_is_served_with_its_type(local: Served) -> None:
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        answer = local.get(f"/static/{path.relative_to(STATIC)}")
        assert answer.status == 200, path
        assert answer.body == path.read_bytes()
        assert answer.headers["content-type"].partition("/")[0] in ("text", "image", "application")


# -- errors -----------------------------------------------------------------------------------------------------------
def test_what_goes_wrong_inside_is_told_to_the_log_and_not_to_the_page(
    local: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def read(self) -> dict[str, Any]:
            raise RuntimeError(f"secret {CONTROL_TOKEN}")

    browser = local.open_page()
    monkeypatch.setattr(local.context, "first_screen", Broken())
    answer = browser.get("/api/v1/overview")
    assert answer.status == 500
    assert answer.json == {"error": "this could not be answered; the console's log says why"}
    assert "RuntimeError" in caplog.text
