"""What a thread that hangs is doing, without a value in it."""

import sys
import threading
from types import CodeType, FrameType

DEEPEST = 40


def stack_of(thread: threading.Thread) -> tuple[str, ...]:
    """The thread's frames as `file:line:function`, the outermost first. Empty when it has ended.

    No locals and no source lines: those may hold a key.
    """
    frame = _frame_of(thread)
    frames: list[str] = []
    while frame is not None and len(frames) < DEEPEST:
        frames.append(_name(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(frames))


def innermost_file(thread: threading.Thread) -> str:
    """The file whose code the thread runs right now, or waits in; empty when it has ended."""
    frame = _frame_of(thread)
    return "" if frame is None else frame.f_code.co_filename


def _frame_of(thread: threading.Thread) -> FrameType | None:
    if thread.ident is None or not thread.is_alive():
        return None
    return sys._current_frames().get(thread.ident)


def _name(code: CodeType, line: int | None) -> str:
    short = "/".join(code.co_filename.rsplit("/", 3)[-3:])
    return f"{short}:{line}:{code.co_name}"
