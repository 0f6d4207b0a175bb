"""All that tells people outside, started and stopped together. Nothing of it is waited for by what trades."""

import logging
from collections.abc import Callable, Sequence

from bot.domain.errors import NijaError
from bot.notifications.announcing import Announcer
from bot.notifications.courier import Counted, Courier
from bot.notifications.deadman import DeadMan
from bot.notifications.outgoing import Outgoing
from bot.notifications.pacing import Pacing
from bot.notifications.ways import Ways
from bot.notifications.wording import Wording
from bot.seams.clock import Clock
from bot.settings.notifications import NotificationSettings
from bot.storage import alerts, notifications, processes
from bot.storage.store import Store
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

WRITE_SECONDS = 5.0
LEADER_SECONDS = 5.0
NO_CYCLE = "no_cycle"


class PostOffice:
    """`start` and `stop` by the process. `dead` says why the process is not well, as far as it knows."""

    def __init__(
        self,
        ways: Ways,
        settings: NotificationSettings,
        *,
        store: Store,
        clock: Clock,
        wording: Wording,
        pacing: Pacing,
        dead: Callable[[], Sequence[str]],
        leads: Callable[[], bool],
        counted: Counted,
        on_ping: Callable[[], None],
        watchdog: Watchdog | None = None,
    ) -> None:
        self._ways = ways
        self._store = store
        self._clock = clock
        self._dead = dead
        self.announcer = Announcer(
            channels=[channel.name for channel in ways.channels], least=settings.least, clean=wording.clean
        )
        self._threads: list[Courier | DeadMan] = [
            Courier(
                kind,
                channels,
                store=store,
                clock=clock,
                pacing=pacing,
                wording=wording,
                leads=leads,
                counted=counted,
                watchdog=watchdog,
            )
            for kind, channels in ways.by_kind.items()
        ]
        if ways.deadman_url:
            self._threads.append(
                DeadMan(
                    Outgoing(clock, allow_private=settings.allow_private_hosts),
                    url=ways.deadman_url,
                    every_seconds=settings.deadman_seconds,
                    clock=clock,
                    alive=self._why_not_alive,
                    on_ping=on_ping,
                    watchdog=watchdog,
                )
            )

    def start(self) -> None:
        for problem in self._ways.problems:
            log.warning("notifications: %s", problem)
        names = [channel.name for channel in self._ways.channels]
        if names:
            log.info("People are told by: %s", ", ".join(names))
        else:
            log.info("Nobody is told of anything outside the log and the page (docs/notifications.md)")
        self._forget_other_channels(names)
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """What waits stays written down."""
        for thread in self._threads:
            thread.stop(timeout_seconds / max(1, len(self._threads)))

    def _forget_other_channels(self, names: Sequence[str]) -> None:
        now = self._clock.now()
        try:
            self._store.write(
                lambda connection: notifications.give_up_other_channels(
                    connection, names, now=now, problem="there is no such way any more"
                ),
                timeout_seconds=WRITE_SECONDS,
            )
        except NijaError as error:
            log.warning("what waits for ways that are gone stays: %s", error)

    def _why_not_alive(self) -> str:
        """The process is well, and each account's loop goes round."""
        if dead := self._dead():
            return "; ".join(dead)
        try:
            with self._store.read() as connection:
                late = [subject for cause, subject in alerts.open_alerts(connection) if cause == NO_CYCLE]
        except NijaError as error:
            return str(error)
        return f"no cycle has ended lately: {', '.join(sorted(late))}" if late else ""


class Leadership:
    """Of many processes on one database the oldest tells people; the answer is asked for every few seconds."""

    def __init__(self, store: Store, clock: Clock, process_id: str | None) -> None:
        self._store = store
        self._clock = clock
        self._process_id = process_id
        self._until = float("-inf")
        self._leads = process_id is None

    def __call__(self) -> bool:
        """Raises `StoreUnavailable`."""
        if self._process_id is not None and self._clock.monotonic() >= self._until:
            with self._store.read() as connection:
                living = processes.living(connection, now=self._clock.now())
            self._leads = bool(living) and living[0].process_id == self._process_id
            self._until = self._clock.monotonic() + LEADER_SECONDS
        return self._leads
