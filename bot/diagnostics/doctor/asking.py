"""Asking the venues: side by side, each in a thread of its own, all within one deadline.

Keys are used through the classes and the nonce files of the bot, under its locks, and only while no bot uses them.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.broker_manager import build_broker, shared_parts
from bot.brokers.base import BaseBroker
from bot.brokers.key_report import KeyReport
from bot.brokers.shared_parts import SharedParts
from bot.diagnostics.doctor.account_look import AccountLook, Means
from bot.diagnostics.doctor.board import Board
from bot.diagnostics.doctor.finding import bad, note, warn
from bot.diagnostics.doctor.key_findings import shared_accounts
from bot.diagnostics.doctor.smallest_orders import examine_means, smallest_orders
from bot.diagnostics.doctor.venue_look import VenueLook, VenuePlace
from bot.diagnostics.doctor.ways_in import Access
from bot.diagnostics.listing import count
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import NijaError
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage.identities import Pin
from bot.supervision.key_locks import KeyInUse

DEADLINE_SECONDS = 27.0
TICK_SECONDS = 0.25
# Of one brokerage so many accounts at a time: each has its own connection.
AT_A_TIME = 8

Progress = Callable[[Sequence[str]], None]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whom to ask. `access` opens one account, and raises `ConfigurationError` or `KeyInUse`; None = no key is used."""

    settings: Settings
    places: Sequence[VenuePlace]
    accounts: Sequence[AccountRef]
    access: Access | None
    pins: Mapping[str, Pin] = field(default_factory=dict)

    def of(self, broker: BrokerType) -> list[AccountRef]:
        return [account for account in self.accounts if account.broker is broker]


