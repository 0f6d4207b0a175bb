"""What can be known of a venue without a key: its name, its answer, its clock, its word, its public socket."""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from bot.brokers.http_session import CallLimits, HttpReply, ReplyLost, RequestNotSent, VenueSession
from bot.brokers.shared_parts import SharedParts, kraken_tier
from bot.brokers.web_socket import NotConnected, WebSocket, connect
from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.diagnostics.doctor.venue_pages import Pages, document_of, pages_of, words_of
from bot.domain.account import BrokerType
from bot.domain.errors import UnreadableReply
from bot.settings import Settings

CHECK_SECONDS = 10.0
NAME_SECONDS = 4.0
LIMITS = CallLimits(connect_seconds=5.0, read_seconds=CHECK_SECONDS, call_seconds=CHECK_SECONDS)
# The bot signs by the venue's own time, so that a skew does not stop it; books, days and logs are dated by this clock.
SKEW_WORTH_A_WORD = timedelta(seconds=2)
SKEW_TOO_LARGE = timedelta(seconds=60)
FORBIDDEN, RESTRICTED, TOO_MANY, BANNED = 403, 451, 429, 418
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SET_THE_CLOCK = "set this machine's clock by the network, on Linux: timedatectl set-ntp true"
_OTHER_NETWORK = "look whether this machine is on the internet: another network, a firewall, the name server"

Doing = Callable[[str], None]


@dataclass(frozen=True)
class VenuePlace:
    """Where a venue is reached: the REST base URL and its public WebSocket, if the bot listens to one."""

    broker: BrokerType
    base_url: str
    public_socket: str | None = None

    @property
    def name(self) -> str:
        return self.broker.proper_name

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or self.base_url


class VenueLook:
    """`examine` yields the findings as they come; `reached` says then whether it is worth trying keys."""

    def __init__(self, place: VenuePlace, settings: Settings, shared: SharedParts, doing: Doing) -> None:
        self._place = place
        self._settings = settings
        self._shared = shared
        self._doing = doing
        self._session = VenueSession(shared.reaper, LIMITS, shared.resolver)
        self.reached = False

    def close(self) -> None:
        self._session.close()

    def examine(self) -> Iterator[Finding]:
        unknown = self._resolve()
        if unknown is not None:
            yield unknown
            return
        pages = pages_of(self._place.broker)
        yield from self._first_answer(pages)
        if self.reached:
            yield from self._status(pages)
            yield self._socket()
        yield rate_limits(self._place, self._settings)

    # -- reached? ---------------------------------------------------------------------------------------------------
    def _resolve(self) -> Finding | None:
        self._doing("its name")
        try:
            self._shared.resolver.addresses(self._place.host, within_seconds=NAME_SECONDS)
        except OSError as error:
            return bad("VEN-02", f"{self._place.name}: {error}", _OTHER_NETWORK)
        return None

    def _first_answer(self, pages: Pages) -> Iterator[Finding]:
        self._doing("its time")
        clock = self._shared.clock
        begun, begun_at = clock.monotonic(), clock.now()
        reply = self._get(pages.time_path)
        if isinstance(reply, Finding):
            yield reply
            return
        took = timedelta(seconds=clock.monotonic() - begun)
        refusal = refusal_of(self._place, reply, needs_key=pages.time is None)
        if refusal is not None:
            yield refusal
            return
        self.reached = True
        yield ok("VEN-01", f"{self._place.name} answers in {_milliseconds(took)} ms ({self._place.host})")
        if pages.time is None:
            return
        try:
            told = pages.time(document_of(reply.body, where=f"{self._place.name}'s time"))
        except UnreadableReply as error:
            yield warn("VEN-04", f"{self._place.name} does not tell its time: {error}", "run doctor again in a minute")
        else:
            yield skew(self._place.name, begun_at + took / 2 - told, resolution_seconds=pages.resolution_seconds)

    def _get(self, path: str) -> HttpReply | Finding:
        place = self._place
        try:
            return self._session.exchange("GET", f"{place.base_url.rstrip('/')}{path}", call_seconds=CHECK_SECONDS)
        except RequestNotSent as error:
            return bad("VEN-01", f"{place.name} is not reached at {place.host}: {error}", _OTHER_NETWORK)
        except ReplyLost as error:
            fix = f"run doctor again; if it stays so, look at {place.name}'s status page, and at a firewall in between"
            return bad("VEN-07", f"{place.name} takes the connection and does not answer: {error}", fix)

    # -- what it says of itself -------------------------------------------------------------------------------------
    def _status(self, pages: Pages) -> Iterator[Finding]:
        name = self._place.name
        if pages.status is None:
            yield note("VEN-05", f"{name} has no page for its status that needs no key; its answer stands for it")
            return
        self._doing("its status")
        reply = self._get(pages.status_path)
        if isinstance(reply, Finding):
            yield reply
            return
        fix = f"wait until {name} has ended it; positions are looked after as far as it lets them"
        try:
            status = pages.status(document_of(reply.body, where=f"{name}'s status"))
        except UnreadableReply as error:
            yield warn("VEN-05", f"{name}'s status cannot be read (HTTP {reply.status}): {error}", fix)
            return
        yield (
            ok("VEN-05", f"{name} says: {status.words}")
            if status.trades
            else bad("VEN-05", f"{name} says: {status.words}", fix)
        )

    def _socket(self) -> Finding:
        name, url = self._place.name, self._place.public_socket
        if url is None:
            return note("VEN-08", f"NIJA listens to no public socket of {name}; prices are asked for")
        self._doing("its public socket")
        try:
            said = asyncio.run(_first_words(url, self._shared))
        except (NotConnected, OSError, TimeoutError) as error:
            fix = "a firewall or proxy may not let WebSockets through; until then prices are asked for over REST"
            return warn("VEN-08", f"{name}'s public socket: {error or type(error).__name__}", fix)
        return ok(
            "VEN-08", f"{name}'s public socket is open, and speaks" if said else f"{name}'s public socket is open"
        )


