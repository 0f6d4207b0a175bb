"""Sends an order once: written down first, sent once, then asked about until the venue has said how it ended."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker, Urgency
from bot.brokers.capabilities import PrivateStream
from bot.brokers.socket_lane import LaneOutcome
from bot.domain.errors import (
    CredentialsRejected,
    Fenced,
    HeldBack,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    StoreUnavailable,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import (
    FINAL_STATES,
    LIVE_STATES,
    UNRESOLVED_STATES,
    IntentState,
    OrderAck,
    OrderKind,
    OrderType,
    VenueOrder,
)
from bot.domain.signal import CopyReason
from bot.domain.veto import Veto
from bot.execution.absence import AbsenceWatch
from bot.execution.departures import Departures
from bot.execution.entry_gate import EntryGate, OpenGate
from bot.execution.fill_recorder import FillRecorder
from bot.execution.instance_guard import InstanceGuard, NoOtherInstance
from bot.observability.correlation import working_on
from bot.observability.last_said import SaidOf
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import intents as intent_rows
from bot.storage import leases, vetoes
from bot.storage import signals as signal_rows
from bot.storage.intents import IllegalMove, OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

CONFIRM_POLL_SECONDS = 0.25
# A market order that the venue still shows open after this is cancelled, not waited for. Of limits the broker says it.
STUCK_IOC_SECONDS = 30.0
# Look-ups go on for ever, but an order without an outcome for this long is a person's business too.
ALARM_AFTER_SECONDS = 900.0

_CALM_ERRORS = (UnreadableReply, RetryLater, CredentialsRejected, OutcomeUnknown)
# What a person may say of an order (`python bot.py resolve`).
ABSENT = "absent"
ACCEPTED = "accepted:"
# Begins the reason of an intent that was given up before a byte left.
NOT_SENT = "not sent: "
# What becomes true in the same transaction as an order's end, with the intent as it is then.
Along = Callable[[Connection, OrderIntent], None]


def always_open() -> str:
    """The gate of an exit: it has none."""
    return ""


def nothing_along(_connection: Connection, _intent: OrderIntent) -> None:
    """Nothing else becomes true with an order's end."""


def _nothing_earlier(_order: VenueOrder, _moment: datetime) -> None:
    """Nobody trades beside us, or it is nothing to us."""


