"""Misbehaviour in the bot's own threads, ordered through a file: what wrong code could do to one account.

The file holds JSON: `{"number": "3", "thread": "Trader-ann_kraken", "place": "step", "deed": "hang"}`. `place` is
"strategy" (whenever the strategy is asked), "step" (any failpoint but those of the nonce file, which are passed with
Kraken's lock in hand) or a failpoint's name. The deed is done by that thread alone, whenever it comes to the place,
until another number is written.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bot.seams import failpoints

VARIABLE = "WAYWARD_FILE"
STRATEGY = "strategy"
STEP = "step"
NONCES = "kraken_nonce"
# A deed that lasts ends by itself after this, should nobody order another one.
LONGEST_SECONDS = 120.0


def begun_file(file: Path) -> Path:
    """Holds the number of the order that was last begun."""
    return file.with_suffix(".begun")


class Wayward(RuntimeError):
    """What wrong code raises."""


class Mischief:
    """One in a process."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._changed_at = 0
        self._order: Mapping[str, str] = {}
        self._begun = ""

    def at(self, *names: str) -> None:
        """The running thread has come to a place, which may have several names."""
        order = self._read()
        if order.get("place") in names and order.get("thread") == threading.current_thread().name:
            self._note_begun(order["number"])
            DEEDS[order["deed"]](partial(self._still_ordered, order))

    def install(self, names: tuple[str, ...]) -> None:
        """Be asked at every failpoint."""
        steps = {name: () if name.startswith(NONCES) else (STEP,) for name in names}
        failpoints._plan.update({name: partial(self.at, name, *also) for name, also in steps.items()})

    def _still_ordered(self, order: Mapping[str, str]) -> bool:
        return self._read().get("number") == order["number"]

    def _note_begun(self, number: str) -> None:
        """So that whoever ordered it knows that it came to it."""
        if self._file is not None and self._begun != number:
            self._begun = number
            begun_file(self._file).write_text(number, encoding="utf-8")

    def _read(self) -> Mapping[str, str]:
        if self._file is None:
            return {}
        try:
            changed_at = self._file.stat().st_mtime_ns
            if changed_at != self._changed_at:
                self._order, self._changed_at = json.loads(self._file.read_text()), changed_at
        except FileNotFoundError:
            return {}
        return self._order


def _raise(_ordered: Callable[[], bool]) -> None:
    raise Wayward("the drill asked for this")


def _exit(_ordered: Callable[[], bool]) -> None:
    """Ends the thread without a word: nothing that counts as an error passes through it."""
    raise SystemExit


def _no_memory(_ordered: Callable[[], bool]) -> None:
    raise MemoryError


def _recurse(ordered: Callable[[], bool]) -> None:
    _recurse(ordered)


def _hang(ordered: Callable[[], bool]) -> None:
    """In a wait that nothing ends."""
    never = threading.Event()
    for _ in range(int(LONGEST_SECONDS / 0.25)):
        never.wait(0.25)
        if not ordered():
            return


def _loop(ordered: Callable[[], bool]) -> None:
    """Busy with nothing. Looks at the file seldom, or it would be busy with files."""
    while ordered():
        for _ in range(5_000_000):
            pass


def _flood(ordered: Callable[[], bool]) -> None:
    """Keeps the interpreter in calls that do not let go of it before they are done."""
    while ordered():
        for _ in range(20):
            sum(range(3_000_000))


DEEDS: Mapping[str, Callable[[Callable[[], bool]], None]] = {
    "raise": _raise,
    "exit": _exit,
    "no memory": _no_memory,
    "recurse": _recurse,
    "hang": _hang,
    "loop": _loop,
    "flood": _flood,
}
mischief = Mischief(Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None)
