"""Peers that hold a call for ever: each ends at its own deadline, whatever it was in; and what closing ends at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from benchmarks.deadlines import MANNERS, measure, write_certificate
from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits, ReplyCut, RequestNotSent, SessionClosed, VenueSession
from bot.seams.clock import SystemClock
from tests.exchange_process import wait_until
from tests.unit.brokers.raw_server import RawServer, drip_body, drip_headers, never, ok

LIMITS = CallLimits(connect_seconds=30, read_seconds=30, call_seconds=30)
# On a machine that is busy with other tests; benchmarks/deadlines.py has the real figure.
GENEROUS_SECONDS = 1.5


def test_forty_slow_replies_at_once_all_end_at_their_deadline(tmp_path: Path) -> None:
    ended = measure(40, 1.0, write_certificate(tmp_path / "loopback.pem"))
    assert len(ended) == 40
    assert {call.manner for call in ended} == {manner.name for manner in MANNERS}
    late = [call for call in ended if call.overshoot_seconds > GENEROUS_SECONDS]
    early = [call for call in ended if call.overshoot_seconds < 0]
    assert late == [] and early == []
    for call in ended:
        in_handshake = "handshake" in call.manner
        assert call.outcome == ("RequestNotSent" if in_handshake else "ReplyLost"), call


@pytest.mark.parametrize("answer", [never, drip_headers, drip_body])
def test_closing_a_session_ends_the_call_that_another_thread_is_in(answer: object) -> None:
    server, clock = RawServer(answer), SystemClock()  # type: ignore[arg-type]
    reaper = CallReaper(clock)
    session = VenueSession(reaper, LIMITS)
    with ThreadPoolExecutor(1) as pool:
        try:
            call = pool.submit(session.exchange, "POST", server.url, data={"order": "1"})
            wait_until(lambda: server.requests)
            started = clock.monotonic()
            session.close()
            with pytest.raises(ReplyCut, match="closed"):
                call.result(10)
            assert clock.monotonic() - started < 5, "not at the deadline, which is much later"
            with pytest.raises(SessionClosed):
                session.exchange("POST", server.url, data={"order": "2"})
            assert len(server.requests) == 1
        finally:
            server.close()
            reaper.close()


def test_a_connection_that_is_opened_while_its_session_is_closed_carries_nothing() -> None:
    """The owner's thread wakes up between looking whether it may and sending."""
    server = RawServer(ok)
    reaper = CallReaper(SystemClock())
    session = VenueSession(reaper, LIMITS)
    try:
        with session._bound(30) as call:  # where the owner is when it is held up
            closer = threading.Thread(target=session.close)
            closer.start()
            closer.join(10)
            assert call.overdue
            with pytest.raises(requests.ConnectionError):
                session.request("POST", server.url, data={"order": "1"}, timeout=5)
        assert server.requests == []
    finally:
        server.close()
        reaper.close()


@pytest.mark.parametrize("round_", range(20))
def test_whenever_a_session_is_closed_no_request_leaves_after_that(round_: int) -> None:
    server = RawServer(ok)
    reaper = CallReaper(SystemClock())
    session = VenueSession(reaper, LIMITS)
    sent_when_closed: list[int] = []

    def send_on_and_on() -> int:
        count = 0
        while True:
            try:
                session.exchange("POST", server.url, data={"order": str(count)})
            except SessionClosed:
                return count
            except (RequestNotSent, ReplyCut):
                continue
            count += 1

    with ThreadPoolExecutor(1) as pool:
        try:
            sending = pool.submit(send_on_and_on)
            wait_until(lambda: len(server.requests) > round_)
            session.close()
            sent_when_closed.append(len(server.requests))
            answered = sending.result(10)
        finally:
            server.close()
            reaper.close()
    # At most the one request that was already on the wire is read by the server after the close.
    assert len(server.requests) <= sent_when_closed[0] + 1
    assert answered <= len(server.requests)
