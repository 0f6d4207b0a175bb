"""LISTEN and NOTIFY: who waits for rows that another process writes hears of their commit at once.

A word may be lost with its connection, so nobody relies on one: whoever listens also looks by itself now and then.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, text

from bot.seams.clock import Clock
from bot.storage.postgres import CONNECT_ARGUMENTS

log = logging.getLogger(__name__)

CHANNEL = "nija"
# What is told.
SIGNAL = "signal"
ACCOUNTS = "accounts"

LISTEN_SECONDS = 1.0
AGAIN_SECONDS = 1.0
_TELL = text("SELECT pg_notify(:channel, :word)")


def tell(connection: Connection, word: str) -> None:
    """Wake whoever listens, with the commit of this transaction. On SQLite there is nobody else."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TELL, {"channel": CHANNEL, "word": word})


class Listener:
    """A thread and a connection of its own. `on_word` is called with what was told, and with "" after each (re)start:
    then anything may have been missed. It must not wait for long, and must not raise."""

    def __init__(self, url: URL, *, clock: Clock, on_word: Callable[[str], None]) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._clock = clock
        self._on_word = on_word
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="Listener", daemon=True)
        self._complained = False

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        # Only where there is a PostgreSQL: loading its driver takes as long as a command's whole answer otherwise.
        import psycopg

        while not self._stop.is_set():
            try:
                self._listen()
            except (psycopg.Error, OSError) as error:
                if not self._complained:
                    log.warning("nobody wakes this process, it looks by itself: %s", " ".join(str(error).split()))
                self._complained = True
                self._clock.wait(self._stop, AGAIN_SECONDS)
            except Exception:
                log.exception("unexpected error while listening for other processes")
                self._clock.wait(self._stop, AGAIN_SECONDS)

    def _listen(self) -> None:
        import psycopg

        arguments: dict[str, Any] = dict(CONNECT_ARGUMENTS)
        with psycopg.connect(self._url, autocommit=True, **arguments) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self._complained = False
            self._on_word("")
            while not self._stop.is_set():
                for told in connection.notifies(timeout=LISTEN_SECONDS):
                    self._on_word(told.payload)
                # A server that went away without a word is noticed by asking.
                connection.execute("SELECT 1")
