"""The wiring of what tells people outside: its ways, its threads, and what they need to know of the process."""

import math
from collections.abc import Callable

from bot.composition import World
from bot.diagnostics.alert_causes import CAUSES
from bot.notifications.announcing import Announcer
from bot.notifications.pacing import Pacing
from bot.notifications.post_office import Leadership, PostOffice
from bot.notifications.telegram import TelegramApi
from bot.notifications.ways import find_ways, secrets_in
from bot.notifications.wording import Wording
from bot.observability.metrics import Metrics
from bot.observability.readiness import Readiness
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.supervision.watchdog import Watchdog
from bot.telegram.controls import Controls
from bot.telegram.desk import TelegramDesk


class NewsDesk:
    """`start` and `stop` by the process. `announcer` and `leads` are for whoever keeps the list of alerts."""

    def __init__(self, world: World, readiness: Readiness, watchdog: Watchdog) -> None:
        settings = world.settings
        for secret in secrets_in(world.environ):
            world.redactor.add(secret)
        self.leads: Callable[[], bool] = Leadership(world.store, world.clock, world.process_id)
        pings = _Pings(world.metrics, world.clock)
        ways = find_ways(settings.notifications, world.environ, world.clock)
        self._telegram = None if ways.telegram is None else self._hearing(world, ways.telegram, watchdog)
        self._office = PostOffice(
            ways,
            settings.notifications,
            store=world.store,
            clock=world.clock,
            wording=wording_of(settings, world.install_id, world.redactor.clean),
            pacing=Pacing.of(settings.notifications),
            dead=lambda: not_well(readiness),
            leads=self.leads,
            counted=lambda kind, result: world.metrics.notifications.labels(kind, result).inc(),
            on_ping=pings.note,
            watchdog=watchdog,
        )

    @property
    def announcer(self) -> Announcer:
        return self._office.announcer

    def start(self) -> None:
        self._office.start()
        if self._telegram is not None:
            self._telegram.start()

    def stop(self, timeout_seconds: float) -> None:
        if self._telegram is not None:
            self._telegram.stop(timeout_seconds / 2)
        self._office.stop(timeout_seconds / 2)

    def _hearing(self, world: World, api: TelegramApi, watchdog: Watchdog) -> TelegramDesk:
        settings = world.settings
        return TelegramDesk(
            api,
            chats=settings.notifications.telegram_chats,
            settings=settings,
            store=world.store,
            clock=world.clock,
            controls=Controls(settings, now=world.clock.now, token=world.ids.token),
            clean=world.redactor.clean,
            leads=self.leads,
            watchdog=watchdog,
        )


def not_well(readiness: Readiness) -> list[str]:
    """Why no ping may say that all is well, as far as the process knows: also when nothing can be written down."""
    return [*readiness.dead(), *filter(None, [readiness.waiting, *(ask() for ask in readiness.problems)])]


class _Pings:
    """When the last ping was taken, for the figures."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._at: float | None = None
        metrics.deadman_ping_age.set_function(self._age)

    def note(self) -> None:
        self._at = self._clock.monotonic()

    def _age(self) -> float:
        return math.nan if self._at is None else self._clock.monotonic() - self._at


def wording_of(settings: Settings, installation: str, clean: Callable[[str], str]) -> Wording:
    """How this bot says things."""
    return Wording(
        name=settings.notifications.name,
        mode=settings.trading_mode,
        installation=installation,
        meaning=lambda cause: CAUSES.get(cause, ""),
        clean=clean,
    )
