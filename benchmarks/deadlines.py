"""How late a call ends after its deadline, against peers that mean to hold it for ever.

    python benchmarks/deadlines.py --calls 200 --seconds 5 [--json]

Every call is one of a broker's own kind, with a session of its own, all at once, over real sockets: peers that take
the connection and say nothing, that drip the head or the body a byte at a time, that hang or drip in the TLS
handshake, that answer forever. The worst overshoot is what counts. The peers are a process of their own, so that the
calls share their interpreter with each other and nobody else.
"""

import argparse
import contextlib
import json
import multiprocessing
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from bot.brokers.call_reaper import CallReaper  # noqa: E402
from bot.brokers.http_session import CallLimits, ReplyLost, RequestNotSent, VenueSession  # noqa: E402
from bot.seams.clock import SystemClock  # noqa: E402

GOAL_MILLISECONDS = 100.0
DRIP_SECONDS = 0.05
Peer = Callable[[socket.socket, threading.Event], None]


def say_nothing(_: socket.socket, stop: threading.Event) -> None:
    stop.wait()


def drip_head(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(connection, stop)


def drip_body(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    _drip(connection, stop)


def drip_chunks(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    _drip(connection, stop, b"1\r\nx\r\n")


def drip_handshake(connection: socket.socket, stop: threading.Event) -> None:
    """The head of a TLS record that announces 16 KiB, and then a byte of it now and then."""
    connection.sendall(b"\x16\x03\x03\x40\x00")
    _drip(connection, stop, b"\x02")


def _drip(connection: socket.socket, stop: threading.Event, piece: bytes = b"x") -> None:
    while not stop.wait(DRIP_SECONDS):
        connection.sendall(piece)


@dataclass(frozen=True)
class Manner:
    """A way to hold a call. `tls` = the caller speaks TLS; `answers_tls` = so does the peer, before it misbehaves."""

    name: str
    peer: Peer
    tls: bool = False
    answers_tls: bool = False


MANNERS = (
    Manner("says nothing", say_nothing),
    Manner("drips the head", drip_head),
    Manner("drips the body", drip_body),
    Manner("drips chunks", drip_chunks),
    Manner("hangs in the TLS handshake", say_nothing, tls=True),
    Manner("drips in the TLS handshake", drip_handshake, tls=True),
    Manner("drips the head under TLS", drip_head, tls=True, answers_tls=True),
    Manner("drips the body under TLS", drip_body, tls=True, answers_tls=True),
)


class SlowServer:
    """Takes connections on loopback and holds each in one manner until it is closed."""

    def __init__(self, manner: Manner, context: ssl.SSLContext) -> None:
        self._manner = manner
        self._context = context if manner.answers_tls else None
        self._stop = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        scheme = "https" if manner.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/0/private/AddOrder"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def _hold(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context is not None:
                with self._context.wrap_socket(connection, server_side=True) as wrapped:
                    self._manner.peer(wrapped, self._stop)
            else:
                self._manner.peer(connection, self._stop)

    def close(self) -> None:
        self._stop.set()
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@dataclass(frozen=True)
class Call:
    """How one call ended."""

    manner: str
    overshoot_seconds: float
    outcome: str


def measure(calls: int, seconds: float, certificate: Path) -> list[Call]:
    """Make so many calls at once, each with a deadline of so many seconds; how each ended, in no order."""
    clock, ended = SystemClock(), list[Call]()
    reaper = CallReaper(clock)
    with _peers(certificate) as urls:
        start = threading.Barrier(calls)

        def call(number: int) -> None:
            manner, url = MANNERS[number % len(MANNERS)], urls[number % len(MANNERS)]
            # Longer than the deadline: nothing but the reaper may end the call.
            limits = CallLimits(connect_seconds=10 * seconds, read_seconds=10 * seconds, call_seconds=seconds)
            with VenueSession(reaper, limits) as session:
                session.verify = str(certificate)
                start.wait(60)
                began, outcome = clock.monotonic(), "answered"
                try:
                    session.exchange("POST", url, data={"order": "1"})
                except (RequestNotSent, ReplyLost) as error:
                    outcome = type(error).__name__
                ended.append(Call(manner.name, clock.monotonic() - began - seconds, outcome))

        threads = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 60)
    reaper.close()
    if len(ended) < calls:
        raise AssertionError(f"{calls - len(ended)} of {calls} calls have not ended a minute after their deadline")
    return ended


@contextlib.contextmanager
def _peers(certificate: Path) -> Iterator[Sequence[str]]:
    """Where the peers listen, one for each manner, while their process runs."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    child = processes.Process(target=_serve, args=(theirs, certificate), daemon=True)
    child.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        child.join(10)
        child.kill()


def _serve(parent: Connection, certificate: Path) -> None:
    """The peers' process: it ends when the other side of the pipe is closed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    servers = [SlowServer(manner, context) for manner in MANNERS]
    parent.send([server.url for server in servers])
    with contextlib.suppress(EOFError):
        parent.recv()
    for server in servers:
        server.close()


def write_certificate(path: Path) -> Path:
    """A key and a certificate of our own for 127.0.0.1, good for this run."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200, help="how many at once (default 200)")
    parser.add_argument("--seconds", type=float, default=5.0, help="deadline of each (default 5)")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        ended = measure(arguments.calls, arguments.seconds, write_certificate(Path(directory) / "loopback.pem"))
    worst = {
        manner.name: 1000 * max(call.overshoot_seconds for call in ended if call.manner == manner.name)
        for manner in MANNERS
        if any(call.manner == manner.name for call in ended)
    }
    overall = max(worst.values())
    if arguments.json:
        figures = {"calls": len(ended), "seconds": arguments.seconds, "worst_ms": overall, "worst_ms_by_manner": worst}
        print(json.dumps(figures, indent=2))
    else:
        for name, milliseconds in worst.items():
            print(f"{name:<28} {milliseconds:>8.1f} ms after the deadline at worst")
        print(f"{len(ended)} calls at once, deadline {arguments.seconds:g} s: worst {overall:.1f} ms late")
    return 0 if overall <= GOAL_MILLISECONDS and all(call.outcome != "answered" for call in ended) else 1


if __name__ == "__main__":
    sys.exit(main())
