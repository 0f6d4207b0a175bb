"""The local paper exchange as the bot uses it: started as a child, or found running, and asked for accounts.

The exchange is another program, reached over HTTP alone; nothing of it is imported here.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from bot.brokers.call_reaper import CallReaper
from bot.brokers.credentials import Credentials
from bot.brokers.http_session import CallLimits, ReplyLost, RequestNotSent, VenueSession
from bot.brokers.replies import as_object, decode_json, optional_text, text_of
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError, UnreadableReply
from bot.domain.money import plain
from bot.seams.clock import Clock

START_SECONDS = 20.0
STOP_SECONDS = 5.0
CONTROL_LIMITS = CallLimits(connect_seconds=2.0, read_seconds=5.0, call_seconds=5.0)
ENDPOINT_FILE = "endpoint.json"
TOKEN_HEADER = "X-Paper-Token"
PROGRAM_ROOT = Path(__file__).resolve().parents[2]
# Nothing of our own environment: it may hold keys of the real brokerages.
CHILD_ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


@dataclass(frozen=True)
class Endpoint:
    """Where a running exchange is controlled, and the addresses of each brokerage it plays.

    `socket_urls`: public and private WebSocket of those that have them.
    """

    control_url: str
    token: str
    rest_urls: Mapping[str, str]
    socket_urls: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)

    @classmethod
    def from_line(cls, fields: Mapping[str, object]) -> "Endpoint":
        """From the first line the exchange writes. Raises `UnreadableReply`."""
        control = as_object(fields.get("control"), where="paper exchange")
        venues = {name: value for name, value in fields.items() if name != "control"}
        return cls(
            text_of(control, "url", where="paper exchange"),
            text_of(control, "token", where="paper exchange"),
            _rest_urls(venues),
            _socket_urls(venues),
        )

    def to_json(self) -> str:
        venues = {name: {"rest": url} for name, url in self.rest_urls.items()}
        for name, (public, private) in self.socket_urls.items():
            venues[name] |= {"ws_auth": private} if public is None else {"ws": public, "ws_auth": private}
        return json.dumps({"control": {"url": self.control_url, "token": self.token}, **venues}) + "\n"


class PaperVenue:
    """A running paper exchange. Use `start`, `attach` or `attach_to_running`."""

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Clock,
        *,
        child: "subprocess.Popen[bytes] | None" = None,
        directory: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.endpoint = endpoint
        self._reaper = CallReaper(clock)
        self._child = child
        self._directory = directory
        self._options = tuple(options)

    @property
    def child_pid(self) -> int | None:
        """The exchange's process, if it is ours and not closed."""
        return self._child.pid if self._child is not None else None

    @classmethod
    def start(
        cls,
        *,
        state_dir: Path,
        clock: Clock,
        seed: int | None = None,
        latency_milliseconds: int = 0,
        stock_session: str | None = None,
    ) -> "PaperVenue":
        """Start the exchange as a child that ends when we end, however we end. Its state is `state_dir`/paper.

        `stock_session`: `always_open` or `calendar`; None leaves it as the state says.
        Raises `ConfigurationError` with what the exchange said when it does not come up.
        """
        directory = (state_dir / "paper").resolve()
        options = _options(latency_milliseconds, stock_session)
        child, endpoint = _launch(directory, [*_seed(seed), *options])
        return cls(endpoint, clock, child=child, directory=directory, options=options)

    def ended(self) -> bool:
        """Whether the exchange is ours and its process is gone."""
        return self._child is not None and self._child.poll() is not None

    def revive(self) -> None:
        """Start our exchange again after it ended; it goes on from its state, on the same ports.

        Raises `ConfigurationError` when it does not come up, or cannot have its ports again.
        """
        assert self._child is not None and self._directory is not None, "only an exchange of our own is started again"
        _close_pipes(self._child)
        self._child, endpoint = _launch(self._directory, self._options)
        if endpoint != self.endpoint:
            raise ConfigurationError("The paper exchange came back on other ports; restart NIJA to use it.")

    @classmethod
    def attach(cls, control_url: str, token: str, clock: Clock) -> "PaperVenue":
        """Use an exchange that somebody else runs. Raises `ConfigurationError` when it does not answer."""
        asking = cls(Endpoint(control_url.rstrip("/"), token, {}), clock)
        try:
            health = asking.control("GET", "/health")
            venues = as_object(health.get("addresses"), where="paper exchange")
            urls, sockets = _rest_urls(venues), _socket_urls(venues)
        except UnreadableReply as error:
            raise ConfigurationError(f"PAPER_EXCHANGE_CONTROL={control_url} is no paper exchange: {error}") from error
        return cls(Endpoint(control_url.rstrip("/"), token, urls, sockets), clock)

    @classmethod
    def attach_to_running(cls, state_dir: Path, clock: Clock) -> "PaperVenue | None":
        """The exchange of a bot that runs on the same state directory, or None if there is none that answers."""
        try:
            content = (state_dir / "paper" / ENDPOINT_FILE).read_bytes()
            venue = cls(Endpoint.from_line(as_object(decode_json(content, where="endpoint"), where="endpoint")), clock)
        except (OSError, UnreadableReply):
            return None
        if venue.healthy():
            return venue
        venue.close()
        return None

    def open_account(
        self,
        account: AccountRef,
        balance: Decimal,
        *,
        currency: str = "USD",
        tier: str | None = None,
        front: BrokerType | None = None,
    ) -> Credentials:
        """Open the account with `balance` of `currency`, or find it as it is; the same keys each time.

        An account of another exchange is opened at the `front` that plays it, under a name that only it has there.
        With a `tier` the exchange enforces that tier's rate limits on a new account; without one it enforces none.
        """
        body: dict[str, object] = {
            "brokerage": str(front or account.broker),
            "name": account.venue_account_name if front in (None, account.broker) else account.label,
            "balances": {currency: plain(balance)},
        }
        if tier is not None:
            body |= {"tier": tier, "strict": True}
        try:
            opened = self.control("POST", "/accounts", body)
            phrase = optional_text(opened, "api_passphrase")
            return Credentials(
                api_key=text_of(opened, "api_key", where="paper exchange"),
                api_secret=SecretStr(text_of(opened, "api_secret", where="paper exchange")),
                api_passphrase=None if not phrase else SecretStr(phrase),
            )
        except UnreadableReply as error:
            raise ConfigurationError(f"The paper exchange opened no account for {account.label}: {error}") from error

    def rest_url(self, broker: BrokerType) -> str:
        url = self.endpoint.rest_urls.get(str(broker))
        if url is None:
            raise ConfigurationError(f"The paper exchange does not play {broker}.")
        return url

    def socket_url(self, broker: BrokerType) -> str | None:
        """Of its public WebSocket; None when the exchange has none."""
        return self.endpoint.socket_urls.get(str(broker), (None, None))[0]

    def access(self, broker: BrokerType, credentials: Credentials) -> VenueAccess:
        """All ways to one brokerage of the exchange, for one account."""
        public, private = self.endpoint.socket_urls.get(str(broker), (None, None))
        return VenueAccess(
            base_url=self.rest_url(broker),
            credentials=credentials,
            mode="paper",
            ws_url=public,
            ws_auth_url=private,
        )

    def healthy(self) -> bool:
        """Whether it answers now."""
        if self._child is not None and self._child.poll() is not None:
            return False
        try:
            return self.control("GET", "/health").get("status") == "ok"
        except (UnreadableReply, ConfigurationError):
            return False

    def control(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """One call of the control API. Raises `ConfigurationError` (not reachable) or `UnreadableReply`."""
        url = f"{self.endpoint.control_url}{path}"
        # A session per call: control calls are few and come from any thread.
        with contextlib.closing(VenueSession(self._reaper, CONTROL_LIMITS)) as session:
            try:
                reply = session.exchange(method, url, json=body, headers={TOKEN_HEADER: self.endpoint.token})
            except (RequestNotSent, ReplyLost) as error:
                raise ConfigurationError(
                    f"The paper exchange at {self.endpoint.control_url} is not reachable: {error}"
                ) from error
        if reply.status != 200:
            said = reply.body[:200].decode("utf-8", errors="replace")
            raise UnreadableReply(f"HTTP {reply.status} {said}")
        return as_object(decode_json(reply.body, where="paper exchange"), where="paper exchange")

    def close(self) -> None:
        """End the exchange if it is ours; one that was attached to goes on. May be called twice."""
        self._reaper.close()
        child, self._child = self._child, None
        if child is None:
            return
        if self._directory is not None:
            (self._directory / ENDPOINT_FILE).unlink(missing_ok=True)
        _close_pipes(child)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_SECONDS)


