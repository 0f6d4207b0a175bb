"""Signals, taken by a thread of its own: whatever the main thread hangs in, the operator is heard.

A Python handler runs in the main thread alone, between two of its instructions; one that sets an event which the main
thread is just looking at can wait for itself for ever. So the handlers do nothing, and the interpreter writes the
signal's number into a pipe that a thread reads. No signal is blocked, so children inherit nothing of this.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType


class SignalListener:
    """Calls `actions` by signal, one after another, in a thread. Made and ended in the main thread."""

    def __init__(self, actions: Mapping[signal.Signals, Callable[[signal.Signals], None]]) -> None:
        self._actions = actions
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writing, False)
        self._thread = threading.Thread(target=self._run, name="Signals", daemon=True)

    def start(self) -> None:
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in self._actions:
            signal.signal(number, _heard_elsewhere)
        self._thread.start()

    def ignore(self) -> None:
        """From now on a signal changes nothing any more."""
        for number in self._actions:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)

    def _run(self) -> None:
        while True:
            for number in os.read(self._reading, 64):
                action = self._actions.get(signal.Signals(number))
                if action is not None:
                    action(signal.Signals(number))


def _heard_elsewhere(_number: int, _frame: FrameType | None) -> None:
    """A handler must be there for the number to be written into the pipe."""
