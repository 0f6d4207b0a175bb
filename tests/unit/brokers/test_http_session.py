"""A call ends at its deadline, is sent once, and says whether it can have arrived."""

import threading
from collections.abc import Callable, Iterator

import pytest

from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits, ReplyLost, RequestNotSent, VenueSession
from bot.seams.clock import SystemClock
from tests.unit.brokers.raw_server import (
    Answer,
    RawServer,
    drip_body,
    drip_headers,
    endless,
    half,
    hang_up,
    never,
    noise,
    ok,
    redirect,
)


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], RawServer]]:
    servers: list[RawServer] = []

    def start(answer: Answer) -> RawServer:
        servers.append(RawServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def session() -> Iterator[VenueSession]:
    clock = SystemClock()
    reaper = CallReaper(clock)
    with VenueSession(reaper, CallLimits(connect_seconds=0.5, read_seconds=5, call_seconds=0.3)) as made:
        yield made
    reaper.close()


def test_an_answer_comes_back_whole_and_the_connection_is_kept(
    serve: Callable[[Answer], RawServer], session: VenueSession
) -> None:
    server = serve(ok)
    for _ in range(3):
        reply = session.exchange("POST", server.url, data={"a": "1"})
        assert (reply.status, reply.body) == (200, b"hi")
    assert server.connections == 1


@pytest.mark.parametrize("answer", [never, drip_headers, drip_body], ids=lambda answer: answer.__name__)
def test_a_call_is_cut_at_its_deadline_whatever_the_venue_does(
    serve: Callable[[Answer], RawServer], session: VenueSession, answer: Answer
) -> None:
    server = serve(answer)
    clock = SystemClock()
    started = clock.monotonic()
    with pytest.raises(ReplyLost, match=r"no complete answer within 0\.3 s"):
        session.exchange("POST", server.url)
    assert clock.monotonic() - started < 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [half, hang_up, noise, endless], ids=lambda answer: answer.__name__)
def test_a_broken_answer_is_lost_and_the_request_is_sent_only_once(
    serve: Callable[[Answer], RawServer], session: VenueSession, answer: Answer
) -> None:
    server = serve(answer)
    with pytest.raises(ReplyLost):
        session.exchange("POST", server.url, call_seconds=5)
    assert len(server.requests) == 1


def test_a_kept_connection_that_died_on_the_way_is_not_silently_used_for_a_second_sending(
    serve: Callable[[Answer], RawServer], session: VenueSession
) -> None:
    server = serve(hang_up)
    for number in (1, 2):
        with pytest.raises(ReplyLost):
            session.exchange("POST", server.url, data={"order": str(number)})
    assert len(server.requests) == 2


def test_a_redirect_is_not_followed(serve: Callable[[Answer], RawServer], session: VenueSession) -> None:
    assert session.exchange("POST", serve(redirect).url).status == 302


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/"])
def test_a_connection_that_never_stood_means_not_sent(session: VenueSession, url: str) -> None:
    with pytest.raises(RequestNotSent, match="no connection"):
        session.exchange("POST", url)


def test_a_proxy_from_the_environment_is_ignored(
    serve: Callable[[Answer], RawServer], session: VenueSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert session.exchange("GET", serve(ok).url).status == 200


def test_a_call_cut_late_leaves_the_next_one_alone(serve: Callable[[Answer], RawServer], session: VenueSession) -> None:
    hung, well = serve(never), serve(ok)
    with pytest.raises(ReplyLost):
        session.exchange("GET", hung.url, call_seconds=0.05)
    for _ in range(5):
        assert session.exchange("GET", well.url).status == 200


def test_many_hung_calls_end_at_their_own_deadlines(serve: Callable[[Answer], RawServer]) -> None:
    clock = SystemClock()
    reaper = CallReaper(clock)
    server = serve(never)
    late: list[float] = []

    def call(seconds: float) -> None:
        with VenueSession(reaper, CallLimits()) as one:
            started = clock.monotonic()
            with pytest.raises(ReplyLost):
                one.exchange("GET", server.url, call_seconds=seconds)
            late.append(clock.monotonic() - started - seconds)

    threads = [threading.Thread(target=call, args=(0.1 + number % 5 / 20,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    reaper.close()
    assert len(late) == 20 and max(late) < 1.5


def test_retry_after_is_taken_when_it_is_sensible_and_capped(
    serve: Callable[[Answer], RawServer], session: VenueSession
) -> None:
    def limited(value: bytes) -> Answer:
        answer = b"HTTP/1.1 429 Slow\r\nRetry-After: " + value + b"\r\nContent-Length: 0\r\n\r\n"
        return lambda connection, _: connection.sendall(answer)

    for value, seconds in ((b"7", 7.0), (b"100000000", 600.0), (b"-5", None), (b"soon", None)):
        assert session.exchange("GET", serve(limited(value)).url).retry_after_seconds == seconds
