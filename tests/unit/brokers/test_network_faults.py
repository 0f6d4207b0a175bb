"""The network at its worst: what was certainly not sent, what may have arrived, and that nothing is ever sent twice."""

import datetime
import gzip
import resource
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import MEBIBYTE, CallLimits, ReplyLost, RequestNotSent, VenueSession
from bot.seams.clock import SystemClock
from tests.unit.brokers.raw_server import Answer, RawServer, never, ok

LIMITS = CallLimits(connect_seconds=1, read_seconds=5, call_seconds=5)


@pytest.fixture
def session() -> Iterator[VenueSession]:
    reaper = CallReaper(SystemClock())
    with VenueSession(reaper, LIMITS) as made:
        yield made
    reaper.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], RawServer]]:
    servers: list[RawServer] = []

    def start(answer: Answer) -> RawServer:
        servers.append(RawServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def saying(head: bytes, body: bytes = b"", *, length: int | None = None) -> Answer:
    size = len(body) if length is None else length
    whole = head + f"\r\nContent-Length: {size}\r\n\r\n".encode() + body
    return lambda connection, _: connection.sendall(whole)


# -- sent once ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [408, 413, 425, 429, 500, 502, 503, 504])
def test_no_status_makes_a_request_go_out_again(
    serve: Callable[[Answer], RawServer], session: VenueSession, status: int
) -> None:
    server = serve(saying(f"HTTP/1.1 {status} No\r\nRetry-After: 0".encode()))
    assert session.exchange("POST", server.url, data={"order": "1"}).status == status
    assert len(server.requests) == 1


def test_a_connection_the_venue_has_closed_meanwhile_is_opened_anew_and_the_request_sent_once(
    serve: Callable[[Answer], RawServer], session: VenueSession
) -> None:
    """The close is seen before anything is written: no byte is lost, and none is sent twice."""
    closed = threading.Event()

    def answer_and_close(connection: socket.socket, stop: threading.Event) -> None:
        ok(connection, stop)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    server = serve(answer_and_close)
    for number in range(1, 4):
        assert session.exchange("POST", server.url, data={"order": str(number)}).status == 200
        assert closed.wait(5)
        closed.clear()
    assert len(server.requests) == 3 and server.connections == 3


def test_a_connection_that_dies_as_it_is_used_again_leaves_the_outcome_open(
    serve: Callable[[Answer], RawServer], session: VenueSession
) -> None:
    answered = threading.Event()

    def once(connection: socket.socket, stop: threading.Event) -> None:
        if answered.is_set():
            connection.shutdown(socket.SHUT_RDWR)  # read whole, and then gone without a word
            return
        answered.set()
        ok(connection, stop)

    server = serve(once)
    session.exchange("POST", server.url, data={"order": "1"})
    with pytest.raises(ReplyLost):
        session.exchange("POST", server.url, data={"order": "2"})
    assert len(server.requests) == 2 and server.connections == 1


def test_words_of_a_farewell_on_an_idle_connection_are_no_answer_to_the_next_request(
    serve: Callable[[Answer], RawServer], session: VenueSession
) -> None:
    farewell = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 5\r\n\r\nlater"
    server = serve(
        lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + farewell)
    )
    for _ in range(3):
        assert session.exchange("POST", server.url).body == b"hi"
    assert len(server.requests) == 3


# -- elsewhere ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed_and_its_target_not_even_looked_at(
    serve: Callable[[Answer], RawServer], session: VenueSession, method: str, status: int
) -> None:
    elsewhere = serve(ok)
    for target in (elsewhere.url, "http://[broken", "ftp://x", "//\u00fc\u00fc"):
        moved = f"HTTP/1.1 {status} Moved\r\nLocation: {target}".encode()
        assert session.exchange(method, serve(saying(moved)).url, data={"order": "1"}).status == status
    assert elsewhere.connections == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_never_see_a_request(
    serve: Callable[[Answer], RawServer], session: VenueSession, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    proxy, server = serve(ok), serve(ok)
    monkeypatch.setenv(name, proxy.url)
    assert session.exchange("POST", server.url, data={"order": "1"}).status == 200
    assert proxy.connections == 0 and len(server.requests) == 1


def test_passwords_of_a_netrc_go_to_nobody(
    serve: Callable[[Answer], RawServer], session: VenueSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(ok)
    session.exchange("POST", server.url)
    assert b"authorization" not in server.requests[0].lower()


# -- sizes ----------------------------------------------------------------------------------------------------------
def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(256)) + packer.flush()


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found\r\nLocation: http://127.0.0.1:1/", b"500 No"])
@pytest.mark.parametrize("kind", ["large", "bomb", "bomb in a bomb"])
def test_a_body_that_is_too_large_is_left_also_when_it_only_unpacks_to_it(
    serve: Callable[[Answer], RawServer], session: VenueSession, status: bytes, kind: str
) -> None:
    body = bytes(3 * MEBIBYTE) if kind == "large" else bomb()
    body = gzip.compress(body) if kind == "bomb in a bomb" else body
    encoding = {"large": b"identity", "bomb": b"gzip", "bomb in a bomb": b"gzip, gzip"}[kind]
    server = serve(saying(b"HTTP/1.1 " + status + b"\r\nContent-Encoding: " + encoding, body))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ReplyLost, match="larger"):
        session.exchange("POST", server.url)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "kibibytes"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"Z: z",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"HTTP/9.9 abc",
        b"SSH-2.0-OpenSSH_9.6",
    ],
    ids=["two lengths", "bad chunks", "not gzip", "many headers", "long header", "no status", "not HTTP"],
)
def test_an_answer_that_is_no_proper_http_is_lost(
    serve: Callable[[Answer], RawServer], session: VenueSession, head: bytes
) -> None:
    server = serve(saying(head, b"nothing of use"))
    with pytest.raises(ReplyLost):
        session.exchange("POST", server.url, call_seconds=1)
    assert len(server.requests) == 1


