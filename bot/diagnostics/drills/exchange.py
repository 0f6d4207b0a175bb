"""A drill's own paper exchange: faults on order, and the journal that everything is judged by."""

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from bot.brokers.call_reaper import CallReaper
from bot.brokers.credentials import Credentials
from bot.brokers.http_session import CallLimits, ReplyLost, RequestNotSent, VenueSession
from bot.brokers.paper_venue import TOKEN_HEADER, PaperVenue
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef
from bot.domain.errors import UnreadableReply
from bot.domain.money import plain
from bot.seams.clock import Clock
from bot.settings import Settings

Line = Mapping[str, Any]
MOST_BYTES = 256 * 1024 * 1024
LIMITS = CallLimits(connect_seconds=2.0, read_seconds=10.0, call_seconds=20.0)
# The master's owner trades with the same key as the bot, so that nonces arrive out of order.
NONCE_WINDOW_NS = 60_000_000_000


class DrillExchange:
    """Starts `python -m paper_exchange` on free ports; ends it with `close`. Its market stands still.

    Calls raise `ConfigurationError` or `UnreadableReply` when it does not answer as it should.
    """

    def __init__(self, venue: PaperVenue, clock: Clock) -> None:
        self.venue = venue
        self._reaper = CallReaper(clock)

    @classmethod
    def start(cls, directory: Path, clock: Clock) -> Self:
        made = cls(PaperVenue.start(state_dir=directory, clock=clock, stock_session="always_open"), clock)
        made.venue.control("POST", "/market/pause", {"paused": True})
        return made

    def close(self) -> None:
        self.venue.close()
        self._reaper.close()

    # -- accounts ---------------------------------------------------------------------------------------------------
    def open_master(self, account: AccountRef, settings: Settings) -> None:
        """Before the bot does, because only a new account can be given room for nonces out of order."""
        balance = next(item.paper_balance for item in settings.masters if item.broker is account.broker)
        body: dict[str, object] = {
            "brokerage": str(settings.paper_front_of(account.broker)),
            "name": account.venue_account_name,
            "balances": {settings.quote_currency_of(account.broker): plain(balance)},
            "nonce_window": NONCE_WINDOW_NS,
        }
        if settings.kraken.tier is not None:
            body |= {"tier": settings.kraken.tier, "strict": True}
        self.venue.control("POST", "/accounts", body)

    def access(self, account: AccountRef, settings: Settings) -> VenueAccess:
        """What opens an account that is open already; the keys are the exchange's own."""
        front = settings.paper_front_of(account.broker)
        currency = settings.quote_currency_of(account.broker)
        credentials: Credentials = self.venue.open_account(account, Decimal(0), currency=currency, front=front)
        return self.venue.access(front, credentials)

    # -- faults -----------------------------------------------------------------------------------------------------
    def fault(self, kind: str, *, times: int | None, match: Mapping[str, object], **more: object) -> int:
        """Order a fault; returns its number. `times` None = until it is cleared."""
        body = {"match": dict(match), "action": {"kind": kind, **more}, "times": times}
        return int(str(self.venue.control("POST", "/faults", body)["id"]))

    def struck(self, numbers: Collection[int]) -> int:
        """How often these faults have happened."""
        faults = json.loads(self._read("/faults"))
        return sum(int(fault["applied"]) for fault in faults if fault["id"] in numbers)

    def clear_faults(self, numbers: Collection[int]) -> None:
        """From now on these do not happen any more."""
        for number in numbers:
            self.venue.control("DELETE", f"/faults/{number}")

    # -- the journal ------------------------------------------------------------------------------------------------
    def seq(self) -> int:
        """The number of the newest line."""
        return int(str(self.venue.control("GET", "/health")["journal_seq"]))

    def journal(self, since: int = 0) -> Sequence[Line]:
        """Lines numbered above `since`, oldest first."""
        return [json.loads(line) for line in self._read(f"/journal?since={since}").splitlines()]

    def _read(self, path: str) -> bytes:
        endpoint = self.venue.endpoint
        with contextlib.closing(VenueSession(self._reaper, LIMITS)) as session:
            try:
                reply = session.exchange(
                    "GET",
                    f"{endpoint.control_url}{path}",
                    headers={TOKEN_HEADER: endpoint.token},
                    max_body_bytes=MOST_BYTES,
                )
            except (RequestNotSent, ReplyLost) as error:
                raise UnreadableReply(f"the drill's exchange does not answer: {error}") from error
        if reply.status != 200:
            raise UnreadableReply(f"the drill's exchange: HTTP {reply.status}")
        return reply.body
