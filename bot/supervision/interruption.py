"""Ends a thread's Python loop from outside: the only thing that stops code which never waits and never looks.

It reaches a thread when that next runs Python code: one that waits for a lock, a socket or a C function goes on
waiting, and finds the exception when it wakes up.
"""

import ctypes
import threading

from bot.domain.errors import Fenced
from bot.supervision.stacks import innermost_file

# An exception between the taking of a lock of the whole process and the block that gives it back would leave it taken.
_UNTOUCHABLE = ("/logging/", "/threading.py", "/queue.py", "/sqlalchemy/", "/prometheus_client/")


def interrupt(thread: threading.Thread) -> bool:
    """Let `Fenced` rise in the thread, unless it is in the middle of somebody's locking. True if it was sent."""
    if thread.ident is None or not thread.is_alive() or _is_locking(innermost_file(thread)):
        return False
    found: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Fenced))
    return found == 1


def _is_locking(file: str) -> bool:
    return any(place in file for place in _UNTOUCHABLE)
