"""Calls to addresses an operator has named: bounded in time and size, not redirected, not into the own network.

Who can write the address of a webhook must not make the bot ask the cloud's metadata service or a neighbour for
something. A name is looked up once, every address behind it is judged, and the connection goes to what was judged.
"""

import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from bot.notifications.delivery import NotDelivered
from bot.seams.clock import Clock

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

LARGEST_ANSWER = 1_000_000
TIMEOUT_SECONDS = 10.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(ValueError):
    """The address may not be called. The message says why, without what may be secret in it."""


@dataclass(frozen=True)
class Answer:
    """`headers` by their names in small letters: servers differ in how they write them."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def check_url(url: str, *, allow_private: bool) -> SplitResult:
    """The parts of an address that may be called, as far as can be said without a look-up. Raises `AddressRefused`."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressRefused("it is not an address such as https://host/path") from error
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise AddressRefused("it is not an address such as https://host/path")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("a user name or password before @ is not taken")
    if not allow_private:
        if parts.scheme == "http":
            raise AddressRefused("it must begin with https:// (or set notifications.allow_private_hosts)")
        if (literal := _literal(host)) is not None:
            _refuse_private(host, literal)
    return parts


class Outgoing:
    """Calls, one at a time. `cut` may come from another thread and ends the one that hangs."""

    def __init__(self, clock: Clock, *, allow_private: bool) -> None:
        self._clock = clock
        self._allow_private = allow_private
        self._socket: socket.socket | None = None

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """One request; a redirect is an answer like any other. Raises `NotDelivered`."""
        deadline = self._clock.monotonic() + timeout_seconds
        host = "the address"
        try:
            parts = check_url(url, allow_private=self._allow_private)
            host = parts.hostname or host
            connection = self._open(parts, deadline)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body=body, headers={"User-Agent": "nija", **(headers or {})})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, answer.read(LARGEST_ANSWER), headers)
        except AddressRefused as error:
            raise NotDelivered(str(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotDelivered(f"{host} cannot be reached or does not answer: {_words(error)}") from error
        finally:
            self._close()

    def cut(self) -> None:
        """Shut the connection that is open, if any."""
        if (open_one := self._socket) is not None:
            with contextlib.suppress(OSError):  # it may be closed already
                open_one.shutdown(socket.SHUT_RDWR)

    def _open(self, parts: SplitResult, deadline: float) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        plain = self._connect(host, port, deadline)
        self._socket = plain
        if parts.scheme == "https":
            plain.settimeout(self._left(deadline))
            self._socket = plain = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        connection = http.client.HTTPConnection(host, port)
        if parts.scheme == "https":
            connection.default_port = 443  # which a Host header leaves out
        connection.sock = _Bounded(plain, deadline, self._clock)
        return connection

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        found = [entry[4] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not self._allow_private:
            for address in found:
                _refuse_private(host, ipaddress.ip_address(str(address[0]).partition("%")[0]))
        failure: OSError = OSError("it has no address")
        for address in found:
            try:
                return socket.create_connection((str(address[0]), port), timeout=self._left(deadline))
            except OSError as error:
                failure = error
        raise failure

    def _left(self, deadline: float) -> float:
        return max(0.05, deadline - self._clock.monotonic())

    def _close(self) -> None:
        closing, self._socket = self._socket, None
        if closing is not None:
            closing.close()


class _Bounded:
    """A socket for one request, with one deadline for all of it: an answer that trickles must not hold anybody."""

    def __init__(self, plain: socket.socket, deadline: float, clock: Clock) -> None:
        self._plain = plain
        self._deadline = deadline
        self._clock = clock

    def hurry(self) -> None:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        self._plain.settimeout(left)

    def sendall(self, data: "ReadableBuffer") -> None:
        self.hurry()
        self._plain.sendall(data)

    def makefile(self, _mode: str = "rb") -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self, self._plain))

    def close(self) -> None:
        """Whoever opened it closes it, when the answer has been read."""


class _Incoming(io.RawIOBase):
    def __init__(self, bounded: _Bounded, plain: socket.socket) -> None:
        super().__init__()
        self._bounded = bounded
        self._plain = plain

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._bounded.hurry()
        return self._plain.recv_into(buffer)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refuse_private(host: str, address: Address) -> None:
    """Every address that an IPv6 one has inside counts too."""
    inside: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        inside += [one for one in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if one is not None]
        if address in _NAT64:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            inside.remove(address)  # it stands for the other one alone
    if any(not one.is_global or one.is_multicast for one in inside):
        raise AddressRefused(
            f"{host} is in a private network, which may not be called (notifications.allow_private_hosts allows it)"
        )


def _words(error: Exception) -> str:
    """What went wrong; never the address, whose path may be a secret."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it took too long" if isinstance(error, TimeoutError) else type(error).__name__
