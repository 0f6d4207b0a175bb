"""The loop of one account: an inbox, a cycle, and nobody else's business."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.account_desk import AccountDesk
from bot.domain.account import AccountRef
from bot.domain.balance import BalanceStatus
from bot.domain.errors import Fenced, NijaError, VenueStopped
from bot.domain.health import HealthState
from bot.execution.stream_booking import StreamBooking
from bot.observability.correlation import working_on
from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.supervision.heart import STEP_SECONDS, Heart, beat
from bot.trading_strategy import TradingStrategy

log = logging.getLogger(__name__)

INBOX_BOUND = 1000
FAILED_AFTER_ERRORS = 5
LOOK_AGAIN_SECONDS = 5.0
# An account that could not be compared with the venue yet enters nothing: it is not left waiting for a whole period.
NOT_HYDRATED_CYCLE_SECONDS = 15.0
OPENING_SPREAD_SECONDS = 2.0
# What the copies have changed of an account's row is written after them: with many users a batch's bookings come first.
PUBLISH_AFTER_SECONDS = 1.0


class Note(StrEnum):
    """What may arrive in an account's inbox. Notes carry nothing: the store has the rows."""

    COPY = "copy"
    REFRESH = "refresh"
    STREAM = "stream"
    FLATTEN = "flatten"
    STOP = "stop"


@dataclass(frozen=True)
class CycleTimes:
    """`jitter_fraction` of the period spreads the accounts' cycles."""

    period_seconds: float
    jitter_fraction: float
    balance_refresh_seconds: float


