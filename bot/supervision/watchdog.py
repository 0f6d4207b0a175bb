"""Finds threads that hang, shuts them out, and lets others take their place. Knows nothing of what they do.

A ward that is late is suspect: its stack is logged and its sockets are cut. One that still makes no progress is fenced
off in the store, and only when that is durable is its transport revoked and its work given to a new thread. What
cannot be helped that way ends the process: a hung thread that everybody needs, a lock that nobody gives back, too many
threads that hang for good.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.supervision.heart import Beat, Heart
from bot.supervision.interruption import interrupt
from bot.supervision.probes import Probe, Probes
from bot.supervision.stacks import stack_of

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# A thread in a Python loop is interrupted again after this: the first time it may have caught the exception.
INTERRUPT_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class WatchdogTimes:
    """Seconds; `stall_seconds`: so much later than it wanted the watchdog itself runs when the whole process stood."""

    suspect_after_seconds: float = 5.0
    quarantine_after_seconds: float = 5.0
    stall_seconds: float = 3.0
    most_zombies: int = 3


@dataclass(frozen=True)
class Hang:
    """A ward that made no progress: the step it was in and where it stood (`file:line:function`, innermost last).

    In words, the place is the innermost outside Python's own library: that it waits there says little.
    """

    step: str
    seconds: float
    stack: tuple[str, ...]

    def __str__(self) -> str:
        places = [place for place in self.stack if not place.startswith("lib/python")] or self.stack
        where = f" at {places[-1]}" if places else ""
        return f"no progress for {self.seconds:.0f} s in the step '{self.step}'{where}"


def _nothing() -> None:
    pass


@dataclass(kw_only=True)
class Ward:
    """A thread under watch, and what can be done about it. None of the callbacks may wait, except `fence` (2 s).

    `cut` shuts the sockets it waits on. `fence` makes durable that nothing of it counts any more, and raises when that
    is not certain. `revoke` takes its transport away for good. `on_hang` and `on_dead` have it replaced. Of a `vital`
    one there is no other: its hang or death ends the process.
    """

    name: str
    thread: threading.Thread
    heart: Heart
    vital: bool = False
    cut: Callable[[], None] = _nothing
    fence: Callable[[], None] = _nothing
    revoke: Callable[[], None] = _nothing
    on_hang: Callable[[Hang], None] = lambda _hang: None
    on_dead: Callable[[], None] = _nothing


@dataclass
class _Watched:
    ward: Ward
    excused: tuple[int, float] = (-1, 0.0)
    suspect: tuple[int, float] | None = None
    condemned: Hang | None = None

    def due_at(self, beat: Beat) -> float:
        number, until = self.excused
        return max(beat.due_at, until) if number == beat.number else beat.due_at


@dataclass
class Zombie:
    """A thread that was given up and lives on, since a moment of the monotonic clock."""

    name: str
    thread: threading.Thread
    since: float
    hang: Hang
    interrupted_at: float = field(default=float("-inf"))


class Watchdog:
    """Looks at its wards once a second, in a thread of its own; tests call `step`.

    `on_fatal` is told once, with a sentence, when the process must end; `on_stall` how long the process stood still.
    `ticks` counts its looks, for who watches the watchdog.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        times: WatchdogTimes,
        on_fatal: Callable[[str], None],
        probes: Sequence[Probe] = (),
        on_stall: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self.clock = self._clock = clock
        self.ticks = 0
        self._times = times
        self._on_fatal = on_fatal
        self._on_stall = on_stall
        self._probes = Probes(probes, clock)
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._zombies: list[Zombie] = []
        self._ticked_at = clock.monotonic()
        self._fatal = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="Watchdog", daemon=True)

    # -- wards ------------------------------------------------------------------------------------------------------
    def watch(self, ward: Ward) -> None:
        """Watch it from now on; another one of the same name is watched no more."""
        with self._lock:
            self._watched[ward.name] = _Watched(ward)

    def forget(self, name: str) -> None:
        """Its end is wanted."""
        with self._lock:
            self._watched.pop(name, None)

    def probe(self, *probes: Probe) -> None:
        """Try these at each look too."""
        self._probes.add(probes)

    def zombies(self) -> Sequence[Zombie]:
        """Threads that were given up and have not ended yet."""
        return [zombie for zombie in list(self._zombies) if zombie.thread.is_alive()]

    # -- the thread -------------------------------------------------------------------------------------------------
    def start(self) -> None:
        self._ticked_at = self._clock.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Watch nothing any more; comes before the wards are asked to end."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            failpoint("watchdog_look")
            try:
                self.step()
            except Exception:
                log.exception("watchdog: unexpected error")
            self._clock.wait(self._stop, TICK_SECONDS)

    def step(self) -> None:
        """Look at everything once."""
        now = self._clock.monotonic()
        late, self._ticked_at = now - self._ticked_at - TICK_SECONDS, now
        self.ticks += 1
        with self._lock:
            watched = list(self._watched.values())
        if late > self._times.stall_seconds:
            self._forgive(watched, late, now)
        self._end_if(self._probes.step())
        store_refused = False
        for each in watched:
            if each.condemned is None:
                self._look_at(each, now)
            if each.condemned is not None and not store_refused:
                # One refusal says it of all: this thread has no time to ask for each.
                store_refused = not self._quarantine(each, each.condemned, now)
        self._watch_zombies(now)

    # -- one ward ---------------------------------------------------------------------------------------------------
    def _forgive(self, watched: Sequence[_Watched], late: float, now: float) -> None:
        """The machine slept or somebody kept the interpreter to himself: nobody could make progress meanwhile."""
        self._say(logging.WARNING, "The whole process stood still for %.1f s", late)
        self._on_stall(late)
        for each in watched:
            beat = each.ward.heart.last
            each.excused = (beat.number, now + (beat.due_at - beat.since))
            each.suspect = None

    def _look_at(self, each: _Watched, now: float) -> None:
        ward = each.ward
        if not ward.thread.is_alive():
            self._bury(ward)
            return
        beat = ward.heart.last
        if now <= each.due_at(beat) + self._times.suspect_after_seconds:
            each.suspect = None
        elif each.suspect is None or each.suspect[0] != beat.number:
            each.suspect = (beat.number, now)
            self._suspect(ward, _hang(ward, beat, now))
        elif now > each.suspect[1] + self._times.quarantine_after_seconds:
            each.condemned = _hang(ward, beat, now)

    def _bury(self, ward: Ward) -> None:
        if not self._drop(ward):
            return  # forgotten at this very moment
        if ward.vital:
            self._end_if(f"the thread {ward.thread.name} has died, and nothing works without it")
        else:
            _guarded(ward, "seeing to its death", ward.on_dead)

    def _suspect(self, ward: Ward, hang: Hang) -> None:
        stack = " > ".join(hang.stack)
        self._say(logging.WARNING, "%s: %s. Its connections are cut. Stack: %s", ward.name, hang, stack)
        _guarded(ward, "cutting its connections", ward.cut)

    def _quarantine(self, each: _Watched, hang: Hang, now: float) -> bool:
        """Fence first; without that being certain nobody takes its place. False when the store refused."""
        ward = each.ward
        if ward.vital:
            self._end_if(f"the thread {ward.thread.name} hangs, and nothing works without it: {hang}")
            return True
        try:
            ward.fence()
        except Exception as error:  # noqa: BLE001 - whatever the reason, without the fence nothing is replaced
            self._say(logging.ERROR, "%s hangs and could not be shut out yet: %s", ward.name, error)
            return False
        ward.heart.bar(f"{ward.name} was given up: {hang}")
        _guarded(ward, "revoking its transport", ward.revoke)
        _guarded(ward, "cutting its connections", ward.cut)
        self._drop(ward)
        self._zombies.append(Zombie(ward.name, ward.thread, now, hang))
        self._say(logging.ERROR, "%s is in quarantine: %s. Stack: %s", ward.name, hang, " > ".join(hang.stack))
        _guarded(ward, "having it replaced", lambda: ward.on_hang(hang))
        return True

    def _drop(self, ward: Ward) -> bool:
        """Whether it was still under watch."""
        with self._lock:
            watched = self._watched.get(ward.name)
            if watched is None or watched.ward is not ward:
                return False
            del self._watched[ward.name]
            return True

    # -- all of it --------------------------------------------------------------------------------------------------
    def _watch_zombies(self, now: float) -> None:
        for zombie in self._zombies:
            if not zombie.thread.is_alive():
                self._say(
                    logging.WARNING, "%s: its hung thread has ended after %.0f s", zombie.name, now - zombie.since
                )
            elif now - zombie.interrupted_at >= INTERRUPT_AGAIN_SECONDS and interrupt(zombie.thread):
                zombie.interrupted_at = now
        self._zombies = [zombie for zombie in self._zombies if zombie.thread.is_alive()]
        if len(self._zombies) > self._times.most_zombies:
            names = ", ".join(zombie.name for zombie in self._zombies)
            self._end_if(f"{len(self._zombies)} threads hang for good ({names})")

    def _say(self, level: int, text: str, *values: object) -> None:
        """Not while a shared lock is taken: it may be the log's, and this thread must not wait for it."""
        if not self._probes.failing:
            log.log(level, text, *values)

    def _end_if(self, reason: str) -> None:
        if reason and not self._fatal:
            self._fatal = reason
            self._on_fatal(reason)


def _hang(ward: Ward, beat: Beat, now: float) -> Hang:
    return Hang(beat.step, now - beat.since, stack_of(ward.thread))


def _guarded(ward: Ward, what: str, work: Callable[[], None]) -> None:
    """One ward's trouble is not the others'."""
    try:
        work()
    except Exception:
        log.exception("%s: unexpected error while %s", ward.name, what)
