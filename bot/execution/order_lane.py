"""Many users' entries in one batch: marked in the transaction that plans them, handed to the feed loop together.

What always holds, whatever fails and wherever the process ends:

* An order that boards is handed over at most once: whoever claims it first in `Departures`, and nobody after that.
* Only rows that are durably SUBMITTED leave, each under the epoch that marked it, which is still in force. What a
  rolled-back plan has left in memory finds no row and goes nowhere.
* An account that was shut out between commit and departure sends nothing; neither does anybody once trading is halted
  (`still_all`), the process has lost its database, or the bot ends.
* Each order that departs gets exactly one outcome. What certainly never left is handed back as `RetryLater`: the
  account's own thread puts it back to CREATED and sends it by itself, with all it asks before that, while it is fresh.
* A lost acknowledgement is no outcome but `OutcomeUnknown`: the order is asked about by its id, and never sent again.
* While an order that boarded has no outcome and its time is not over, nobody asks the venue about it.
* A process that dies anywhere leaves SUBMITTED rows. The next one knows nothing of them here, asks, and sends nothing.
* Exits do not board, nor does the entry of an account that has anything unfinished in the same market.

After the commit the lane writes nothing to the store: what it has learned is written by the account's own thread,
under its own epoch.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.brokers.socket_lane import Frame, LaneOutcome
from bot.domain.account import AccountRef
from bot.domain.errors import NijaError, OutcomeUnknown, RetryLater
from bot.domain.order import OrderKind, OrderRequest
from bot.domain.signal import TradeSignal
from bot.domain.veto import Veto
from bot.execution.departures import Departures, never_left
from bot.execution.entry_gate import EntryGate
from bot.execution.instance_guard import InstanceGuard
from bot.execution.lane_passenger import Company, Passenger, Seat
from bot.execution.last_look import LastLook
from bot.execution.order_executor import give_up_vetoed
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import boardings
from bot.storage import signals as signal_rows
from bot.storage.boardings import Mark
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

__all__ = ["OrderLane", "Seat"]

log = logging.getLogger(__name__)

# A batch is under way for milliseconds. What has not left by then goes by its account's own thread, if it still may.
LONGEST_WAY_SECONDS = 5.0
# An acknowledgement of what left at the last moment is still waited for.
ANSWER_SECONDS = 5.0
# So long after its acknowledgement an order's end is looked for without the stream's word.
STREAM_SECONDS = 0.25


class OrderLane:
    """The lane of one process and venue (`bot.execution.entry_lane.EntryLane`).

    `hand_over` has something done on the venue's feed loop, soon and without waiting; `wake` tells an account's thread
    that copies may be waiting for it, and must not wait either. `later` has something done on the feed loop after so
    many seconds, called on it. `restored_at`: since when the books are an older copy that was put back; an order after
    a trade from before then may be at the venue already, and its own thread asks before it sends.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        gate: EntryGate,
        instance: InstanceGuard,
        departures: Departures,
        hand_over: Callable[[Callable[[], None]], None],
        wake: Callable[[AccountRef], None],
        stop: threading.Event,
        later: Callable[[float, Callable[[], None]], None] | None = None,
        restored_at: datetime | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._gate = gate
        self._instance = instance
        self._departures = departures
        self._hand_over = hand_over
        self._wake = wake
        self._stop = stop
        self._later = later
        self._restored_at = restored_at
        self._seats: dict[str, Seat] = {}
        self._aboard: dict[str, Passenger] = {}

    def take_seat(self, seat: Seat) -> None:
        """An account was opened; whoever had it before sends nothing any more, here neither."""
        self._seats[seat.account.label] = seat

    def leave_seat(self, account: AccountRef) -> None:
        """Another process has the account from here on."""
        self._seats.pop(account.label, None)

    # -- in the plan's transaction ----------------------------------------------------------------------------------
    def board(self, connection: Connection, intents: Sequence[OrderIntent]) -> Sequence[str]:
        """Mark those entries of one signal, just written in this transaction, that can leave at once.

        Nothing that goes wrong here keeps the plan from being made: then the accounts' own threads send.
        """
        if self._stop.is_set() or not self._seats:
            return ()
        try:
            with connection.begin_nested():
                return self._board(connection, intents)
        except SQLAlchemyError:
            raise
        except NijaError as error:
            log.warning("nobody boards: %s", error)
        except Exception:
            log.exception("nobody boards, because of an unexpected error")
        return ()

    def _board(self, connection: Connection, intents: Sequence[OrderIntent]) -> Sequence[str]:
        signal = self._signal_of(connection, intents)
        if signal is None or (self._restored_at is not None and signal.executed_at <= self._restored_at):
            return ()
        ready = [intent for intent in intents if self._is_ready(intent, signal)]
        ready = self._undisturbed(connection, ready, signal)
        if not ready:
            return ()
        self._instance.check(connection)
        vetoed = self._gate.admit_all(connection, ready)
        self._give_up(connection, [intent for intent in ready if intent.client_order_id in vetoed], vetoed)
        passengers = self._mark(
            connection, [intent for intent in ready if intent.client_order_id not in vetoed], signal
        )
        failpoint("lane_boarded")
        return passengers

    def _signal_of(self, connection: Connection, intents: Sequence[OrderIntent]) -> TradeSignal | None:
        """All of them follow one signal."""
        signal_id = intents[0].signal_id if intents else None
        return None if signal_id is None else signal_rows.find_signal(connection, signal_id)

    def _is_ready(self, intent: OrderIntent, signal: TradeSignal) -> bool:
        """As far as memory knows: its account can send this way now, and would."""
        seat = self._seats.get(intent.account_id)
        if seat is None or intent.kind is not OrderKind.ENTRY or intent.signal_id != signal.signal_id:
            return False
        lane = seat.broker.lane()
        return lane is not None and lane.ready(intent.symbol) and seat.fit(signal)

    def _undisturbed(
        self, connection: Connection, intents: Sequence[OrderIntent], signal: TradeSignal
    ) -> list[OrderIntent]:
        """Those with nothing else unfinished in the market, whose account is still who took the seat."""
        if not intents:
            return []
        busy = boardings.busy_with(connection, signal.signal_id, signal.symbol)
        epochs = boardings.epochs_of(connection, signal.signal_id)
        return [
            intent
            for intent in intents
            if intent.account_id not in busy and epochs.get(intent.account_id) == self._seats[intent.account_id].epoch
        ]

    def _give_up(self, connection: Connection, intents: Sequence[OrderIntent], vetoed: Mapping[str, Veto]) -> None:
        """Judged in the transaction that would have let them out; their own threads answer the copies."""
        now = self._clock.now()
        for intent in intents:
            give_up_vetoed(connection, intent, vetoed[intent.client_order_id], at=now)

    def _mark(self, connection: Connection, intents: Sequence[OrderIntent], signal: TradeSignal) -> Sequence[str]:
        if not intents:
            return ()
        now = self._clock.now()
        broker = self._seats[intents[0].account_id].broker
        expiry = broker.order_expiry_seconds
        passengers = self._passengers(intents, signal, LONGEST_WAY_SECONDS if expiry is None else expiry)
        marked = boardings.submit_all(
            connection,
            [Mark(one.order_id, one.seat.epoch, one.request.payload_sha256) for one in passengers],
            at=now,
            expires_at=None if expiry is None else now + timedelta(seconds=expiry),
            settle_at=now + timedelta(seconds=broker.settle_seconds),
        )
        if not marked:
            raise RetryLater("an entry that was just written is not as it was written")
        return self._remember(passengers)

    def _passengers(
        self, intents: Sequence[OrderIntent], signal: TradeSignal, expiry_seconds: float
    ) -> Sequence[Passenger]:
        started = self._clock.monotonic()
        leave_before = started + min(LONGEST_WAY_SECONDS, expiry_seconds)
        return [
            Passenger(
                intent=intent,
                request=_request(intent, leave_before),
                seat=self._seats[intent.account_id],
                signal=signal,
                marked_at=started,
                leave_before=leave_before,
            )
            for intent in intents
        ]

    def _remember(self, passengers: Sequence[Passenger]) -> Sequence[str]:
        """Before the commit: from the commit on their threads find the rows, and leave them alone."""
        ids = [one.order_id for one in passengers]
        self._aboard.update(zip(ids, passengers, strict=True))
        self._departures.board(ids, until=passengers[0].leave_before + ANSWER_SECONDS)
        return ids

    # -- after the commit -------------------------------------------------------------------------------------------
    def depart(self, client_order_ids: Sequence[str]) -> None:
        """Their plan was committed, or else rolled back: look once more at all of them, and hand over who may leave."""
        leaving = self._departures.leave(client_order_ids)
        passengers = [one for one in map(self._aboard.get, leaving) if one is not None]
        if not passengers:
            return
        try:
            staying = self._last_look(passengers)
        except Exception as error:
            # Nothing was handed over, whatever it was; the accounts' own threads go on.
            log.exception("a batch of %d orders stays behind", len(passengers))
            self._hand_back(passengers, f"{type(error).__name__}: {error}")
            return
        failpoint("lane_departing")
        self._send(staying)

    def tend(self) -> None:
        """Wake those of whom nothing was heard in time: a batch that a hung loop has dropped is answered by nobody."""
        now = self._clock.monotonic()
        for order_id, one in list(self._aboard.items()):
            if one.leave_before + ANSWER_SECONDS <= now and self._aboard.pop(order_id, None) is not None:
                self._wake(one.seat.account)

    def _last_look(self, passengers: Sequence[Passenger]) -> Sequence[Passenger]:
        """Who may leave. Raises `Fenced` and `StoreUnavailable`: then nothing leaves."""
        with self._store.read() as connection:
            self._instance.check(connection)
            look = LastLook.read(connection, passengers, self._gate)
        now, staying = self._clock.monotonic(), []
        for one in passengers:
            if one.order_id not in look.committed:
                # Its plan was rolled back.
                self._departures.forget(one.order_id)
                self._aboard.pop(one.order_id, None)
                continue
            why = "the bot ends" if self._stop.is_set() else look.why_not(one, now)
            if why:
                self._hand_back([one], why)
            else:
                staying.append(one)
        return staying

    def _send(self, passengers: Sequence[Passenger]) -> None:
        """From here on an order may be at the venue, whatever becomes of this thread."""
        limit = self._instance.send_before()
        batch = [(one, frame) for one in passengers if (frame := self._frame(one, limit)) is not None]
        if not batch:
            return
        feed = passengers[0].seat.feed
        try:
            (self._hand_over if feed is None else feed.call)(partial(self._on_the_loop, batch))
        except Exception as error:
            log.exception("a batch of %d orders could not be handed over", len(batch))
            self._hand_back([one for one, _ in batch], f"{type(error).__name__}: {error}")
            return
        failpoint("lane_handed_over")
        log.info("%d orders of signal %s left in one batch", len(batch), passengers[0].signal.signal_id[:8])

    def _frame(self, one: Passenger, send_before: float | None) -> Frame | None:
        """The finished order, or None for one that is handed back; one account's trouble is its own."""
        request = one.request
        if send_before is not None and send_before < one.leave_before:
            request = replace(request, leave_before=send_before)
        try:
            lane = one.seat.broker.lane()
            frame = None if lane is None else lane.frame(request)
        except Exception as error:
            log.exception("%s: its order could not be made ready", one.seat.account.label)
            self._hand_back([one], f"{type(error).__name__}: {error}")
            return None
        if frame is None:
            self._hand_back([one], "it cannot go over the socket now")
        return frame

    def _hand_back(self, passengers: Sequence[Passenger], why: str) -> None:
        """Certainly not sent, and nobody sends them here any more."""
        log.info("%d orders of a batch stay behind: %s", len(passengers), why)
        for one in passengers:
            self._answered(one, never_left(why))

    # -- on the feed loop -------------------------------------------------------------------------------------------
    def _on_the_loop(self, batch: Sequence[tuple[Passenger, Frame]]) -> None:
        """All of them in one go: whatever comes of the first is looked at after the last has left."""
        company = Company(len(batch))
        for one, frame in batch:
            answered = partial(self._answered, one, company=company)
            try:
                frame.send(answered)
            except Exception as error:
                # It may have been written: that it was not is for the frame to say.
                log.exception("%s: unexpected error while its order was sent", one.seat.account.label)
                answered(LaneOutcome(error=OutcomeUnknown(f"while it was sent: {type(error).__name__}: {error}")))

    def _answered(self, one: Passenger, outcome: LaneOutcome, company: Company | None = None) -> None:
        """The account's own thread writes it down.

        Where an acknowledgement is followed by the stream's word on the whole order, that wakes the thread: to wake it
        twice would cost the loop the time in which it hears of the others.
        """
        if not self._departures.answer(one.order_id, outcome):
            return
        if company is not None:
            company.unanswered -= 1
        if outcome.ack is None or self._later is None:
            self._tell(one)
        elif one.seat.feed is None or company is None:
            self._later(STREAM_SECONDS, partial(self._tell_if_unheard, one))
        else:
            company.taken.append(one)
            if len(company.taken) == 1 and company.unanswered:
                one.seat.feed.after(STREAM_SECONDS, partial(self._tell_together, company))
        if company is not None and not company.unanswered:
            self._tell_together(company)

    def _tell_together(self, company: Company) -> None:
        """What each thread does next would keep the loop from hearing of the others, so they wait for one another."""
        taken, company.taken = company.taken, []
        for one in taken:
            self._tell_if_unheard(one)

    def _tell_if_unheard(self, one: Passenger) -> None:
        if self._departures.outcome(one.order_id) is not None:
            self._tell(one)
        else:
            self._aboard.pop(one.order_id, None)

    def _tell(self, one: Passenger) -> None:
        self._aboard.pop(one.order_id, None)
        self._wake(one.seat.account)


def _request(intent: OrderIntent, leave_before: float) -> OrderRequest:
    """What goes to the venue, with the moment after which it may not."""
    return OrderRequest(
        client_order_id=intent.client_order_id,
        symbol=intent.symbol,
        side=intent.side,
        kind=intent.kind,
        order_type=intent.order_type,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        leave_before=leave_before,
    )
