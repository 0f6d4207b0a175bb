"""Watches what somebody else's code calls while it decides: a clock, a file, the network, chance, the surroundings."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

_IMPORTING = "importlib._bootstrap"
# Everything in these modules reaches out of the view; what is in them that does not, is named after them.
_MODULES_OF_C = frozenset({
    "time", "posix", "nt", "_socket", "_ssl", "select", "_posixsubprocess", "_sqlite3", "sqlite3", "_uuid", "random",
    "_random", "_winapi",
})  # fmt: skip
_HARMLESS = frozenset({"posix.fspath", "nt.fspath", "time.strptime", "time.struct_time"})
_FUNCTIONS = frozenset({
    "io.open", "_io.open", "io.open_code", "_io.open_code", "builtins.input", "_thread.start_new_thread",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
})  # fmt: skip
_PACKAGES = frozenset({
    "random", "secrets", "uuid", "socket", "ssl", "subprocess", "multiprocessing", "tempfile", "http", "urllib",
    "requests", "urllib3", "httpx", "aiohttp", "sqlite3", "ccxt",
})  # fmt: skip
# The surroundings are a mapping written in Python.
_ENVIRONMENT = frozenset({"__getitem__", "getenv", "__iter__", "__len__", "__setitem__"})


class Watch:
    """While it is on, `seen` fills with one line for each forbidden thing and place; nothing is prevented.

    What an import does while it runs does not count: importing is loading, not deciding. `file` is the strategy's own.
    Extensions that tell Python nothing of their calls go unseen, numpy.random among them: chance shows in the answers.
    """

    def __init__(self, file: str) -> None:
        self.seen: dict[str, None] = {}
        self._file = file
        self._importing = 0
        self._before: Callable[..., object] | None = None

    def __enter__(self) -> "Watch":
        self._before = sys.getprofile()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _look(self, frame: FrameType, event: str, called: object) -> None:
        if event in ("call", "return") and frame.f_globals.get("__name__") == _IMPORTING:
            if frame.f_code.co_name == "_find_and_load":
                self._importing = max(0, self._importing + (1 if event == "call" else -1))
            return
        if self._importing:
            return
        found = _of_c(called) if event == "c_call" else _of_python(frame) if event == "call" else ""
        if found:
            self.seen[f"{found} ({self._place(frame)})"] = None

    def _place(self, frame: FrameType) -> str:
        """The line of the strategy's own file that led there, or else of whoever called."""
        here: FrameType | None = frame
        while here is not None:
            if here.f_code.co_filename == self._file:
                return f"{Path(self._file).name}:{here.f_lineno}"
            here = here.f_back
        return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _of_c(called: object) -> str:
    """The forbidden thing that a function written in C is; blank for the others."""
    owner = getattr(called, "__self__", None)
    kind = owner if isinstance(owner, type) else type(owner)
    module = getattr(called, "__module__", None) or kind.__module__
    name = f"{module}.{getattr(called, '__qualname__', '?')}"
    if isinstance(owner, type) and module == "datetime":
        # A subclass of datetime reads the same clock.
        name = f"datetime.{getattr(called, '__qualname__', '?')}"
    forbidden = module.partition(".")[0] in _MODULES_OF_C or name in _FUNCTIONS
    return name if forbidden and name not in _HARMLESS else ""


def _of_python(frame: FrameType) -> str:
    """The forbidden thing that a function written in Python is; blank for the others."""
    module = str(frame.f_globals.get("__name__", ""))
    name = frame.f_code.co_name
    if module.partition(".")[0] in _PACKAGES or (module == "os" and name in _ENVIRONMENT):
        return f"{module}.{name}"
    return ""
