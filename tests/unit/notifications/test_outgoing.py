"""An address that an operator named (fault S14): never into the own network, never on to another, never for long."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bot.notifications.delivery import NotDelivered
from bot.notifications.outgoing import LARGEST_ANSWER, AddressRefused, Outgoing, check_url
from bot.seams.clock import SystemClock
from tests.listeners import Reply, WebServer

PRIVATE = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]", "[ff02::1]", "[::]",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as made:
        yield made


def outside() -> Outgoing:
    return Outgoing(SystemClock(), allow_private=False)


def inside() -> Outgoing:
    return Outgoing(SystemClock(), allow_private=True)


@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_of_the_own_network_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused, match="private network"):
        check_url(f"https://{host}/x", allow_private=False)
    check_url(f"https://{host}/x", allow_private=True)


@pytest.mark.parametrize("host", ["1.1.1.1", "[2606:4700:4700::1111]", "hooks.example.org", "[::ffff:1.1.1.1]"])
def test_an_address_outside_is_taken(host: str) -> None:
    check_url(f"https://{host}/x", allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/x", "file:///etc/passwd", "ftp://hooks.example.org", "https://", "https://a b/",
        "https://user:canary@hooks.example.org/", "https://hooks.example.org:99999/", "gopher://x", "https://[::1", "x",
        "https://hooks.example.org/\r\nX: y",
    ],
)  # fmt: skip
def test_what_is_no_address_to_be_called_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        check_url(url, allow_private=False)
    assert "hooks.example.org" not in str(refused.value) and "canary" not in str(refused.value)


def test_a_name_that_leads_into_the_own_network_is_refused_before_a_connection(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def lying(host: Any, *words: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == "metadata.example.org" else host, *words, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    port = server.url.rpartition(":")[2]
    with pytest.raises(NotDelivered, match="private network"):
        outside().call("POST", f"https://metadata.example.org:{port}/", body=b"{}")
    assert server.calls == []
    # The same name is reached where that is allowed: it is the judgement that kept it back.
    assert inside().call("POST", f"http://metadata.example.org:{port}/x", body=b"{}").status == 200


def test_a_redirect_is_not_followed(server: WebServer) -> None:
    server.reply = lambda _call: Reply(302, headers={"Location": f"{server.url}/elsewhere"})
    assert inside().call("GET", f"{server.url}/first").status == 302
    assert [call.path for call in server.calls] == ["/first"]


def test_what_is_sent_arrives_as_it_is(server: WebServer) -> None:
    server.reply = lambda _call: Reply(201, b"taken", {"Retry-After": "7"})
    answer = inside().call("POST", f"{server.url}/a/b?c=d", body=b"words", headers={"X-One": "1"})
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (201, b"taken", "7")
    call = server.calls[0]
    assert (call.method, call.path, call.body, call.headers["X-One"]) == ("POST", "/a/b?c=d", b"words", "1")


def test_an_answer_that_trickles_is_given_up_in_time() -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.05):
                    try:
                        taken.sendall(b"X-More: 1\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        clock = SystemClock()
        before = clock.monotonic()
        with pytest.raises(NotDelivered):
            inside().call("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout_seconds=0.5)
        assert clock.monotonic() - before < 30
        stop.set()
        thread.join(10)


def test_a_huge_answer_is_not_read_to_its_end(server: WebServer) -> None:
    server.reply = lambda _call: Reply(200, b"x" * (LARGEST_ANSWER + 100))
    assert len(inside().call("GET", server.url).body) == LARGEST_ANSWER


def test_a_call_that_hangs_can_be_cut_by_another_thread(server: WebServer) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(_call: object) -> Reply:
        asked.set()
        go_on.wait(60)
        return Reply()

    server.reply = hang
    outgoing, failed = inside(), threading.Event()

    def call() -> None:
        with pytest.raises(NotDelivered):
            outgoing.call("GET", server.url, timeout_seconds=60)
        failed.set()

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    assert asked.wait(60)
    outgoing.cut()
    assert failed.wait(30)
    go_on.set()


def test_nobody_there_is_said_without_the_path_which_may_be_a_secret() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotDelivered) as failed:
        inside().call("GET", f"http://127.0.0.1:{port}/hooks/secret-word")
    assert "127.0.0.1" in str(failed.value) and "secret-word" not in str(failed.value)


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with WebServer() as plain, pytest.raises(NotDelivered):
        inside().call("GET", plain.url.replace("http://", "https://"))
