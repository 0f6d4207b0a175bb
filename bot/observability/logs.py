"""The log: one line per event, on stdout and in `nija.log`, without a secret in it."""

import json
import logging
import sys
import threading
from collections.abc import Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import quote

LOG_FILE = "nija.log"
MAX_LOG_BYTES = 10_000_000
KEPT_LOG_FILES = 5
# Shorter texts would blank out ordinary words.
SHORTEST_SECRET = 8

_TEXT_FORMAT = "%(asctime)s %(levelname)-7s [%(threadName)s] %(message)s"


class Redactor(logging.Filter):
    """Replaces every known secret, in the forms in which it may turn up, in messages and tracebacks.

    A line costs the same however many secrets there are: a thousand accounts have thousands. Any thread may call it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        # By their first characters; the longest first. A tuple is replaced whole, so that readers need no lock.
        self._forms: dict[str, tuple[str, ...]] = {}
        self._adding = threading.Lock()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Never let this text through again."""
        for part in {secret, *secret.splitlines()}:
            if len(part.strip()) >= SHORTEST_SECRET and not part.startswith("-----"):
                self._add_forms({part, quote(part, safe=""), json.dumps(part)[1:-1]})

    def _add_forms(self, forms: set[str]) -> None:
        with self._adding:
            for form in forms:
                start = form[:SHORTEST_SECRET]
                known = {*self._forms.get(start, ()), form}
                self._forms[start] = tuple(sorted(known, key=len, reverse=True))

    def clean(self, text: str) -> str:
        forms, at = self._forms, 0
        while at <= len(text) - SHORTEST_SECRET:
            for form in forms.get(text[at : at + SHORTEST_SECRET], ()):
                if text.startswith(form, at):
                    text = f"{text[:at]}***{text[at + len(form) :]}"
                    at += 2
                    break
            at += 1
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "cleaned_by", None) is self:
            return True  # another handler's turn with the same line
        record.msg, record.args = self.clean(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        record.cleaned_by = self
        return True


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "thread": record.threadName,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(state_dir: Path, *, level: str, as_json: bool, redactor: Redactor) -> None:
    """Send the log to stdout and to `nija.log` in the state directory."""
    formatter = JsonLines() if as_json else logging.Formatter(_TEXT_FORMAT)
    file_handler = RotatingFileHandler(
        state_dir / LOG_FILE, maxBytes=MAX_LOG_BYTES, backupCount=KEPT_LOG_FILES, encoding="utf-8"
    )
    root = logging.getLogger()
    root.setLevel(level)
    for handler in (logging.StreamHandler(sys.stdout), file_handler):
        handler.setFormatter(formatter)
        handler.addFilter(redactor)
        root.addHandler(handler)
    # These log every request or the bodies of refusals themselves.
    for noisy in ("urllib3", "coinbase.RESTClient", "alembic"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL if noisy.startswith("coinbase") else logging.WARNING)