async def _first_words(url: str, shared: SharedParts) -> bool:
    """Whether the venue said something of itself soon after the handshake. Raises `NotConnected` or OSError."""
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    heard: asyncio.Future[None] = loop.create_future()

    def hear(_text: bytes) -> None:
        if not heard.done():
            heard.set_result(None)

    addresses = shared.resolver.addresses(parts.hostname or "", within_seconds=NAME_SECONDS)
    tls = ssl.create_default_context() if parts.scheme == "wss" else None
    made: WebSocket = await connect(
        f"{url.rstrip('/')}/v2",
        addresses=addresses,
        tls=tls,
        within_seconds=CHECK_SECONDS / 2,
        on_text=hear,
        on_gone=lambda _why: None,
    )
    try:
        async with asyncio.timeout(CHECK_SECONDS / 3):
            await heard
    except TimeoutError:
        return False
    finally:
        made.close()
    return True


def refusal_of(place: VenuePlace, reply: HttpReply, *, needs_key: bool) -> Finding | None:
    """Why an answer to a public question means that nobody here is served; None when it is a good one."""
    said = f"HTTP {reply.status}: {words_of(reply.body) or 'no words'}"
    if reply.status == RESTRICTED or (reply.status == FORBIDDEN and not needs_key):
        fix = (
            f"{place.name} refuses this machine's address, mostly because of its country or because it is a data "
            "centre's: run NIJA where you may trade there, or switch this brokerage off"
        )
        return bad("VEN-03", f"{place.name} does not serve this region ({said})", fix)
    if reply.status in (TOO_MANY, BANNED):
        fix = "something on this address asks too often; stop it, and wait some minutes before the next try"
        return bad("VEN-01", f"{place.name} turns this address away ({said})", fix)
    if reply.status >= 500:
        fix = f"look at {place.name}'s status page; run doctor again when it is over"
        return bad("VEN-01", f"{place.name} is out of order ({said})", fix)
    if reply.status >= 400 and not needs_key:
        fix = f"is the rest_url of {place.broker} in nija.yaml right? It is {place.base_url}"
        return bad("VEN-01", f"{place.name} does not know its own page ({said})", fix)
    return None


def skew(venue: str, ahead: timedelta, *, resolution_seconds: float = 0.0) -> Finding:
    """How far this machine's clock is ahead of a venue's, as a finding."""
    # A time in whole seconds is up to one second late: half of that is taken off, and as much may be left.
    ahead -= timedelta(seconds=resolution_seconds / 2)
    size, margin = abs(ahead), timedelta(seconds=resolution_seconds / 2)
    direction = "ahead of" if ahead > timedelta(0) else "behind"
    exact = " (give or take half a second: it tells whole ones)" if margin else ""
    text = f"this machine's clock is {_shown(size)} {direction} {venue}'s{exact}"
    if size > SKEW_TOO_LARGE:
        return bad("VEN-04", text, _SET_THE_CLOCK)
    if size > SKEW_WORTH_A_WORD + margin:
        return warn("VEN-04", text, _SET_THE_CLOCK)
    return ok("VEN-04", text)


def rate_limits(place: VenuePlace, settings: Settings) -> Finding:
    if place.broker is not BrokerType.KRAKEN:
        return note("VEN-06", f"{place.name}: the pace of one key and of one address is kept, as the settings say")
    tier = kraken_tier(settings)
    if tier is None:
        return note("VEN-06", "Kraken: no rate limits are kept, as paper mode may")
    if settings.kraken.tier is None:
        return note("VEN-06", "Kraken: the limits of the starter tier are kept; if yours is higher, set kraken.tier")
    return ok("VEN-06", f"Kraken: the limits of the {settings.kraken.tier} tier are kept; compare it with your account")


def proxies(names: Iterable[str]) -> Iterator[Finding]:
    for name in sorted(names):
        if name.upper() in PROXIES:
            fix = "nothing to do if this machine reaches the internet without it; else let its traffic through directly"
            yield warn("NET-01", f"{name} is set, and NIJA never uses a proxy: it connects directly", fix)


def _milliseconds(time: timedelta) -> int:
    return round(time.total_seconds() * 1000)


def _shown(time: timedelta) -> str:
    return f"{_milliseconds(time)} ms" if time < timedelta(seconds=10) else f"{time.total_seconds():.0f} s"