def _launch(directory: Path, options: Sequence[str]) -> tuple["subprocess.Popen[bytes]", Endpoint]:
    """Start the program, wait until it listens, and leave its address where a shell finds it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        log = open(directory / "exchange.log", "ab")  # noqa: SIM115 - given to the child, closed below
    except OSError as error:
        raise ConfigurationError(f"The paper exchange needs {directory}, and {error.strerror}.") from error
    with log:
        child = subprocess.Popen(
            [sys.executable, "-m", "paper_exchange", "--exit-with-stdin", "--state", str(directory), *options],
            cwd=PROGRAM_ROOT,
            stdin=subprocess.PIPE,  # held open by us: its end tells the child that we are gone
            stdout=subprocess.PIPE,
            stderr=log,
            env=CHILD_ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for us; we stop it in our own order
        )
    endpoint = _await_first_line(child, directory)
    _write_private(directory / ENDPOINT_FILE, endpoint.to_json())
    return child, endpoint


def _close_pipes(child: "subprocess.Popen[bytes]") -> None:
    pipes: tuple[IO[bytes] | None, ...] = (child.stdin, child.stdout)
    for pipe in pipes:
        if pipe is not None:
            pipe.close()


def _seed(seed: int | None) -> Sequence[str]:
    return [] if seed is None else ["--seed", str(seed)]


def _options(latency_milliseconds: int, stock_session: str | None) -> Sequence[str]:
    """What holds for an exchange that is started again, too; its seed is in its state by then."""
    latency = ["--latency-ms", str(latency_milliseconds)] if latency_milliseconds else []
    session = ["--alpaca-session", stock_session.replace("_", "-")] if stock_session is not None else []
    return [*latency, *session]


def _await_first_line(child: "subprocess.Popen[bytes]", directory: Path) -> Endpoint:
    assert child.stdout is not None
    ready, _, _ = select.select([child.stdout], [], [], START_SECONDS)
    line = child.stdout.readline() if ready else b""
    try:
        return Endpoint.from_line(as_object(decode_json(line, where="its first line"), where="its first line"))
    except UnreadableReply as error:
        _end(child)
        said = _last_words(directory / "exchange.log") or "it said nothing"
        raise ConfigurationError(f"The paper exchange did not start: {said}") from error


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait(STOP_SECONDS)
    _close_pipes(child)


def _last_words(log: Path) -> str:
    """The last line written there: a sentence, or the end of a traceback."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else ""


def _rest_urls(venues: Mapping[str, object]) -> dict[str, str]:
    return {
        name: text_of(as_object(value, where="paper exchange"), "rest", where="paper exchange")
        for name, value in venues.items()
    }


def _socket_urls(venues: Mapping[str, object]) -> dict[str, tuple[str | None, str]]:
    """The public one, where there is one, and the private one."""
    found: dict[str, tuple[str | None, str]] = {}
    for name, value in venues.items():
        fields = as_object(value, where="paper exchange")
        public, private = fields.get("ws"), fields.get("ws_auth")
        if isinstance(private, str):
            found[name] = (public if isinstance(public, str) else None, private)
    return found


def _write_private(file: Path, text: str) -> None:
    """Whole or not at all, and for this user only: it holds the token."""
    temporary = file.with_name(f"{file.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    os.replace(temporary, file)