class AccountWorker:
    """The loop of one account: wait for a note or the next cycle, do it, say how it went."""

    def __init__(
        self,
        *,
        desk: AccountDesk,
        strategy: TradingStrategy,
        times: CycleTimes,
        clock: Clock,
        ids: IdSource,
        stop: threading.Event,
        on_cycle: Callable[[AccountRef, str, float], None],
        step_seconds: float = STEP_SECONDS,
    ) -> None:
        self.desk = desk
        self.heart = Heart(clock, step_seconds=step_seconds)
        self._step_seconds = step_seconds
        self._strategy = strategy
        self._times = times
        self._clock = clock
        self._ids = ids
        self._stop = stop
        self._on_cycle = on_cycle
        self.inbox: queue.Queue[Note] = queue.Queue(INBOX_BOUND)
        self._cycle_at = clock.monotonic()
        self._refresh_at = self._cycle_at + times.balance_refresh_seconds
        self._look_at: float | None = None
        self._flatten_at: float | None = None
        self._stream = StreamBooking(broker=desk.broker, reconciler=desk.reconciler)
        self._stream_at: float | None = None
        self._stream_told = False
        self._publish_at: float | None = None
        self._begun = False
        self._ended = False

    def tell(self, note: Note) -> None:
        """Drop a note; a full inbox already holds a reason to look."""
        try:
            self.inbox.put_nowait(note)
        except queue.Full:
            log.warning("%s: inbox full, note %s dropped; the rows are still there", self.desk.account.label, note)

    def tell_of_stream(self) -> None:
        """The private stream has something: one note is enough until it was heard."""
        if not self._stream_told:
            self._stream_told = True
            self.tell(Note.STREAM)

    def run(self) -> None:
        """Until told to stop, with this worker's heart beating."""
        try:
            with self.heart.beating(), working_on(account=self.desk.account.label):
                while not (self._stop.is_set() or self._ended):
                    self.step()
                self._cancel_what_rests()
        except Fenced as error:
            # Health and rows are the business of whoever has the account now.
            log.warning("%s: this thread ends: %s", self.desk.account.label, error)
            return
        self.desk.status.set_health(HealthState.STOPPED, "asked to stop")
        self.desk.status.publish()

    def _cancel_what_rests(self) -> None:
        """The process ends; an account that another one takes over is left as it is."""
        chains = self.desk.chains
        if chains is not None and self._stop.is_set():
            self._guarded("cancelling what rests", chains.at_stop)

    def step(self) -> None:
        """Wait for one thing and do it."""
        note = self._next_note()
        self._ended = self._ended or note is Note.STOP
        if self._stop.is_set() or self._ended:
            return
        beat("beginning")
        if not self._begun:
            # What the books have missed comes before the copies, which are looked at right after it.
            self._begun = True
            self.desk.broker.listen(self.tell_of_stream)
            self._cycle()
            return
        now = self._clock.monotonic()
        if note is Note.STREAM or (self._stream_at is not None and now >= self._stream_at):
            self._hear_stream()
        if note is Note.COPY or (self._look_at is not None and now >= self._look_at):
            self._copy()
        if note is Note.FLATTEN or (self._flatten_at is not None and now >= self._flatten_at):
            self._flatten()
        if self._chains_are_due(note):
            self._follow_chains()
        if self._stops_are_due():
            self._tend_stops()
        if note is Note.REFRESH or now >= self._refresh_at:
            self._guarded("reading the balance", self._refresh_balance)
        if note is None and self._books_have_waited():
            self._keep_books()
        if self._clock.monotonic() >= self._cycle_at:
            self._cycle()
        if self._publish_at is not None and self._clock.monotonic() >= self._publish_at:
            self._publish()
        if note is None:
            self._keep_books()
            self._read_candles()

    def _books_have_waited(self) -> bool:
        """Where each cycle ends later than the next one should begin, the books get their turn before one."""
        return self.desk.books is not None and self.desk.books.has_waited

    def _keep_books(self) -> None:
        """When nobody waits for anything else: exits and copies come first, and break it off."""
        books = self.desk.books
        if books is None or self.desk.executor.stopping or self._clock.monotonic() < books.due_at or self._is_wanted():
            return
        self.desk.status.step("keeping the books")
        self._guarded("keeping the books", lambda: books.run_if_due(self._is_wanted))
        self.desk.status.step("waiting")

    def _read_candles(self) -> None:
        """Between cycles, for the next one: a venue's pace lets only so many be read within one."""
        candles = self.desk.candles
        if candles is None or not self._reads_candles() or self._clock.monotonic() < candles.due_at:
            return
        self.desk.status.step("reading candles")
        self._guarded("reading candles", lambda: candles.read_on(self._is_wanted))
        self.desk.status.step("waiting")

    def _reads_candles(self) -> bool:
        """Not for a venue that is closed, nor at the end."""
        return not self.desk.executor.stopping and self.desk.broker.trading_session().is_open is True

    def _candles_at(self) -> float | None:
        """When there is a candle to read, but not again at once after a round in which the venue gave none."""
        candles = self.desk.candles
        return None if candles is None or not self._reads_candles() else candles.due_at

    def _is_wanted(self) -> bool:
        """Whether something else is to be done by this thread now."""
        now = self._clock.monotonic()
        cycle_at = None if self._books_have_waited() else self._cycle_at
        chains_at = None if self.desk.chains is None else self.desk.chains.due_at
        stops_at = None if self.desk.stops is None else self.desk.stops.due_at
        due = (cycle_at, self._look_at, self._flatten_at, self._stream_at, chains_at, stops_at)
        return self._stop.is_set() or not self.inbox.empty() or any(at is not None and at <= now for at in due)

    def _publish(self) -> None:
        self._publish_at = None
        self.desk.status.publish()

    def _next_note(self) -> Note | None:
        due = [self._cycle_at, self._refresh_at, self._look_at, self._flatten_at, self._stream_at, self._publish_at]
        due.append(None if self.desk.books is None else self.desk.books.due_at)
        due.append(self._candles_at())
        due.append(None if self.desk.chains is None else self.desk.chains.due_at)
        due.append(None if self.desk.stops is None else self.desk.stops.due_at)
        wait = min(moment for moment in due if moment is not None) - self._clock.monotonic()
        beat("waiting", max(0.0, wait) + self._step_seconds)
        try:
            # An account that is always late with its cycles still hears what it is told.
            return self.inbox.get(timeout=wait) if wait > 0 else self.inbox.get_nowait()
        except queue.Empty:
            return None

    def _copy(self) -> None:
        self._look_at = None
        if self.desk.copier is None:
            return
        self.desk.status.step("copying")
        wait = self._guarded("copying", self.desk.copier.run)
        self._look_at = None if wait is None else self._clock.monotonic() + wait
        if wait is None and not self.desk.copier.found_work and not self.desk.broker.key_refusal:
            return  # nothing has changed, and nothing is written
        self._holdings_may_have_changed()
        if self._flatten_at is None:
            # What has come in since the last look is sold too, while a flatten is in force.
            self._flatten_at = self._clock.monotonic()
        self._judge_key()
        if self._publish_at is None:
            self._publish_at = self._clock.monotonic() + PUBLISH_AFTER_SECONDS

    def _hear_stream(self) -> None:
        self._stream_at, self._stream_told = None, False
        wait = self._guarded("listening to the venue", self._take_news)
        self._stream_at = None if wait is None else self._clock.monotonic() + wait
        self._holdings_may_have_changed()
        if self.desk.status.orders_go(self.desk.broker.order_way):
            self._publish()

    def _take_news(self) -> float | None:
        """Copies first: their orders are then booked whole, with their ends, and the stream finds nothing to add."""
        if not self._stream.hear():
            return None
        if self.desk.copier is not None:
            self._copy()
        return self._stream.book()

    def _flatten(self) -> None:
        """Sell what a flatten covers, if there is one; a look costs one reading of the store."""
        self._flatten_at = None
        if self.desk.flattening is None:
            return
        self.desk.status.step("flattening")
        wait = self._guarded("flattening", self.desk.flattening.step)
        self._flatten_at = None if wait is None else self._clock.monotonic() + wait

    def _chains_are_due(self, note: Note | None) -> bool:
        chains = self.desk.chains
        if chains is None or chains.due_at is None:
            return False
        # A stop by hand comes with a note, and what rests must hear of it at once.
        return note is Note.FLATTEN or self._clock.monotonic() >= chains.due_at

    def _follow_chains(self) -> None:
        """Look after orders that rest; `due_at` says when to look again."""
        assert self.desk.chains is not None
        self.desk.status.step("looking after resting orders")
        self._guarded("looking after resting orders", self.desk.chains.look)
        self.desk.status.step("waiting")

    def _stops_are_due(self) -> bool:
        stops = self.desk.stops
        return stops is not None and stops.due_at is not None and self._clock.monotonic() >= stops.due_at

    def _tend_stops(self) -> None:
        """Keep what rests at the venue in line with what is held; `due_at` says when to look again."""
        assert self.desk.stops is not None
        self.desk.status.step("looking after protective stops")
        self._guarded("looking after protective stops", self.desk.stops.look)
        self.desk.status.step("waiting")

    def _holdings_may_have_changed(self) -> None:
        if self.desk.stops is not None:
            self.desk.stops.look_soon()

    def _guarded(self, what: str, work: Callable[[], float | None]) -> float | None:
        """An error outside a cycle is this account's own; its rows stay, and it looks again soon."""
        try:
            return work()
        except Fenced:
            raise
        except NijaError as error:
            own = not isinstance(error, VenueStopped)
            self._set_health(HealthState.DEGRADED, f"{what}: {error}", error=own)
        except Exception as error:
            log.exception("%s: unexpected error while %s", self.desk.account.label, what)
            self._set_health(HealthState.DEGRADED, f"{what}: {type(error).__name__}: {error}", error=True)
        return LOOK_AGAIN_SECONDS

    def _refresh_balance(self) -> None:
        # Set first: a reading that fails waits for its next turn like any other.
        self._refresh_at = self._clock.monotonic() + self._times.balance_refresh_seconds
        self.desk.status.balance(self.desk.broker.refresh_balance())
        self._judge_key()
        self._publish()

    def _cycle(self) -> None:
        started = self._clock.monotonic()
        label, status = self.desk.account.label, self.desk.status
        number = status.health.cycles + 1
        role = "" if self.desk.account.is_master else " (USER)"
        log.info("%s%s - Cycle #%d", label, role, number)
        try:
            self._strategy.run_cycle(broker=self.desk.broker, user_mode=not self.desk.account.is_master)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - the top of an account's work: whatever it was, it is its own
            if isinstance(error, VenueStopped) and self._stop.is_set():
                log.info("%s: its cycle was broken off: %s", label, error)
                return
            reason = str(error) if isinstance(error, NijaError) else f"{type(error).__name__}: {error}"
            self._log_failure(error, reason)
            self._failed_cycle(reason, own=not isinstance(error, VenueStopped))
            result = "failed"
        else:
            log.info("%s cycle completed successfully", label)
            status.cycle_done()
            self._judge()
            result = "completed"
        status.step("waiting")
        self._publish()
        self._tell_of_cycle(result, self._clock.monotonic() - started)
        self._holdings_may_have_changed()
        self._plan_next_cycle(started)
        if self.desk.copier is not None and self._look_at is None:
            # A cycle's end is also the moment to look for copies whose note was lost.
            self._look_at = self._clock.monotonic()
        if self._flatten_at is None:
            self._flatten_at = self._clock.monotonic()
        if self._stream_at is None:
            self._stream_at = self._clock.monotonic()

    def _tell_of_cycle(self, result: str, seconds: float) -> None:
        """Whoever counts cycles may fail; the account trades on."""
        try:
            self._on_cycle(self.desk.account, result, seconds)
        except Exception:
            log.exception("%s: unexpected error while its cycle was counted", self.desk.account.label)

    def _log_failure(self, error: Exception, reason: str) -> None:
        """The first failure of a kind is said aloud; the same again only for who looks closely."""
        again = reason == self.desk.status.health.reason
        level = logging.DEBUG if again else logging.WARNING if isinstance(error, NijaError) else logging.ERROR
        trace = not again and not isinstance(error, NijaError)
        log.log(
            level, "%s trading cycle failed: %s", self.desk.account.label, reason, exc_info=error if trace else None
        )

    def _plan_next_cycle(self, started: float) -> None:
        jitter = 1 + self._times.jitter_fraction * (2 * self._ids.fraction() - 1)
        period = self._times.period_seconds
        if not self.desk.reconciler.hydrated:
            period = min(period, NOT_HYDRATED_CYCLE_SECONDS)
        self._cycle_at = max(self._clock.monotonic(), started + period * jitter)
        opening = self._opening_at()
        if opening is not None:
            self._cycle_at = min(self._cycle_at, opening)
        # A cycle reads the balance too.
        self._refresh_at = started + self._times.balance_refresh_seconds

    def _opening_at(self) -> float | None:
        """When a closed venue opens (monotonic): exits that wait for it are due then. None = it is open, or unknown."""
        session = self.desk.broker.trading_session()
        if session.is_open is not False:
            return None
        if session.until is None:
            return self._clock.monotonic() + LOOK_AGAIN_SECONDS  # it may open late by its own word
        now = self.desk.broker.venue_now() or self._clock.now()
        # Accounts that waited together need not ask together.
        spread = OPENING_SPREAD_SECONDS * self._ids.fraction()
        return self._clock.monotonic() + max(0.0, (session.until - now).total_seconds()) + spread

    def _failed_cycle(self, reason: str, *, own: bool) -> None:
        """What stops a whole venue is not counted against one account: it goes on by itself when that is over."""
        if not own:
            self._set_health(HealthState.DEGRADED, reason)
            return
        errors = self.desk.status.health.error_count + 1
        state = HealthState.FAILED if errors >= FAILED_AFTER_ERRORS else HealthState.DEGRADED
        self._set_health(state, reason, error=True)

    def _judge_key(self) -> None:
        """A key that the venue has begun to refuse is shown at once, not at the end of the next cycle."""
        if self.desk.broker.key_refusal:
            self._set_health(HealthState.FAILED)

    def _set_health(self, state: HealthState, reason: str = "", *, error: bool = False) -> None:
        """While the venue refuses the key, all else that fails does so because of it."""
        if self._stop.is_set():
            return  # what fails now fails because of the end, and the end is the last word
        refusal = self.desk.broker.key_refusal
        if refusal:
            state, reason = HealthState.FAILED, refusal
        self.desk.status.fact("authenticated", true=not refusal)
        self.desk.status.set_health(state, reason, error=error)

    def _judge(self) -> None:
        """Healthy is who knows its balance and is reconciled with the venue."""
        reading, problem = self.desk.broker.balance_book.reading(), self.desk.reconciler.problem
        if reading.status is not BalanceStatus.FRESH or reading.reason:
            self._set_health(HealthState.DEGRADED, f"balance {reading.status}: {reading.reason}")
        elif problem:
            self._set_health(HealthState.DEGRADED, f"not reconciled with the venue: {problem}")
        else:
            self._set_health(HealthState.HEALTHY)
