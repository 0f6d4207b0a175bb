"""What systemd is told of a service of `Type=notify`: that it is ready, that it is alive, that it stops.

A datagram to the socket that NOTIFY_SOCKET names (sd_notify(3)); without one nobody is told anything. systemd ends and
starts the process again when it has not been told for `WatchdogSec` that it is alive: the same help as the watchdog's
inside, for the case that the process as a whole stands still.
"""

import contextlib
import logging
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

SOCKET_VARIABLE = "NOTIFY_SOCKET"
# New tables for many rows take minutes; the unit gives the start as long.
START_SECONDS = 900


class ServiceManager:
    """Every method may be called at any time and from any thread; none waits for systemd, and none raises."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get(SOCKET_VARIABLE, "")
        # "@" stands for the zero byte of an abstract socket, which is no file.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name if name.startswith("/") else ""
        self._complained = False

    def waiting(self, status: str) -> None:
        """The start goes on, however long another process has its turn: it gets `START_SECONDS` more from now."""
        self._tell(f"EXTEND_TIMEOUT_USEC={START_SECONDS * 1_000_000}\nSTATUS=Waiting: {_one_line(status)}")

    def ready(self, status: str) -> None:
        """The start is over; from here on `alive` must be said."""
        self._tell(f"READY=1\nSTATUS={_one_line(status)}")

    def alive(self) -> None:
        """To be said by whoever has just made sure of it."""
        self._tell("WATCHDOG=1")

    def stopping(self, reason: str) -> None:
        """From here on the time to stop counts, and no longer the watchdog."""
        self._tell(f"STOPPING=1\nSTATUS=Stopping: {_one_line(reason)}")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)) as out:
                out.setblocking(False)
                out.sendto(text.encode(), self._address)
        except OSError as error:
            if not self._complained:
                log.warning("systemd cannot be told how the service does (%s)", error)
            self._complained = True


def _one_line(text: str) -> str:
    return " ".join(text.split())
