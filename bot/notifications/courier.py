"""Takes what is written down to people: a thread for each kind of way, so that none waits for another."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.domain.errors import NijaError
from bot.notifications.delivery import Channel, NotDelivered, kind_of
from bot.notifications.pacing import GIVE_UP_AFTER, Pacing, pause_seconds
from bot.notifications.wording import Wording
from bot.seams.clock import Clock
from bot.storage import notifications
from bot.storage.notifications import Notification
from bot.storage.store import Store
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
WRITE_SECONDS = 5.0
# A name's look-up and a mail server's steps have time-outs of their own, one after the other. It is long, because
# threads that hang count against the whole process, and nobody waits for this one.
SEND_SECONDS = 300.0

DAY = f"{GIVE_UP_AFTER.total_seconds() / 3600:.0f} h"
NO_ROOM = f"there was no room for it within {DAY}: notifications.most_per_hour and page_minutes say how much goes out"

Counted = Callable[[str, str], None]


class Courier:
    """`start` and `stop` by the process; `turn` is what its thread does once a second.

    A row is told at least once: when the process dies between sending and noting it, it is sent again with the same id.
    `leads` says whether this process is the one that tells people.
    """

    def __init__(
        self,
        kind: str,
        channels: Sequence[Channel],
        *,
        store: Store,
        clock: Clock,
        pacing: Pacing,
        wording: Wording,
        leads: Callable[[], bool] = lambda: True,
        counted: Counted = lambda _kind, _result: None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._channels = channels
        self._store = store
        self._clock = clock
        self._pacing = pacing
        self._wording = wording
        self._leads = leads
        self._counted = counted
        self._stop = threading.Event()
        self._problems: dict[str, str] = {}
        # Delivered and not noted, because the store did not take it: by the leading row, with the others and with who
        # did not get it.
        self._unnoted: dict[int, tuple[list[int], str]] = {}
        self._thread = KeptThread(
            f"Tell-{kind}", self._run, clock=clock, watchdog=watchdog, cut=lambda _thread: self._cut()
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """What is under way is cut short; it is told after the next start."""
        self._stop.set()
        self._cut()
        self._thread.join(timeout_seconds)

    def _cut(self) -> None:
        for channel in self._channels:
            channel.cut()

    def _run(self) -> None:
        while not self._stop.is_set():
            beat("telling people")
            self.turn()
            self._clock.wait(self._stop, LOOK_SECONDS)

    def turn(self) -> None:
        """Tell what is due, by each channel. Does not raise for what a store or a way does."""
        for channel in self._channels:
            if self._stop.is_set():
                return
            try:
                self._note()
                if self._leads():
                    self._tell(channel)
                self._say_once("the store", "")
            except NijaError as error:
                self._say_once("the store", str(error))

    def _tell(self, channel: Channel) -> None:
        now = self._clock.now()
        with self._store.read() as connection:
            waiting = notifications.waiting_for(connection, channel.name)
            told = notifications.told_since(connection, channel.name, now - self._pacing.window) if waiting else ()
        waiting = self._without_old(channel, waiting, now)
        chosen = self._pacing.ready(waiting, told, now)
        if not chosen:
            return
        last = self._pacing.is_last_of_hour(chosen, told, now)
        until = self._pacing.next_free(told, now) if last else None
        beat(f"telling people by {channel.name}", SEND_SECONDS)
        try:
            missed = channel.send(self._wording.message(chosen, now=now, last_until=until))
        except NotDelivered as error:
            self._failed(channel, chosen, error)
        except Exception as error:
            # A way is code of others in part: what it does must not end the telling by the other ways.
            log.exception("%s has failed in a way that nobody thought of", channel.name)
            self._failed(channel, chosen, NotDelivered(f"unexpected: {type(error).__name__}"))
        else:
            self._delivered(channel, chosen, missed)

    def _delivered(self, channel: Channel, chosen: Sequence[Notification], missed: str) -> None:
        missed = self._wording.clean(missed)[:300]
        self._unnoted[chosen[0].id] = [row.id for row in chosen[1:]], missed
        self._counted(kind_of(channel.name), "sent")
        self._say_once(channel.name, "")
        if missed:
            log.warning("not everybody was told by %s, and it is not sent again: %s", channel.name, missed)
        self._note()

    def _note(self) -> None:
        """Until this is written, nothing is told: it would be the same again."""
        now = self._clock.now()
        for leading, (others, missed) in list(self._unnoted.items()):
            self._store.write(
                partial(notifications.note_told, leading=leading, others=others, now=now, problem=missed),
                timeout_seconds=WRITE_SECONDS,
            )
            del self._unnoted[leading]

    def _failed(self, channel: Channel, chosen: Sequence[Notification], error: NotDelivered) -> None:
        if self._stop.is_set():
            return  # it was cut short by us
        problem = self._wording.clean(str(error))[:300]
        self._counted(kind_of(channel.name), "failed")
        self._say_once(channel.name, problem)
        pause = pause_seconds(max(row.tries for row in chosen) + 1)
        due_at = self._clock.now() + timedelta(seconds=max(pause, min(error.retry_after_seconds or 0.0, 3600.0)))
        ids = [row.id for row in chosen]
        self._store.write(
            lambda connection: notifications.note_failed(connection, ids, due_at=due_at, problem=problem),
            timeout_seconds=WRITE_SECONDS,
        )

    def _without_old(self, channel: Channel, waiting: Sequence[Notification], now: datetime) -> Sequence[Notification]:
        """What nobody could be told for a day is given up, aloud: it is no news any more."""
        old = [row for row in waiting if row.at < now - GIVE_UP_AFTER]
        if not old:
            return waiting
        # Of a way that fails only some rows were tried: the others wait behind them.
        problem = next((row.problem for row in reversed(waiting) if row.problem), "")
        why = f"because {channel.name} has not worked for {DAY}: {problem}" if problem else f"because {NO_ROOM}"
        log.error("%d messages for %s were given up, %s", len(old), channel.name, why)
        self._counted(kind_of(channel.name), "given_up")
        ids = [row.id for row in old]
        self._store.write(
            lambda connection: notifications.give_up(connection, ids, now=now, problem=problem or NO_ROOM),
            timeout_seconds=WRITE_SECONDS,
        )
        return [row for row in waiting if row not in old]

    def _say_once(self, about: str, problem: str) -> None:
        """A change of state is said, the same state is not said again."""
        before = self._problems.get(about, "")
        self._problems[about] = problem
        if problem and problem != before:
            log.warning("nobody can be told by %s now; it is tried again: %s", about, problem)
        elif before and not problem:
            log.info("people can be told by %s again", about)
