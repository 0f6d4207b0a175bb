"""One HTTP conversation with a venue: bounded in time and size, sent once, never redirected, no proxy from outside.

Nothing here tries again: not for a status, not for a connection that died, not for a certificate.

The two exceptions say what an order needs to know: certainly not sent, or perhaps processed.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from bot.brokers.call_reaper import BoundedCall, CallReaper, Progress
from bot.brokers.connections import WatchedAdapter
from bot.brokers.resolver import Resolver
from bot.supervision.heart import during

MEBIBYTE = 1024 * 1024
MAX_BODY_BYTES = 2 * MEBIBYTE
CHUNK_BYTES = 64 * 1024
# Binance's header, in small letters, as names of headers are compared.
USED_WEIGHT = "x-mbx-used-weight-1m"
MAX_RETRY_AFTER_SECONDS = 600.0
Params = Mapping[str, str | int | bool | Sequence[str]]


# Headers of ours that hold nothing to be kept from anybody.
_NO_KEYS = frozenset(
    {"user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length", "host"}
)
SHORTEST_KEY = 8


class RequestNotSent(Exception):
    """No byte of the request left: the connection (with its TLS) could not be opened."""


class SessionClosed(RequestNotSent):
    """The account's own session is closed for good; this says nothing about the venue."""


class ReplyLost(Exception):
    """The request may have arrived; there is no complete answer."""


class ReplyCut(ReplyLost):
    """Lost because the account's own session was closed meanwhile."""


@dataclass(frozen=True)
class HttpReply:
    """A complete answer. `retry_after_seconds` is the venue's wish, if it had a sensible one.

    `used_weight`: how much of this minute's allowance the address has used up, whoever used it, where the venue says.
    """

    status: int
    body: bytes
    retry_after_seconds: float | None = None
    used_weight: int | None = None


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """Seconds to open a connection, between two reads, and for one whole call."""

    connect_seconds: float = 3.05
    read_seconds: float = 5.0
    call_seconds: float = 5.0


class VenueSession(requests.Session):
    """A session of one account: one thread uses it. Any other thread may close it, for good."""

    def __init__(self, reaper: CallReaper, limits: CallLimits, resolver: Resolver | None = None) -> None:
        super().__init__()
        self.trust_env = False  # no proxy, no netrc and no other certificates from the environment
        resolver = resolver or Resolver(reaper.clock)
        self.mount("http://", WatchedAdapter(resolver))
        self.mount("https://", WatchedAdapter(resolver))
        self._reaper = reaper
        self._limits = limits
        self._closing = threading.Lock()
        self._closed = False
        self._call: BoundedCall | None = None

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would look at the target, and read a redirect's whole body, even where it must not follow."""
        return

    def close(self) -> None:
        """For good: whoever still holds this session sends nothing more through it.

        A call that another thread is in ends now: its connections, and any that it would still open, are cut. What it
        has sent by then may have arrived.
        """
        with self._closing:
            self._closed = True
            call = self._call
        if call is not None:
            call.cut()
        super().close()

    @contextlib.contextmanager
    def _bound(self, seconds: float) -> Iterator[BoundedCall]:
        """A bounded call that `close` ends as well. Raises `SessionClosed`."""
        with self._reaper.bound(seconds) as call:
            with self._closing:
                if self._closed:
                    raise SessionClosed("this account's session is closed")
                self._call = call
            try:
                yield call
            finally:
                self._call = None

    def exchange(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        data: Mapping[str, object] | bytes | None = None,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        call_seconds: float | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> HttpReply:
        """Send once and read the whole answer. Raises `RequestNotSent` or `ReplyLost`; any status is returned."""
        seconds = self._limits.call_seconds if call_seconds is None else call_seconds
        with during(f"calling {method} {urlsplit(url).path}", seconds), self._bound(seconds) as call:
            try:
                request = requests.Request(method, url, {**self.headers, **(headers or {})}, None, data, params)
                request.json = json
                response = self._send_once(request.prepare(), seconds)
                with contextlib.closing(response):
                    body = without_keys(_read(response, max_body_bytes), request.headers)
            except Exception as error:  # whatever went wrong, the request may be with the venue
                raise self._lost_or_not_sent(error, call, seconds) from error
            if call.overdue:
                # Headers that break off look to the library like headers that ended.
                raise self._cut(seconds)
        told = response.headers
        return HttpReply(
            response.status_code, body, retry_after(told.get("Retry-After")), whole_number(told.get(USED_WEIGHT))
        )

    def _send_once(self, request: requests.PreparedRequest, seconds: float) -> requests.Response:
        """Straight to the adapter. What lies between would follow redirects and keep cookies and a history, none of
        which we want, at a fifth of a call's price.
        """
        limits = self._limits
        timeout = (min(limits.connect_seconds, seconds), min(limits.read_seconds, seconds))
        assert request.url is not None
        adapter, verify = self.get_adapter(request.url), True if self.verify is None else self.verify
        return adapter.send(request, timeout=timeout, stream=True, verify=verify, cert=self.cert, proxies={})

    def _lost_or_not_sent(self, error: Exception, call: BoundedCall, seconds: float) -> RequestNotSent | ReplyLost:
        if isinstance(error, ReplyLost):
            return error
        never_connected = isinstance(error, requests.ConnectTimeout) or _is_no_connection(error)
        if call.progress is Progress.CONNECTING or (never_connected and call.progress is Progress.UNKNOWN):
            kind = SessionClosed if self._closed else RequestNotSent
            return kind(f"no connection: {_cause(error)}")
        return self._cut(seconds) if call.overdue else ReplyLost(_cause(error))

    def _cut(self, seconds: float) -> ReplyLost:
        if self._closed:
            return ReplyCut("this account's session was closed")
        return ReplyLost(f"no complete answer within {seconds:g} s")


def _read(response: requests.Response, max_body_bytes: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        body += chunk
        if len(body) > max_body_bytes:
            raise ReplyLost(f"the answer is larger than {max_body_bytes} bytes")
    return bytes(body)


def without_keys(body: bytes, headers: Mapping[str, str]) -> bytes:
    """An answer that says our own key back to us, as those of proxies in between do, is read without it.

    Whatever is said of it later, in rows, on pages and to people, then has no key in it either.
    """
    for name, value in headers.items():
        if name.lower() in _NO_KEYS or "time" in name.lower():
            continue
        for word in str(value).split():
            for form in (word, word.replace("/", "\\/")) if len(word) >= SHORTEST_KEY else ():
                body = body.replace(form.encode(), b"***") if form.encode() in body else body
    return body


def _is_no_connection(error: Exception) -> bool:
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    return isinstance(reason, NewConnectionError)  # refused, no route, name not resolved


def _cause(error: BaseException) -> str:
    """The innermost words, without URL and object addresses."""
    reason: object = error
    while isinstance(reason, BaseException) and reason.args and isinstance(reason.args[0], BaseException):
        reason = reason.args[0]
    if isinstance(reason, MaxRetryError) and reason.reason is not None:
        reason = reason.reason
    words = str(reason).rpartition(": ")[2] if isinstance(reason, NewConnectionError) else str(reason)
    return f"{type(error).__name__}: {words[:200]}"


def retry_after(text: str | None) -> float | None:
    """Whole seconds of a `Retry-After`, capped; a date or nonsense counts as none."""
    seconds = whole_number(text)
    return None if seconds is None else min(float(seconds), MAX_RETRY_AFTER_SECONDS)


def whole_number(text: str | None) -> int | None:
    """What a header says in digits alone; anything else counts as not said."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return int(text)
