"""A name is resolved in bounded time, and an address that was good once outlives a resolver that is not."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits, RequestNotSent, VenueSession
from bot.brokers.resolver import Resolver
from bot.seams.clock import SystemClock
from tests.unit.brokers.raw_server import RawServer, ok

HOST = "venue.invalid"


class Names:
    """A resolver of names that a test can make fail or hang."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Sequence[str] | OSError = ["127.0.0.1"]
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self.go_on.wait(20)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.go_on.set()


@pytest.fixture
def server() -> Iterator[RawServer]:
    made = RawServer(ok)
    yield made
    made.close()


def session_with(names: Names, *, fresh_seconds: float = 60.0, wait_seconds: float = 0.2) -> VenueSession:
    clock = SystemClock()
    resolver = Resolver(clock, lookup=names, wait_seconds=wait_seconds, fresh_seconds=fresh_seconds)
    return VenueSession(CallReaper(clock), CallLimits(connect_seconds=1, read_seconds=5, call_seconds=5), resolver)


def url_of(server: RawServer) -> str:
    return server.url.replace("127.0.0.1", HOST)


def test_a_name_that_never_resolves_costs_its_bound_and_means_not_sent(names: Names, server: RawServer) -> None:
    names.go_on.clear()
    clock = SystemClock()
    with session_with(names) as session:
        for _ in range(5):
            started = clock.monotonic()
            with pytest.raises(RequestNotSent, match=HOST):
                session.exchange("POST", url_of(server))
            assert clock.monotonic() - started < 2
    assert names.asked == [HOST], "one thread waits for a name, however many calls need it"
    assert server.requests == []


def test_a_name_that_fails_means_not_sent_and_is_asked_for_again(names: Names, server: RawServer) -> None:
    names.answer = OSError("no such name")
    with session_with(names) as session:
        with pytest.raises(RequestNotSent, match="no such name"):
            session.exchange("POST", url_of(server))
        names.answer = ["127.0.0.1"]
        assert session.exchange("POST", url_of(server)).status == 200
    assert len(names.asked) == 2


@pytest.mark.parametrize("trouble", ["hang", "fail"])
def test_the_last_good_address_is_used_while_names_cannot_be_resolved(
    names: Names, server: RawServer, trouble: str
) -> None:
    with session_with(names, fresh_seconds=0) as session:
        assert session.exchange("GET", url_of(server)).status == 200
        if trouble == "hang":
            names.go_on.clear()
        else:
            names.answer = OSError("the resolver is away")
        session.adapters["http://"].close()  # no connection is kept
        assert session.exchange("GET", url_of(server)).status == 200
    assert len(names.asked) == 2 and server.connections == 2


def test_a_fresh_address_is_not_asked_for_again(names: Names, server: RawServer) -> None:
    with session_with(names) as session:
        for _ in range(3):
            session.adapters["http://"].close()
            assert session.exchange("GET", url_of(server)).status == 200
    assert names.asked == [HOST]


def test_an_address_that_does_not_answer_is_followed_by_the_next_and_then_asked_for_anew(
    names: Names, server: RawServer
) -> None:
    names.answer = ["127.0.0.2", "127.0.0.1"]
    with session_with(names) as session:
        assert session.exchange("GET", url_of(server)).status == 200
        session.adapters["http://"].close()
        names.answer = ["127.0.0.2"]
        server.close()
        for _ in range(2):
            with pytest.raises(RequestNotSent):
                session.exchange("GET", url_of(server))
    assert len(names.asked) == 2


def test_the_host_that_is_named_to_the_venue_is_the_name_and_not_the_address(names: Names, server: RawServer) -> None:
    with session_with(names) as session:
        session.exchange("GET", url_of(server))
    assert f"Host: {HOST}".encode() in server.requests[0]


def test_an_address_is_no_name(names: Names, server: RawServer) -> None:
    with session_with(names) as session:
        assert session.exchange("GET", server.url).status == 200
    assert names.asked == []


def test_the_systems_own_look_up_knows_this_machine() -> None:
    resolver = Resolver(SystemClock())
    assert {"127.0.0.1", "::1"} & set(resolver.addresses("localhost", within_seconds=5))
