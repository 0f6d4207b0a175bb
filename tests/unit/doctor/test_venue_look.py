"""Venues as doctor meets them without a key: each page read from the exchange that plays them, and its faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.brokers.shared_parts import shared_parts
from bot.diagnostics.doctor.finding import Finding, Level
from bot.diagnostics.doctor.venue_look import VenueLook, VenuePlace
from bot.diagnostics.doctor.venue_pages import PAGES, document_of, words_of
from bot.domain.account import BrokerType
from bot.domain.errors import UnreadableReply
from bot.seams.clock import SystemClock
from tests.exchange_process import ExchangeProcess
from tests.unit.doctor.patients import settings_at

MASTERS = "masters: [{broker: kraken}, {broker: coinbase}, {broker: okx}, {broker: binance}, {broker: alpaca}]\n"


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        yield process


@pytest.fixture(autouse=True)
def no_faults(exchange: ExchangeProcess) -> Iterator[None]:
    yield
    exchange.clear_faults()


def look(directory: Path, broker: BrokerType, base_url: str, public: str | None = None) -> dict[str, Finding]:
    settings = settings_at(directory, masters=MASTERS)
    shared = shared_parts(settings, SystemClock())
    venue = VenueLook(VenuePlace(broker, base_url, public), settings, shared, lambda _doing: None)
    try:
        return {finding.code: finding for finding in venue.examine()}
    finally:
        venue.close()
        shared.close()


@pytest.mark.parametrize("broker", BrokerType)
def test_every_venue_is_reached_and_says_how_it_is(
    broker: BrokerType, tmp_path: Path, exchange: ExchangeProcess
) -> None:
    public = exchange.addresses["kraken"]["ws"] if broker is BrokerType.KRAKEN else None
    found = look(tmp_path, broker, exchange.rest_url(broker), public)
    assert found["VEN-01"].level is Level.OK
    assert {finding.level for finding in found.values()} <= {Level.OK, Level.NOTE}
    assert ("VEN-04" in found) == (PAGES[broker].time is not None)
    assert (found["VEN-05"].level is Level.OK) == (PAGES[broker].status is not None)
    assert (found["VEN-08"].level is Level.OK) == (public is not None)


def test_a_venue_that_is_closed_says_so_in_its_own_words(tmp_path: Path, exchange: ExchangeProcess) -> None:
    answer = '{"error":[],"result":{"status":"cancel_only","timestamp":"2026-01-01T00:00:00Z"}}'
    exchange.fault({"kind": "body", "text": answer}, endpoint="SystemStatus")
    status = look(tmp_path, BrokerType.KRAKEN, exchange.rest_url("kraken"))["VEN-05"]
    assert (status.level, "cancel_only" in status.text) == (Level.BAD, True)


def test_a_public_socket_that_refuses_is_a_warning(tmp_path: Path, exchange: ExchangeProcess) -> None:
    nobody = exchange.rest_url("okx").replace("http://", "ws://")
    assert look(tmp_path, BrokerType.KRAKEN, exchange.rest_url("kraken"), nobody)["VEN-08"].level is Level.WARN


def test_a_host_whose_name_is_not_known_ends_the_look(tmp_path: Path) -> None:
    (finding,) = look(tmp_path, BrokerType.KRAKEN, "https://api.kraken.invalid").values()
    assert (finding.code, finding.level) == ("VEN-02", Level.BAD)
    assert "api.kraken.invalid" in finding.text


def test_a_connection_that_is_refused_is_told_with_its_host(tmp_path: Path) -> None:
    found = look(tmp_path, BrokerType.OKX, "http://127.0.0.1:9")
    assert (found["VEN-01"].level, "127.0.0.1" in found["VEN-01"].text) == (Level.BAD, True)
    assert "VEN-05" not in found


@pytest.mark.parametrize("broker", [broker for broker in BrokerType if PAGES[broker].time])
@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b"{}", b'{"result":{}}', b'{"data":[]}', b"[1]", b'{"data":1}']
)
def test_a_time_that_makes_no_sense_is_unreadable_and_nothing_worse(broker: BrokerType, body: bytes) -> None:
    read = PAGES[broker].time
    assert read is not None
    with pytest.raises(UnreadableReply):
        read(document_of(body, where="the test"))


def test_the_words_of_a_refusal_are_one_line_of_text() -> None:
    assert words_of(b'{"code":0,"msg":"Service unavailable\\n from a restricted location"}') == (
        "Service unavailable from a restricted location"
    )
    page = b"<html><style>p {color: red}</style><body><h1>Sorry</h1>\n<p>not \x1b[31mhere</p></body></html>"
    assert words_of(page) == "Sorry not [31mhere"
    assert len(words_of(b"x" * 5000)) == 200
