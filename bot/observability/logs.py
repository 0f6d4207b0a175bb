"""The log: one line per event, on stdout and in `nija.log`, without a secret in it."""

import logging
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from bot.observability.log_lines import JsonLines, TextLines
from bot.observability.redactor import Redactor

LOG_FILE = "nija.log"
MAX_LOG_BYTES = 10_000_000
KEPT_LOG_FILES = 5

log = logging.getLogger(__name__)


def set_up_logging(state_dir: Path, *, level: str, as_json: Literal["auto"] | bool, redactor: Redactor) -> None:
    """Send the log to stdout and to `nija.log` in the state directory.

    `as_json` "auto" writes JSON where stdout is no terminal, for the platform that collects it; the file is for people
    then, so that its form does not depend on how the bot was started. True or False holds for both.
    """
    stdout = logging.StreamHandler(sys.stdout)
    stdout.setFormatter(JsonLines() if _json_on_stdout(as_json) else TextLines())
    file = RotatingFileHandler(
        state_dir / LOG_FILE, maxBytes=MAX_LOG_BYTES, backupCount=KEPT_LOG_FILES, encoding="utf-8"
    )
    file.setFormatter(JsonLines() if as_json is True else TextLines())
    root = logging.getLogger()
    root.setLevel(level)
    for handler in (stdout, file):
        handler.addFilter(redactor)
        root.addHandler(handler)
    # These log every request or the bodies of refusals themselves.
    for noisy in ("urllib3", "coinbase.RESTClient", "alembic"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL if noisy.startswith("coinbase") else logging.WARNING)


def _json_on_stdout(as_json: Literal["auto"] | bool) -> bool:
    return not sys.stdout.isatty() if as_json == "auto" else as_json


def log_to_stderr(redactor: Redactor) -> None:
    """For a process beside the bot, whose stderr is kept in a file of its own."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines())
    handler.addFilter(redactor)
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)


def log_the_uncaught() -> None:
    """What nobody has caught, and what Python warns of, goes through the log: stderr knows of no secrets."""
    sys.excepthook = lambda kind, error, trace: _told("the main thread", error)
    threading.excepthook = lambda args: _told(args.thread.name if args.thread else "a thread", args.exc_value)
    sys.unraisablehook = lambda args: _told(args.err_msg or "what is tidied away", args.exc_value)
    logging.captureWarnings(capture=True)


def _told(where: str, error: BaseException | None) -> None:
    if isinstance(error, SystemExit):
        return
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    log.critical("nobody has caught an error of %s: %s", where, type(error).__name__, exc_info=exc_info)
