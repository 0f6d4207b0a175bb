"""One account asked with its own key, by the classes with which the bot trades. Nothing is traded or cancelled.

In the order of the six smoke checks: pairs, balance, open orders, the private socket; the venue's status and its public
socket need no key. Whatever fails first is found by the connection, which needs no right.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.brokers.capabilities import PrivateStream
from bot.brokers.key_report import KeyReport
from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.diagnostics.doctor.key_findings import AGAIN, identity, named, refused
from bot.diagnostics.doctor.venue_look import skew
from bot.diagnostics.doctor.venue_pages import pages_of
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import NijaError
from bot.domain.instrument import Instrument
from bot.domain.money import plain
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage.identities import Pin

SOCKET_SECONDS = 8.0
LOOK_SECONDS = 0.2
# Where the master's stream alone is listened to.
_MASTERS_ONLY = (BrokerType.COINBASE, BrokerType.ALPACA)

Doing = Callable[[str], None]


@dataclass(frozen=True)
class Means:
    """What an account could trade with (quote units), for the look at the smallest orders."""

    account: AccountRef
    available: Decimal
    worth: Decimal


@dataclass
class AccountLook:
    """`examine` yields findings as they come. `means` and `identity` are known after it, as far as it came."""

    broker: BaseBroker
    settings: Settings
    clock: Clock
    doing: Doing
    pin: Pin | None = None
    means: Means | None = None
    report: KeyReport | None = None

    @property
    def label(self) -> str:
        return self.broker.account.label

    @property
    def venue(self) -> str:
        return self.broker.broker_type.proper_name

    def examine(self) -> Iterator[Finding]:
        refusal = self._connect()
        if refusal is not None:
            yield refusal
            return
        yield from self._key()
        yield from self._clock()
        for check, name in (
            (self._pairs, "its pairs"),
            (self._balance, "its balance"),
            (self._orders, "its open orders"),
            (self._socket, "its private socket"),
        ):
            self.doing(name)
            yield from check()

    # -- the key ----------------------------------------------------------------------------------------------------
    def _connect(self) -> Finding | None:
        self.doing("its key")
        try:
            connected = self.broker.connect()
        except NijaError as error:
            return refused(self.broker.account, error)
        self.report = self.broker.key_report
        if connected:
            return None
        return bad("ACC-01", f"{self.label}: {self.venue} did not connect", "run doctor again in a minute")

    def _key(self) -> Iterator[Finding]:
        report = self.report
        yield ok("ACC-01", f"{self.label}: {self.venue} takes the key")
        if report is None:
            return
        yield ok("ACC-02", f"{self.label}: rights: {report.said_by}")
        yield self._withdrawal(report)
        if report.unbound:
            fix = f"bind it to this machine's address at {self.venue}, on the page of the key"
            yield warn("ACC-13", f"{self.label}: the key is bound to no address: {report.unbound}", fix)
        yield identity(self.broker.account, report, self.pin)
        hindrance = self.broker.entry_hindrance
        if hindrance:
            yield bad("ACC-05", f"{self.label} cannot enter: {hindrance}", f"settle it with {self.venue}")
        else:
            yield ok("ACC-05", f"{self.label}: the account may trade")

    def _withdrawal(self, report: KeyReport) -> Finding:
        rights = ", ".join(report.withdraw_rights)
        if not rights:
            told = self.broker.capabilities.withdraw_right_told
            text = "no money can be withdrawn with the key" if told else f"{self.venue} tells of no right to withdraw"
            return ok("ACC-03", f"{self.label}: {text}") if told else note("ACC-03", f"{self.label}: {text}")
        fix = f"take the right away at {self.venue}: whoever has the key could empty the account"
        text = f"{self.label}: money can be withdrawn with the key ({rights})"
        if self.settings.allow_withdraw_keys:
            return warn("ACC-03", f"{text}; allow_withdraw_keys permits it", fix)
        return bad("ACC-03", f"{text}: the bot does not trade with it", fix)

    def _clock(self) -> Iterator[Finding]:
        """Where the venue tells its time only to who has a key."""
        told = self.broker.venue_now()
        if pages_of(self.broker.broker_type).time is None and told is not None and self.broker.account.is_master:
            yield skew(self.venue, self.clock.now() - told)

    # -- what it may do ---------------------------------------------------------------------------------------------
    def _pairs(self) -> Iterator[Finding]:
        try:
            pairs = self.broker.get_trading_pairs()
        except NijaError as error:
            yield self._unread("ACC-07", "the pairs", str(error))
            return
        mine = tradable(pairs, self.broker.quote_currency)
        text = f"{self.label}: {len(pairs)} pairs, {len(mine)} of them are traded for {self.broker.quote_currency}"
        fix = f"set {self.broker.broker_type}.quote_currency to what this venue's markets are paid in"
        yield ok("ACC-07", text) if mine else bad("ACC-07", text, fix)

    def _balance(self) -> Iterator[Finding]:
        reading = self.broker.refresh_balance(max_age_seconds=0)
        if reading.holdings is None or reading.reason:
            yield self._unread("ACC-06", "the balance", reading.reason)
            return
        quote = self.broker.quote_currency
        cash = reading.holdings.of(quote)
        try:
            worth = self.broker.value_holdings(reading.holdings)
        except NijaError:
            worth = cash.total
        self.means = Means(self.broker.account, cash.available, worth)
        least = self.settings.minimum_funded_usd
        text = f"{cash.available:.2f} {quote} available, {worth:.2f} {quote} with what is held"
        if worth < least:
            fix = f"pay in, or set minimum_funded_usd (now {plain(least)}) lower"
            yield bad("ACC-06", f"{self.label} cannot trade because it is not funded: {text}", fix)
        else:
            yield ok("ACC-06", f"{self.label}: {text}")

    def _orders(self) -> Iterator[Finding]:
        try:
            orders = self.broker.get_open_orders()
        except NijaError as error:
            yield self._unread("ACC-08", "open orders", str(error))
        else:
            yield ok("ACC-08", f"{self.label}: {len(orders)} open orders")

    def _unread(self, code: str, what: str, why: str) -> Finding:
        said = named(self.broker.account, why).removeprefix(f"{self.label}: ")
        return bad(code, f"{self.label}: {what} cannot be read: {said}", AGAIN)

    # -- the private socket -----------------------------------------------------------------------------------------
    def _socket(self) -> Iterator[Finding]:
        unused = why_no_stream(self.broker, self.settings)
        if unused:
            yield note("ACC-09", f"{self.label}: {unused}")
            return
        rang = threading.Event()
        self.broker.listen(rang.set)
        until = self.clock.monotonic() + SOCKET_SECONDS
        up = False
        while not up and self.clock.monotonic() < until:
            self.clock.wait(rang, LOOK_SECONDS)
            rang.clear()
            up = self.broker.tend_stream().up
        fix = "trading goes on over REST, only later to see fills; a firewall may not let WebSockets through"
        yield (
            ok("ACC-09", f"{self.label}: the private socket is live")
            if up
            else warn("ACC-09", f"{self.label}: the private socket is not live within {SOCKET_SECONDS:g} s", fix)
        )


def why_no_stream(broker: BaseBroker, settings: Settings) -> str:
    """Why the bot listens to no private socket of this account; empty where it does."""
    venue, kind = broker.broker_type, broker.capabilities.private_stream
    if kind is PrivateStream.NONE or not venue.is_named:
        return f"NIJA has no private socket for {venue.proper_name}; fills are asked for"
    if venue in _MASTERS_ONLY and not broker.account.is_master:
        return "only the master's private socket is listened to here"
    listens, own = _private_stream(venue, settings)
    if not listens:
        return f"{venue}.private_stream is switched off; fills are asked for"
    if settings.trading_mode == "live" and own is None:
        return f"no private socket belongs to {venue}.rest_url; fills are asked for"
    return ""


def _private_stream(venue: BrokerType, settings: Settings) -> tuple[bool, str | None]:
    """Whether the bot listens to it, and its address in live mode."""
    match venue:
        case BrokerType.KRAKEN:
            return settings.kraken.private_stream, settings.kraken.socket_urls()[1]
        case BrokerType.COINBASE:
            return settings.coinbase.private_stream, settings.coinbase.socket_url()
        case BrokerType.OKX:
            return settings.okx.private_stream, settings.okx.socket_url()
        case BrokerType.BINANCE:
            return settings.binance.private_stream, settings.binance.socket_url()
    return settings.alpaca.private_stream, settings.alpaca.socket_url()


def tradable(pairs: Mapping[str, Instrument], quote: str) -> list[Instrument]:
    """Markets in which a position can be opened for this currency."""
    return [one for one in pairs.values() if one.tradable and one.symbol.endswith(f"/{quote}")]
