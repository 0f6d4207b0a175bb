"""Gets a root script into the project's virtual environment. Standard library only, so that any Python can read it."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
NEEDED = (
    "alembic",
    "alpaca",
    "ccxt",
    "coinbase",
    "krakenex",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "starlette",
)
NOT_INSTALLED = 3
# As shells count them: 128 and the number of the signal that another program would have ended by.
INTERRUPTED = 130
PIPE_CLOSED = 141
ALREADY_TRIED = "NIJA_IN_ENVIRONMENT"


def run(module: str, *, started_as: tuple[str, ...] = ()) -> None:
    """Run `main()` of a module and exit with what it returns; outside the environment, start over inside it.

    `started_as` are the interpreter's words for this program when it is not a script (`-m bot`).
    """
    if sys.version_info < (3, 11) or any(importlib.util.find_spec(name) is None for name in NEEDED):
        _continue_inside(started_as)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter of somebody's name must not end the answer.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        code = _loaded(module).main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # `… | head` closed the pipe when it had enough. What is left must go somewhere, or the interpreter complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    sys.exit(code)


def _loaded(module: str) -> Any:
    """What a program is loaded from stays until its end: to look through it for garbage is lost time, now and later."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def _continue_inside(started_as: tuple[str, ...]) -> None:
    python = PROJECT / ".venv" / "bin" / "python"
    if not python.exists() or ALREADY_TRIED in os.environ:
        sys.stderr.write("NIJA is not installed here yet. Run ./start.sh first; it installs and starts it.\n")
        sys.exit(NOT_INSTALLED)
    os.environ[ALREADY_TRIED] = "1"
    os.execv(python, [str(python), *(started_as or sys.argv[:1]), *sys.argv[1:]])
