"""Names of hosts to addresses, in bounded time.

`getaddrinfo` knows no time-out and no reaper can cut it, so it runs in a thread of its own and is waited for only so
long. An address that was good before is better than none: it is used again while names cannot be resolved.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.seams.clock import Clock
from bot.supervision.probes import Probe, lock_probe

WAIT_SECONDS = 3.0
FRESH_SECONDS = 60.0

Lookup = Callable[[str], Sequence[str]]


def system_lookup(host: str) -> Sequence[str]:
    """The addresses of a host, best first. Raises OSError; may take for ever."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(eq=False)
class _Asked:
    """One look-up on its way; whoever asks for the same name meanwhile waits for this one."""

    done: threading.Event = field(default_factory=threading.Event)
    problem: str = "no answer in time"


class Resolver:
    """Shared by any number of threads. A look-up that hangs costs one thread for its name, never one a call."""

    def __init__(
        self,
        clock: Clock,
        *,
        lookup: Lookup = system_lookup,
        wait_seconds: float = WAIT_SECONDS,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._clock = clock
        self._lookup = lookup
        self._wait_seconds = wait_seconds
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._good: dict[str, tuple[Sequence[str], float]] = {}  # host → addresses, until when they are fresh
        self._asked: dict[str, _Asked] = {}

    def probe(self) -> Probe:
        """Whether nobody is lost while addresses are kept."""
        return lock_probe("the register of addresses", self._lock)

    def addresses(self, host: str, *, within_seconds: float) -> Sequence[str]:
        """At least one address, the last good one if need be. Raises OSError after at most `within_seconds`."""
        if _is_address(host):
            return [host]
        asked = self._ask(host)
        if asked is not None:
            self._clock.wait(asked.done, min(self._wait_seconds, within_seconds))
        with self._lock:
            good = self._good.get(host)
        if good is None:
            problem = asked.problem if asked is not None else "no address"
            raise OSError(f"the name {host} cannot be resolved ({problem})")
        return good[0]

    def doubt(self, host: str) -> None:
        """None of its addresses answers: ask anew next time."""
        with self._lock:
            if host in self._good:
                self._good[host] = (self._good[host][0], self._clock.monotonic())

    def _ask(self, host: str) -> _Asked | None:
        """The look-up to wait for, or None when a fresh answer is there."""
        with self._lock:
            good = self._good.get(host)
            if good is not None and self._clock.monotonic() < good[1]:
                return None
            if host in self._asked:
                return self._asked[host]
            asked = self._asked[host] = _Asked()
        try:
            threading.Thread(target=self._run, args=(host, asked), name="Resolver", daemon=True).start()
        except RuntimeError as error:  # no thread to be had
            self._ended(host, asked, str(error))
        return asked

    def _run(self, host: str, asked: _Asked) -> None:
        problem = "it has no address"
        try:
            found = self._lookup(host)
            if found:
                with self._lock:
                    self._good[host] = (found, self._clock.monotonic() + self._fresh_seconds)
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
            problem = str(error)
        finally:
            self._ended(host, asked, problem)

    def _ended(self, host: str, asked: _Asked, problem: str) -> None:
        asked.problem = problem
        with self._lock:
            self._asked.pop(host, None)
        asked.done.set()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
