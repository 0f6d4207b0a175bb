"""A thread that is stopped wherever it stands and goes on later: the simulation's hung worker.

Strands and the thread that starts them take turns: exactly one of them runs at any time, so chance is drawn in one
order and a seed makes the same world again.
"""

import threading
from collections.abc import Callable

from bot.domain.account import AccountRef
from tests.simulation.dice import Crash

# A turn is milliseconds of work. Who waits this long waits for a defect.
TURN_SECONDS = 60.0


class Strand:
    """One piece of an account's work, in a thread of its own.

    `place` is where it stands.
    """

    def __init__(self, account: AccountRef, work: Callable[[], None]) -> None:
        self.account = account
        self.place = ""
        self.killed = False
        self.done = False
        self._work = work
        self._error: BaseException | None = None
        self._its_turn, self._our_turn = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, name=f"Strand-{account.label}", daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Let it run until it is done or stands still again. Raises what its work raised."""
        self._its_turn.release()
        _wait(self._our_turn)
        if not self.done:
            return
        self._thread.join(TURN_SECONDS)
        if self._error is not None and not self.killed:
            raise self._error

    def kill(self) -> None:
        """Its process ends: nothing it still has to do happens."""
        self.killed = True
        while not self.done:
            self.go_on()

    def stand_still(self, place: str) -> None:
        """Called from inside: give the turn back until somebody wakes it."""
        self.place = place
        self._our_turn.release()
        _wait(self._its_turn)
        if self.killed:
            raise Crash

    def _live(self) -> None:
        try:
            _wait(self._its_turn)
            if not self.killed:
                self._work()
        except BaseException as error:  # noqa: BLE001 - a crash too belongs to who waits
            self._error = error
        finally:
            self.done = True
            self._our_turn.release()


def _wait(turn: threading.Semaphore) -> None:
    if not turn.acquire(timeout=TURN_SECONDS):
        raise AssertionError("a strand was never given its turn")