# -- TLS ------------------------------------------------------------------------------------------------------------
def certificate(folder: Path, *, name: str = "127.0.0.1", days: int = 1) -> Path:
    """A certificate that nobody else signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today)
        .not_valid_after(today + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


class TlsServer:
    """Speaks TLS with one certificate and counts the requests that came through it."""

    def __init__(self, file: Path) -> None:
        self.requests = 0
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), closing(plain), self._context.wrap_socket(plain, server_side=True) as secure:
                if secure.recv(65536):
                    self.requests += 1
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.mark.parametrize("how", [{"days": 365 * 30}, {"days": 1}, {"days": 365 * 30, "name": "elsewhere.invalid"}])
def test_a_certificate_that_is_not_good_means_not_sent_and_nothing_is_sent_without_looking(
    session: VenueSession, tmp_path: Path, how: dict[str, int | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path, **how)  # type: ignore[arg-type]
    # Even if the environment says that these are certificates to trust.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(file))
    server = TlsServer(file)
    try:
        with pytest.raises(RequestNotSent, match=r"(?i)certificate"):
            session.exchange("POST", server.url, data={"order": "1"})
        assert server.requests == 0 and server.connections == 1
    finally:
        server.close()


@pytest.mark.parametrize("answer", [never, lambda connection, _: connection.sendall(b"HTTP/1.1 400 Plain\r\n\r\n")])
def test_a_handshake_that_hangs_or_is_none_is_cut_and_means_not_sent(
    serve: Callable[[Answer], RawServer], session: VenueSession, answer: Answer
) -> None:
    server = serve(answer)
    clock = SystemClock()
    started = clock.monotonic()
    with pytest.raises(RequestNotSent):
        session.exchange("POST", server.url.replace("http:", "https:"), data={"order": "1"}, call_seconds=0.3)
    assert clock.monotonic() - started < 2
    assert not any(b"order" in request for request in server.requests)


# -- the machine ----------------------------------------------------------------------------------------------------
def test_a_process_without_free_descriptors_sends_nothing_and_goes_on_when_there_are_some(
    serve: Callable[[Answer], RawServer], session: VenueSession
) -> None:
    server = serve(ok)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open("/dev/null") as probe:
        lowest_free = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with pytest.raises(RequestNotSent):
            session.exchange("POST", server.url, data={"order": "1"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert server.requests == []
    assert session.exchange("POST", server.url, data={"order": "1"}).status == 200


def test_a_venue_nobody_reaches_costs_the_calls_to_another_nothing(serve: Callable[[Answer], RawServer]) -> None:
    clock = SystemClock()
    reaper = CallReaper(clock)
    dead, well = serve(never), serve(ok)
    stuck = [VenueSession(reaper, LIMITS) for _ in range(10)]
    threads = [threading.Thread(target=_lose, args=(session, dead.url)) for session in stuck]
    for thread in threads:
        thread.start()
    with VenueSession(reaper, LIMITS) as session:
        started = clock.monotonic()
        for _ in range(20):
            assert session.exchange("POST", well.url).status == 200
        assert clock.monotonic() - started < 1.5
    assert any(thread.is_alive() for thread in threads), "they were still stuck"
    for thread in threads:
        thread.join(10)
    reaper.close()


def _lose(session: VenueSession, url: str) -> None:
    with session, suppress(ReplyLost, RequestNotSent):
        session.exchange("POST", url, call_seconds=2)