class Asking:
    """`run` returns when all have answered or the deadline is over; then the threads that are left are cut off."""

    def __init__(self, question: Question, board: Board, clock: Clock) -> None:
        self._question = question
        self._board = board
        self._clock = clock
        self._shared: SharedParts = shared_parts(question.settings, clock)
        self._closing: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._reports: dict[AccountRef, KeyReport] = {}
        self._reached: set[BrokerType] = set()

    def run(self, progress: Progress, *, seconds: float = DEADLINE_SECONDS) -> None:
        for place in self._question.places:
            for title in (str(place.broker), *map(_title, self._question.of(place.broker))):
                self._board.open(title)
        threads = [self._start(place) for place in self._question.places]
        until = self._clock.monotonic() + seconds
        while any(thread.is_alive() for thread in threads) and self._clock.monotonic() < until:
            next((thread for thread in threads if thread.is_alive()), threads[0]).join(TICK_SECONDS)
            progress(self._board.under_way())
        progress([])
        for place in self._question.places:
            mine = {account: report for account, report in self._reports.items() if account.broker is place.broker}
            self._board.add(str(place.broker), shared_accounts(mine))
        self._tell_of_the_unasked()
        # Before anybody is cut off: what a cut thread would say is no finding.
        self._board.stop(seconds)

    def _tell_of_the_unasked(self) -> None:
        """Of many accounts some may be left when the time is over."""
        for broker in dict.fromkeys(account.broker for account in self._question.accounts):
            left = [one for one in self._question.of(broker) if self._board.is_untouched(_title(one))]
            if left and broker in self._reached:
                text = (
                    f"{count(len(left), 'key')} not tried, the time was over: {', '.join(each.label for each in left)}"
                )
                fix = f"python bot.py doctor {broker} asks this brokerage alone; the bot itself takes its time"
                self._board.add(str(broker), [warn("ACC-12", text, fix)])

    def close(self) -> None:
        """Cuts what is still on its way."""
        with self._lock:
            closing, self._closing = self._closing, []
        for close in closing:
            close()
        self._shared.close()

    def _start(self, place: VenuePlace) -> threading.Thread:
        title = str(place.broker)
        self._board.open(title, "its name")
        thread = threading.Thread(target=self._venue, args=(place,), name=f"doctor-{title}", daemon=True)
        thread.start()
        return thread

    def _later(self, close: Callable[[], None]) -> None:
        with self._lock:
            self._closing.append(close)

    # -- one venue, in its thread ---------------------------------------------------------------------------------
    def _venue(self, place: VenuePlace) -> None:
        title = str(place.broker)
        with self._answered_for(title):
            look = VenueLook(place, self._question.settings, self._shared, lambda what: self._board.doing(title, what))
            self._later(look.close)
            self._board.add(title, look.examine())
            accounts = self._question.of(place.broker)
            if look.reached and self._question.access is not None and accounts:
                self._reached.add(place.broker)
                self._board.done(title)
                self._accounts(title, accounts)
            elif accounts and self._question.access is not None:
                text = f"{count(len(accounts), 'key')} not tried: {place.name} was not reached"
                self._board.add(title, [note("ACC-12", text)])

    def _accounts(self, title: str, accounts: Sequence[AccountRef]) -> None:
        looks: list[AccountLook] = []
        for begin in range(0, len(accounts), AT_A_TIME):
            threads = [self._start_account(account, looks) for account in accounts[begin : begin + AT_A_TIME]]
            for thread in threads:
                thread.join(DEADLINE_SECONDS)
        means: dict[AccountRef, Means] = {}
        for look in sorted(looks, key=lambda each: (not each.broker.account.is_master, each.label)):
            if look.means is not None:
                means[look.broker.account] = look.means
        if means:
            self._board.doing(title, "its smallest orders")
            asked = next(look for look in looks if look.means is not None)
            self._board.add(title, examine_means(means, smallest_orders(asked.broker), self._question.settings))

    def _start_account(self, account: AccountRef, looks: list[AccountLook]) -> threading.Thread:
        title = _title(account)
        self._board.open(title, "its key")
        thread = threading.Thread(
            target=self._account, args=(account, looks), name=f"doctor-{account.label}", daemon=True
        )
        thread.start()
        return thread

    def _account(self, account: AccountRef, looks: list[AccountLook]) -> None:
        title = _title(account)
        with self._answered_for(title):
            broker = self._broker(account, title)
            if broker is None:
                return
            self._later(broker.close)
            look = AccountLook(
                broker,
                self._question.settings,
                self._clock,
                lambda what: self._board.doing(title, what),
                pin=self._question.pins.get(account.label),
            )
            self._board.add(title, look.examine())
            with self._lock:
                looks.append(look)
                if look.report is not None:
                    self._reports[account] = look.report

    def _broker(self, account: AccountRef, title: str) -> BaseBroker | None:
        question = self._question
        assert question.access is not None
        try:
            access = question.access(account)
            return build_broker(account, access, settings=question.settings, shared=self._shared)
        except KeyInUse as error:
            fix = "stop that program first, if the key is to be tried"
            self._board.add(title, [warn("ACC-12", f"{account.label}: the key was not tried: {error}", fix)])
        except (NijaError, OSError) as error:
            fix = "correct what it says, then run doctor again"
            self._board.add(title, [bad("ACC-12", f"{account.label}: the key was not tried: {error}", fix)])
        return None

    @contextmanager
    def _answered_for(self, title: str) -> Iterator[None]:
        """The section is done at the end, whatever happened; an error of doctor itself is a finding too."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the top of a thread
            text = f"{title}: doctor failed here ({type(error).__name__}: {error})"
            self._board.add(title, [bad("VEN-07", text, "report it with this line; the other lines hold")])
        finally:
            self._board.done(title)


def _title(account: AccountRef) -> str:
    return f"{account.label} (master)" if account.is_master else account.label


@contextmanager
def remarks(board: Board) -> Iterator[None]:
    """What the adapters themselves tell the operator (money in OKX's funding account) becomes a finding.

    Everything else that they would log is about a running bot.
    """
    handler = _Remarks(board)
    log = logging.getLogger("bot")
    propagates, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagates


class _Remarks(logging.Handler):
    _SOURCES = ("bot.brokers.by_ccxt.okx_account",)

    def __init__(self, board: Board) -> None:
        super().__init__(logging.WARNING)
        self._board = board

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in self._SOURCES:
            self._board.add("okx", [warn("ACC-06", record.getMessage(), "transfer it there, then run doctor again")])