class OrderExecutor:
    """Places and follows the orders of one account, in that account's thread and under its lease (`epoch`).

    `restored_at`: since when the books are an older copy that was put back; None = never. `instance` says
    whether this process as a whole may send anything, exits included. `departures` are the orders that went out in a
    batch with others' (see `order_lane`): their outcome is written here. `on_order` is told of each sending once, in
    no transaction: after `send`, or else when the first word on the order is written down, whoever has brought it.
    """

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        recorder: FillRecorder,
        stop: threading.Event,
        confirm_seconds: float,
        gather_milliseconds: int,
        on_order: Callable[[OrderIntent], None],
        epoch: int,
        restored_at: datetime | None = None,
        entry_gate: EntryGate | None = None,
        instance: InstanceGuard | None = None,
        departures: Departures | None = None,
    ) -> None:
        self._broker = broker
        self._store = store
        self._clock = clock
        self._recorder = recorder
        self._stop = stop
        self._confirm_seconds = confirm_seconds
        self._gather = timedelta(milliseconds=gather_milliseconds)
        self._on_order = on_order
        self._epoch = epoch
        self._restored_at = restored_at
        self._entry_gate = entry_gate or OpenGate()
        self._instance = instance or NoOtherInstance()
        self._departures = departures or Departures(clock)
        self._absence = AbsenceWatch()
        self._unresolved_since: dict[str, float] = {}
        # Orders that were sent, as far as is known, and of which `on_order` has not heard since.
        self._untold: set[str] = set()
        self._said = SaidOf()
        self._book_earlier: Callable[[VenueOrder, datetime], None] = _nothing_earlier

    def before_booking(self, book_earlier: Callable[[VenueOrder, datetime], None]) -> None:
        """What is asked to book other trades of an order's market from before a moment, before the order's own are.

        A master's owner trades beside us, and a signal is a share of what was held when it was made: booked out of
        their order, a sale by hand would be one of nothing.
        """
        self._book_earlier = book_earlier

    @property
    def stopping(self) -> bool:
        """Whether the bot ends: nothing new is sent any more."""
        return self._stop.is_set()

    # -- sending ----------------------------------------------------------------------------------------------------
    def place(self, intent: OrderIntent, *, gate: Callable[[], str] = always_open) -> OrderIntent:
        """Write the intent down, send it, and follow it for a while. Returns it as it is now known.

        A result in state CREATED means that the venue certainly did not take it and it may be sent again.
        """

        def work(connection: Connection) -> None:
            self.refuse_when_fenced(connection)
            intent_rows.add_intent(connection, intent)

        self._store.write(work)
        failpoint("intent_committed")
        return self.send(intent, gate=gate)

    def send(self, intent: OrderIntent, *, gate: Callable[[], str] = always_open) -> OrderIntent:
        """Send an intent that is written down and in state CREATED, once.

        `gate` is asked at the last moment before the wire; a reason means that the intent is given up. Raises `Fenced`
        when the account belongs to somebody else by now.
        """
        with working_on(account=intent.account_id, signal=intent.signal_id, order=intent.client_order_id):
            return self._send(intent, gate)

    def _send(self, intent: OrderIntent, gate: Callable[[], str]) -> OrderIntent:
        if self._stop.is_set() or not self._certainly_unsent(intent):
            return self.reload(intent)
        impossible = self._broker.capabilities.refusal_of(intent.request())
        if impossible:
            self._give_up(intent, f"{CopyReason.REFUSED_BY_VENUE}: {impossible}", None)
            return self._told(intent)
        left = self._mark_submitted(intent)
        self._untold.add(intent.client_order_id)
        failpoint("submitted_committed")
        if isinstance(left, Veto):
            log.info("%s: %s %s not sent: %s", intent.account_id, intent.side, intent.symbol, left)
        elif not self._held_back(intent, gate):
            self._send_now(intent, left)
        return self._told(intent)

    def _told(self, intent: OrderIntent) -> OrderIntent:
        """The intent as it is now written, which is news to whoever follows orders."""
        result = self.reload(intent)
        self._tell(result)
        if has_ended(result):
            self._said.forget(result.client_order_id)
        return result

    def _tell(self, intent: OrderIntent) -> None:
        self._untold.discard(intent.client_order_id)
        self._on_order(intent)

    def _tell_once(self, intent: OrderIntent) -> OrderIntent:
        """The same intent; told when its sending was not yet, and something is written down of how it went."""
        if intent.client_order_id in self._untold and intent.state is not IntentState.SUBMITTED:
            self._tell(intent)
        return intent

    def _held_back(self, intent: OrderIntent, gate: Callable[[], str]) -> bool:
        """The last look: writing the order down has taken its time. True when it is given up."""
        veto = self.vetoed_now(intent)
        closed = gate() if veto is None else str(veto)
        if not closed:
            return False
        self._give_up(intent, closed, veto)
        return True

    def _give_up(self, intent: OrderIntent, why: str, veto: Veto | None) -> None:
        """Nothing of it has left, and nothing will."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            self.refuse_when_fenced(connection)
            intent_rows.move(
                connection, intent.client_order_id, IntentState.ABANDONED, at=now, detail=f"{NOT_SENT}{why}"
            )
            if veto is not None:
                vetoes.add_veto(connection, intent, veto, at=now)

        self._store.write(work)

    def _look_again(self, intent: OrderIntent) -> None:
        """When the order has waited its turn at the venue. Raises `HeldBack`, `RetryLater` when it cannot be known."""
        try:
            veto = self.vetoed_now(intent)
        except StoreUnavailable as error:
            raise RetryLater(f"not sent: {error}") from error
        if veto is not None:
            raise HeldBack(veto)

    def vetoed_now(self, intent: OrderIntent) -> Veto | None:
        """What stands against an entry at this moment, by reading only."""
        if intent.kind is not OrderKind.ENTRY:
            return None
        with self._store.read() as connection:
            return self._entry_gate.still(connection, intent)

    def _certainly_unsent(self, intent: OrderIntent) -> bool:
        """After an older copy of the books was put back, a copy's order may be at the venue already, under the same id.

        So the venue is asked before the first sending of each copy whose signal is from before then. What it shows is
        booked or left to a person, and while it cannot be read nothing is sent.
        """
        if self._restored_at is None or intent.attempt > 0 or intent.signal_id is None:
            return True
        with self._store.read() as connection:
            signal = signal_rows.find_signal(connection, intent.signal_id)
        if signal is None or signal.executed_at > self._restored_at:
            return True
        try:
            order = self._broker.find_order(intent.client_order_id, symbol=intent.symbol, sent_at=signal.executed_at)
        except _CALM_ERRORS as error:
            self._say_why_not("sent", intent, error)
            return False
        if order is not None:
            self.adopt(intent, order)
            return False
        if not self._broker.absence_doubt:
            return True
        log.warning(
            "%s order %s is not sent: older books were put back, and %s",
            intent.account_id,
            intent.client_order_id,
            self._broker.absence_doubt,
        )
        if intent.kind is OrderKind.ENTRY:
            self._give_up(intent, f"{CopyReason.OUTCOME_UNKNOWN}: {self._broker.absence_doubt}", None)
        return False

    def _mark_submitted(self, intent: OrderIntent) -> float | Veto | None:
        """The commit before the first byte. Returns until when the order may leave (monotonic seconds), or a veto."""
        now, started = self._clock.now(), self._clock.monotonic()
        expiry = self._broker.order_expiry_seconds

        def work(connection: Connection) -> bool | Veto:
            self._instance.check(connection)
            veto = self._veto_in(connection, intent, now)
            return veto or intent_rows.submit(
                connection,
                intent.client_order_id,
                epoch=self._epoch,
                at=now,
                expires_at=None if expiry is None else now + timedelta(seconds=expiry),
                settle_at=now + timedelta(seconds=self._broker.settle_seconds),
                payload_sha256=intent.request().payload_sha256,
                quantity=intent.quantity,
                limit_price=intent.limit_price,
            )

        submitted = self._store.write(work)
        if isinstance(submitted, Veto):
            return submitted
        if not submitted:
            self._check_lease()
            raise IllegalMove(f"order {intent.client_order_id} of {intent.account_id} was sent before")
        # Counted from the end of the commit: from here on it can leave.
        self._absence.sent(intent.client_order_id, now=self._clock.monotonic())
        return None if expiry is None else started + expiry

    def _veto_in(self, connection: Connection, intent: OrderIntent, now: datetime) -> Veto | None:
        """An entry's judgement is written in the transaction that would have let it out."""
        if intent.kind is not OrderKind.ENTRY:
            return None
        veto = self._entry_gate.admit(connection, intent)
        if veto is not None:
            self.refuse_when_fenced(connection)
            give_up_vetoed(connection, intent, veto, at=now)
        return veto

    def _send_now(self, intent: OrderIntent, leave_before: float | None) -> None:
        self._check_lease()
        limits = [limit for limit in (leave_before, self._instance.send_before()) if limit is not None]
        last_look = partial(self._look_again, intent)
        request = replace(intent.request(), leave_before=min(limits, default=None), last_look=last_look)
        try:
            with self._broker.urgent(_urgency(intent)):
                ack = self._broker.place_order(request)
        except HeldBack as error:
            log.info("%s: %s %s not sent: %s", intent.account_id, intent.side, intent.symbol, error)
            self._give_up(intent, str(error), error.veto)
        except (RetryLater, OrderRefused, CredentialsRejected, OutcomeUnknown) as error:
            self._not_taken(intent, error)
        else:
            failpoint("ack_received")
            self._move(intent, IntentState.ACKNOWLEDGED, "", venue_order_id=ack.venue_order_id)
            failpoint("ack_committed")
            self._follow(self.reload(intent))

    def _not_taken(self, intent: OrderIntent, error: VenueError) -> None:
        """Certainly not, by the venue's own word, or nobody knows: what is not on the two lists is not known."""
        if isinstance(error, RetryLater):
            self._move(intent, IntentState.CREATED, str(error))
        elif isinstance(error, OrderRefused | CredentialsRejected):
            self._move(intent, IntentState.REJECTED, f"{type(error).__name__}: {error}")
        else:
            log.warning("%s order %s outcome unknown: %s", intent.account_id, intent.client_order_id, error)
            self._move(intent, IntentState.UNKNOWN, str(error))

    # -- orders that left in a batch --------------------------------------------------------------------------------
    def awaited_seconds(self, intent: OrderIntent) -> float:
        """For how long the outcome of an order that left in a batch may still come by itself: nobody asks till then."""
        if intent.state is not IntentState.SUBMITTED:
            return 0.0
        return self._departures.awaited_seconds(intent.client_order_id)

    def _seen_before_its_answer(self, intent: OrderIntent, along: Along) -> OrderIntent:
        """The stream may be ahead of the acknowledgement; what it shows is the venue's word as well."""
        shown = self._broker.streamed_order_of(intent.client_order_id)
        if shown is None or not shown.status.ended or _contradicts(intent, shown):
            return intent
        if not self._book(replace(intent, venue_order_id=shown.venue_order_id), shown, along):
            return intent
        self._departures.forget(intent.client_order_id)
        return self.reload(intent)

    def _collect(self, intent: OrderIntent, outcome: LaneOutcome, along: Along) -> None:
        """Write down what was heard of it, as if this thread had sent it by itself."""
        if outcome.ack is not None:
            failpoint("ack_received")
            self._take_ack(intent, outcome.ack, along)
            failpoint("ack_committed")
            self._follow_unless_told(intent, along)
        elif outcome.error is not None:
            self._not_taken(intent, outcome.error)
        self._departures.forget(intent.client_order_id)

    def _take_ack(self, intent: OrderIntent, ack: OrderAck, along: Along) -> None:
        """Where the stream has shown all of the order by now, its acknowledgement, fills and end are one commit."""
        shown = self._broker.streamed_order(ack.venue_order_id)
        known = replace(intent, venue_order_id=ack.venue_order_id)
        if shown is None or not shown.status.ended or not self._book(known, shown, along):
            self._move(intent, IntentState.ACKNOWLEDGED, "", venue_order_id=ack.venue_order_id)

    def _follow_unless_told(self, intent: OrderIntent, along: Along) -> None:
        """Where no stream says how the whole order went on, that is asked, as after an order that went by itself."""
        taken, shown = self.reload(intent), self._broker.capabilities.private_stream is PrivateStream.ACCOUNT
        if taken.state is IntentState.ACKNOWLEDGED and not shown:
            self._follow(taken, along)

    def _check_lease(self) -> None:
        """A thread that was held up since its commit may have been replaced meanwhile."""
        with self._store.read() as connection:
            self.refuse_when_fenced(connection)

    def refuse_when_fenced(self, connection: Connection) -> None:
        """Every transaction that decides something for the account begins with this.

        A replaced thread may go on for a while with what it read before; none of it may be written any more. Raises
        `Fenced` then, and `StoreUnavailable` while it is not known whether another process has the database.
        """
        label = self._broker.account.label
        self._instance.check(connection)
        epoch = leases.epoch_of(connection, label)
        if epoch != self._epoch:
            raise Fenced(f"{label} was opened anew (epoch {epoch}, this thread has {self._epoch})")

    # -- asking -----------------------------------------------------------------------------------------------------
    def settle(self, intent: OrderIntent, *, along: Along = nothing_along) -> OrderIntent:
        """Find out how an unfinished intent stands; never sends it again. Errors leave it as it is.

        The venue is asked, except about an order that left in a batch and may still be answered by itself: of that one
        its answer is written down, or what the stream shows of it. `along` is done in the transaction that books the
        order's end, with the intent as it is then.
        """
        with working_on(account=intent.account_id, signal=intent.signal_id, order=intent.client_order_id):
            if intent.state is IntentState.SUBMITTED and self.reload(intent).state is IntentState.SUBMITTED:
                # It left in a batch, or from a process that has ended. What the caller has may be from before its end.
                self._untold.add(intent.client_order_id)
            return self._tell_once(self._settle(intent, along))

    def _settle(self, intent: OrderIntent, along: Along) -> OrderIntent:
        try:
            with self._broker.urgent(Urgency.EXIT if intent.kind is OrderKind.EXIT else Urgency.RESOLVE):
                if self.awaited_seconds(intent) > 0:
                    return self._seen_before_its_answer(intent, along)
                if intent.resolution:
                    self._carry_out(intent)
                elif intent.needs_person:
                    return intent
                else:
                    self._find_out(intent, along)
        except _CALM_ERRORS as error:
            self._say_why_not("settled", intent, error)
        result = self.reload(intent)
        if result.state in UNRESOLVED_STATES:
            self._alarm_when_old(result)
        else:
            self._forget(result)
        if has_ended(result):
            self._said.forget(result.client_order_id)
        return result

    def _find_out(self, intent: OrderIntent, along: Along) -> None:
        outcome = self._departures.outcome(intent.client_order_id)
        if outcome is not None and intent.state is IntentState.SUBMITTED:
            self._collect(intent, outcome, along)
        elif intent.state in UNRESOLVED_STATES:
            self._resolve(intent, along)
        elif intent.venue_order_id is not None:
            self._follow_once(intent, along)

    def cancel(self, intent: OrderIntent) -> OrderIntent:
        """Ask the venue to end a live order, then ask how it stands: a cancel is a request, not an outcome."""
        if intent.state not in LIVE_STATES or intent.venue_order_id is None:
            return intent
        with working_on(account=intent.account_id, signal=intent.signal_id, order=intent.client_order_id):
            try:
                self._request_cancel(intent, intent.venue_order_id)
                self._follow_once(intent)
            except _CALM_ERRORS as error:
                self._say_why_not("cancelled", intent, error)
            return self._tell_once(self.reload(intent))

    def adopt(self, intent: OrderIntent, order: VenueOrder) -> OrderIntent:
        """Book an order of ours that was found without being asked for, whatever the books say of its end.

        One that contradicts its intent is not booked; a person decides, if the books have no end of it yet.
        """
        if intent.state in (IntentState.CREATED, IntentState.SUBMITTED):
            self._untold.add(intent.client_order_id)
        if intent.state is IntentState.CREATED:
            # An older copy of the books was put back, or the venue took what it had said it did not take.
            log.warning(
                "%s order %s was never sent, say the books; the venue has it as %s: it is taken over",
                intent.account_id,
                intent.client_order_id,
                order.venue_order_id,
            )
            self._move(intent, IntentState.SUBMITTED, "found at the venue", **self._size_really_sent(intent, order))
            intent = self.reload(intent)
        if not _contradicts(intent, order):
            self._book(replace(intent, venue_order_id=order.venue_order_id), order)
        elif intent.state in UNRESOLVED_STATES and not intent.needs_person:
            self._leave_to_a_person(intent, _contradiction(intent, order))
        return self._tell_once(self.reload(intent))

    def _size_really_sent(self, intent: OrderIntent, order: VenueOrder) -> dict[str, Decimal]:
        """A copy planned anew in older books may have another size; what had been sent is what counts."""
        planned_anew = self._restored_at is not None and intent.attempt == 0 and intent.signal_id is not None
        same = (order.symbol, order.side) == (intent.symbol, intent.side)
        return {"quantity": order.quantity} if planned_anew and same else {}

    def abandon(self, intent: OrderIntent, reason: str) -> None:
        """Give up an intent that was never sent."""
        self._move(intent, IntentState.ABANDONED, reason)

    def reload(self, intent: OrderIntent) -> OrderIntent:
        """The intent as the store has it."""
        with self._store.read() as connection:
            return intent_rows.find_intent(connection, intent.client_order_id) or intent

    # -- inside -----------------------------------------------------------------------------------------------------
    def _follow(self, intent: OrderIntent, along: Along = nothing_along) -> None:
        """Poll until the order has ended and its fills are all there, or the time is over.

        One that may rest for long is looked at once: who has placed it looks again.
        """
        deadline = self._clock.monotonic() + self._confirm_seconds
        while True:
            try:
                with self._broker.urgent(_urgency(intent)):
                    if self._follow_once(intent, along):
                        return
            except _CALM_ERRORS as error:
                self._say_why_not("confirmed", intent, error)
            if intent.order_type.rests or self._clock.monotonic() >= deadline or self._stop.is_set():
                return
            self._clock.wait(self._stop, CONFIRM_POLL_SECONDS)

    def _follow_once(self, intent: OrderIntent, along: Along = nothing_along) -> bool:
        """Book what the venue shows of an accepted order; True when nothing more can come."""
        assert intent.venue_order_id is not None
        order = self._broker.get_order(intent.venue_order_id)
        return order is not None and self._book(intent, order, along)

    def _book(self, intent: OrderIntent, order: VenueOrder, along: Along = nothing_along) -> bool:
        fills = []
        if order.filled_quantity > 0:
            since = (intent.sent_at or intent.created_at) - timedelta(minutes=1)
            listed = self._broker.get_order_fills(order.venue_order_id, since=since)
            # A trade on the boundary of two pages is listed twice, and must not stand in for one that is missing.
            fills = list({fill.trade_id: fill for fill in listed}.values())
        if not order.status.ended and self._clock.now() < (intent.sent_at or intent.created_at) + self._gather:
            # Parts of one order are gathered for a moment, so that users get one signal and not a dozen crumbs.
            return False
        complete = sum(fill.quantity for fill in fills) >= order.filled_quantity
        if order.status.ended and not complete:
            # The order's end is seen before its trades: booking the end now would freeze a wrong total.
            return False
        if fills:
            self._book_earlier(order, min(fill.executed_at for fill in fills))
        self._recorder.book_order(intent, order, fills, along=along if order.status.ended else None)
        if not order.status.ended:
            self._cancel_if_stuck(intent, order)
        return order.status.ended

    def _cancel_if_stuck(self, intent: OrderIntent, order: VenueOrder) -> None:
        is_limit = intent.order_type is OrderType.LIMIT_IOC
        seconds = self._broker.immediate_limit_seconds if is_limit else STUCK_IOC_SECONDS
        stuck_at = (intent.sent_at or intent.created_at) + timedelta(seconds=seconds)
        if not intent.order_type.rests and self._clock.now() > stuck_at:
            self._request_cancel(intent, order.venue_order_id)

    def _request_cancel(self, intent: OrderIntent, venue_order_id: str) -> None:
        now = self._clock.now()
        self._store.write(
            lambda connection: intent_rows.change(connection, intent.client_order_id, cancel_requested_at=now)
        )
        failpoint("cancel_committed")
        with self._broker.urgent(Urgency.CANCEL):
            self._broker.cancel_order(venue_order_id)
        failpoint("cancel_sent")

    def _resolve(self, intent: OrderIntent, along: Along = nothing_along) -> None:
        asked_at = self._clock.monotonic()
        order = self._broker.find_order(
            intent.client_order_id, symbol=intent.symbol, sent_at=intent.sent_at or intent.created_at
        )
        if order is None:
            self._count_absence(intent, asked_at)
        elif _contradicts(intent, order):
            self._leave_to_a_person(intent, _contradiction(intent, order))
        else:
            self._book(replace(intent, venue_order_id=order.venue_order_id), order, along)

    def _count_absence(self, intent: OrderIntent, asked_at: float) -> None:
        """Not found: proof only when `AbsenceWatch` says so."""
        count = self._absence.found_nothing(intent.client_order_id, asked_at=asked_at)
        if count is None:
            return
        now = self._clock.now()
        self._store.write(
            lambda connection: intent_rows.change(
                connection, intent.client_order_id, empty_lookups=count, last_lookup_at=now
            )
        )
        if not self._absence.proven(intent.client_order_id, settle_seconds=self._broker.settle_seconds):
            return
        if self._broker.absence_doubt:
            self._leave_to_a_person(intent, self._broker.absence_doubt)
            return
        log.warning("%s order %s proven absent", intent.account_id, intent.client_order_id)
        self._end_absent(intent)

    def _end_absent(self, intent: OrderIntent) -> None:
        """An entry is given up. An exit is a debt: where ids are good once and for ever the same order goes again."""
        again = intent.kind is OrderKind.EXIT and self._broker.client_ids_are_forever
        state = IntentState.CREATED if again else IntentState.ABANDONED
        if intent.state is IntentState.SUBMITTED and again:
            self._move(intent, IntentState.UNKNOWN, "")
        self._move(intent, state, "proven absent at the venue")

    def _carry_out(self, intent: OrderIntent) -> None:
        """Do what a person said about an order whose evidence contradicts itself."""
        who = f"said by {intent.resolved_by}"
        if intent.resolution == ABSENT:
            self._settle_question(intent)
            self._move(intent, IntentState.ABANDONED, f"does not exist at the venue, {who}")
            return
        venue_order_id = intent.resolution.removeprefix(ACCEPTED)
        order = self._broker.get_order(venue_order_id)
        if order is None:
            log.warning("%s: the venue does not show order %s yet, %s", intent.account_id, venue_order_id, who)
        elif order.symbol != intent.symbol:
            self._leave_to_a_person(intent, f"order {venue_order_id} is one of {order.symbol}, not {intent.symbol}")
        else:
            self._settle_question(intent)
            self._book(replace(intent, venue_order_id=venue_order_id), order)

    def _settle_question(self, intent: OrderIntent) -> None:
        self._store.write(lambda connection: intent_rows.change(connection, intent.client_order_id, needs_person=""))

    def _leave_to_a_person(self, intent: OrderIntent, question: str) -> None:
        """The evidence contradicts itself: this symbol of this account waits, and nothing else does."""
        log.critical(
            "%s order %s: %s. Nothing is sent for %s until a person decides: python bot.py resolve",
            intent.account_id,
            intent.client_order_id,
            question,
            intent.symbol,
        )
        now = self._clock.now()

        def work(connection: Connection) -> None:
            self.refuse_when_fenced(connection)
            intent_rows.move(connection, intent.client_order_id, IntentState.UNKNOWN, at=now, detail=question)
            intent_rows.change(connection, intent.client_order_id, needs_person=question, resolution="")

        self._store.write(work)

    def _alarm_when_old(self, intent: OrderIntent) -> None:
        since = self._unresolved_since.setdefault(intent.client_order_id, self._clock.monotonic())
        if self._clock.monotonic() - since < ALARM_AFTER_SECONDS:
            return
        self._unresolved_since[intent.client_order_id] = self._clock.monotonic()
        log.critical(
            "%s order %s has had no outcome for %d minutes; %s waits for it (%s)",
            intent.account_id,
            intent.client_order_id,
            ALARM_AFTER_SECONDS // 60,
            intent.symbol,
            intent.reason,
        )

    def _say_why_not(self, what: str, intent: OrderIntent, error: Exception) -> None:
        """Again and again the same is asked; it is said when it is news."""
        is_news = self._said.is_news(intent.client_order_id, f"{what} {error}")
        level = logging.INFO if is_news else logging.DEBUG
        log.log(level, "%s order %s not %s yet: %s", intent.account_id, intent.client_order_id, what, error)

    def _forget(self, intent: OrderIntent) -> None:
        self._absence.forget(intent.client_order_id)
        self._unresolved_since.pop(intent.client_order_id, None)

    def _move(self, intent: OrderIntent, state: IntentState, detail: str, **changes: Any) -> None:
        """What a replaced thread still hears of its order is not its to write down: the new one asks by itself."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            self.refuse_when_fenced(connection)
            intent_rows.move(connection, intent.client_order_id, state, at=now, detail=detail, **changes)

        self._store.write(work)


def give_up_vetoed(connection: Connection, intent: OrderIntent, veto: Veto, *, at: datetime) -> None:
    """Nothing of this entry has left, and nothing will; the veto keeps the numbers that were compared."""
    intent_rows.move(connection, intent.client_order_id, IntentState.ABANDONED, at=at, detail=f"{NOT_SENT}{veto}")
    vetoes.add_veto(connection, intent, veto, at=at)


def _urgency(intent: OrderIntent) -> Urgency:
    return Urgency.EXIT if intent.kind is OrderKind.EXIT else Urgency.ENTRY


def _contradicts(intent: OrderIntent, order: VenueOrder) -> bool:
    return (order.symbol, order.side, order.quantity) != (intent.symbol, intent.side, intent.quantity)


def _contradiction(intent: OrderIntent, order: VenueOrder) -> str:
    return (
        f"the venue's order {order.venue_order_id} is to {order.side} {order.quantity:f} {order.symbol}, ours was to "
        f"{intent.side} {intent.quantity:f} {intent.symbol}"
    )


def has_ended(intent: OrderIntent) -> bool:
    """Whether nothing more can come of it."""
    return intent.state in FINAL_STATES
