"""A connection kept for orders: each request leaves once, is answered once, and nothing leaves after the close."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from bot.brokers.feed_loop import FeedLoop
from bot.brokers.http_session import HttpReply, ReplyCut, ReplyLost
from bot.brokers.kept_http import HttpWire, KeptHttp, WrittenRequest
from bot.brokers.resolver import Resolver
from bot.seams.clock import SystemClock
from bot.seams.ids import SeededIds
from tests.bot_process import wait_until
from tests.unit.brokers.raw_server import Answer, RawServer, drip_body, drip_headers, half, hang_up, never, noise, ok

Serve = Callable[[Answer], RawServer]
Open = Callable[..., KeptHttp]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[RawServer] = []

    def start(answer: Answer) -> RawServer:
        servers.append(RawServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def feed() -> Iterator[FeedLoop]:
    made = FeedLoop("orders", SystemClock())
    yield made
    made.close()


@pytest.fixture
def opened(feed: FeedLoop) -> Iterator[Open]:
    """Opens a connection and waits until it is there."""
    made: list[KeptHttp] = []

    def open_it(server: RawServer, *, idle_seconds: float = 60.0) -> KeptHttp:
        clock = SystemClock()
        wire = HttpWire(feed=feed, clock=clock, ids=SeededIds(1), resolver=Resolver(clock), idle_seconds=idle_seconds)
        made.append(KeptHttp(wire=wire, base_url=server.url, name="ann"))
        made[-1].open()
        wait_until(lambda: made[-1].is_ready, seconds=10, what="the connection is open")
        return made[-1]

    yield open_it
    for one in made:
        one.close()


class Told:
    """What a request was answered with."""

    def __init__(self) -> None:
        self.outcomes: list[HttpReply | ReplyLost] = []
        self.written: list[bool] = []
        self.done = threading.Event()

    def outcome(self) -> HttpReply | ReplyLost:
        assert self.done.wait(10), "nothing was heard"
        (one,) = self.outcomes
        return one


def _send(
    feed: FeedLoop, connection: KeptHttp, text: bytes, *, seconds: float = 5.0, check: Callable[[], bool] = lambda: True
) -> Told:
    told, tried = Told(), threading.Event()

    def replied(outcome: HttpReply | ReplyLost) -> None:
        told.outcomes.append(outcome)
        told.done.set()

    def send() -> None:
        told.written.append(connection.send(text, within_seconds=seconds, check=check, replied=replied))
        tried.set()

    feed.call(send)
    assert tried.wait(10)
    return told


ORDER = WrittenRequest(
    verb="POST", url="http://venue/api/v5/trade/order?a=b%20c", headers={"Key": "k"}, body=b'{"sz":"1"}'
).text()


def test_a_request_says_where_it_goes_how_long_it_is_and_what_it_carries() -> None:
    head, _, body = ORDER.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert (first, body) == ("POST /api/v5/trade/order?a=b%20c HTTP/1.1", b'{"sz":"1"}')
    assert {"Key: k", "Host: venue", "Content-Length: 10", "Accept-Encoding: identity"} <= set(headers)


@pytest.mark.parametrize(
    ("url", "headers"),
    [("http://venue/a b", {}), ("http://venue/", {"Key": "k\r\nX: y"}), ("http://venue/?a=\n", {"Key": "k\n"})],
)
def test_nothing_that_would_be_another_request_is_written_out(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="broken"):
        WrittenRequest(verb="POST", url=url, headers=headers).text()


def test_a_request_that_is_shown_shows_no_key() -> None:
    shown = repr(WrittenRequest(verb="POST", url="http://venue/?signature=abc", headers={"Key": "abc"}, body=b"abc"))
    assert "abc" not in shown


def test_requests_go_over_one_connection_one_after_the_other(serve: Serve, opened: Open, feed: FeedLoop) -> None:
    server = serve(ok)
    connection = opened(server)
    for _ in range(3):
        assert _send(feed, connection, ORDER).outcome() == HttpReply(200, b"hi")
    assert (server.connections, server.requests) == (1, [ORDER] * 3)


def test_while_one_is_under_way_no_other_is_written(serve: Serve, opened: Open, feed: FeedLoop) -> None:
    server = serve(never)
    connection = opened(server)
    _send(feed, connection, ORDER)
    assert not connection.is_ready
    assert _send(feed, connection, ORDER).written == [False]
    wait_until(lambda: len(server.requests) == 1, seconds=10, what="the first has arrived")


@pytest.mark.parametrize("answer", [half, hang_up, noise], ids=lambda answer: answer.__name__)
def test_an_answer_that_is_none_is_told_once_and_its_connection_is_made_anew(
    serve: Serve, opened: Open, feed: FeedLoop, answer: Answer
) -> None:
    server = serve(answer)
    connection = opened(server)
    outcome = _send(feed, connection, ORDER).outcome()
    assert isinstance(outcome, ReplyLost) and not isinstance(outcome, ReplyCut)
    wait_until(lambda: server.connections == 2 and connection.is_ready, seconds=10, what="there is another")
    assert server.requests == [ORDER]


@pytest.mark.parametrize("answer", [never, drip_headers, drip_body], ids=lambda answer: answer.__name__)
def test_an_answer_that_does_not_come_in_time_is_lost_whatever_the_venue_does(
    serve: Serve, opened: Open, feed: FeedLoop, answer: Answer
) -> None:
    server = serve(answer)
    connection = opened(server)
    outcome = _send(feed, connection, ORDER, seconds=0.2).outcome()
    assert isinstance(outcome, ReplyLost) and "within 0.2 s" in str(outcome)
    wait_until(lambda: connection.is_ready, seconds=10, what="there is another connection")
    assert server.requests == [ORDER]


def test_what_is_held_back_at_the_last_moment_is_not_written(serve: Serve, opened: Open, feed: FeedLoop) -> None:
    server = serve(ok)
    connection = opened(server)
    told = _send(feed, connection, ORDER, check=lambda: False)
    assert (told.written, told.outcomes) == ([False], [])
    assert _send(feed, connection, ORDER).outcome() == HttpReply(200, b"hi")
    assert server.requests == [ORDER]


def test_after_the_close_nothing_leaves_and_what_is_under_way_has_an_unknown_end(
    serve: Serve, opened: Open, feed: FeedLoop
) -> None:
    server = serve(never)
    connection = opened(server)
    under_way = _send(feed, connection, ORDER)
    wait_until(lambda: len(server.requests) == 1, seconds=10, what="it has arrived")
    connection.close()
    assert not connection.is_ready
    assert _send(feed, connection, ORDER).written == [False]
    # The account's own doing, and nothing that says anything of the venue.
    assert isinstance(under_way.outcome(), ReplyCut)
    assert (server.connections, len(server.requests)) == (1, 1)


def test_a_connection_is_cut_even_while_the_loop_that_serves_it_hangs(
    serve: Serve, opened: Open, feed: FeedLoop
) -> None:
    server = serve(ok)
    connection = opened(server)
    hanging, let_go, told = threading.Event(), threading.Event(), Told()

    def hang_and_send() -> None:
        hanging.set()
        let_go.wait(10)
        told.written.append(connection.send(ORDER, within_seconds=1, check=lambda: True, replied=told.outcomes.append))
        told.done.set()

    feed.call(hang_and_send)
    assert hanging.wait(10)
    connection.close()
    let_go.set()
    assert told.done.wait(10)
    assert (told.written, server.requests) == ([False], [])


def test_one_that_is_idle_is_made_anew_before_the_venue_would_end_it(serve: Serve, opened: Open) -> None:
    server = serve(ok)
    connection = opened(server, idle_seconds=0.2)
    wait_until(lambda: server.connections >= 3 and connection.is_ready, seconds=20, what="it was made anew")


def test_one_that_the_venue_ends_is_made_anew(serve: Serve, opened: Open, feed: FeedLoop) -> None:
    closing = serve(_ok_and_close)
    connection = opened(closing)
    assert _send(feed, connection, ORDER).outcome() == HttpReply(200, b"hi")
    wait_until(lambda: closing.connections == 2 and connection.is_ready, seconds=10, what="there is another")


def test_many_connections_share_one_loop_and_one_that_hangs_delays_no_other(
    serve: Serve, opened: Open, feed: FeedLoop
) -> None:
    silent, prompt = serve(never), serve(ok)
    connections: Sequence[KeptHttp] = [opened(silent), *(opened(prompt) for _ in range(5))]
    told = [_send(feed, connection, ORDER) for connection in connections]
    assert [one.outcome() for one in told[1:]] == [HttpReply(200, b"hi")] * 5
    assert told[0].outcomes == []


def _ok_and_close(connection: socket.socket, _stop: threading.Event) -> None:

    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
