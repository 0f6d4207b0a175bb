"""Named places where a drill may crash, hang or fail the process. Nothing happens unless a plan is installed."""

import os
import signal
import threading
from collections.abc import Callable

_plan: dict[str, Callable[[], None]] = {}


class FailpointRaised(RuntimeError):
    """A drill asked this place to fail."""


def failpoint(name: str) -> None:
    """A place with a name; free when no drill is on."""
    action = _plan.get(name)
    if action is not None:
        action()


def install(plan: str) -> None:
    """Install a plan `name:kill,name:raise,name:hang=30`; an empty plan removes all."""
    _plan.clear()
    for item in filter(None, (part.strip() for part in plan.split(","))):
        name, separator, action = item.partition(":")
        if not separator:
            raise ValueError(f"failpoint {item!r} needs the form name:kill, name:raise or name:hang=SECONDS")
        _plan[name] = _action(name, action)


def _action(name: str, action: str) -> Callable[[], None]:
    if action == "kill":
        return lambda: os.kill(os.getpid(), signal.SIGKILL)
    if action == "raise":
        return lambda: _raise(name)
    if action.startswith("hang="):
        seconds = float(action.removeprefix("hang="))
        return lambda: _hang(seconds)
    raise ValueError(f"failpoint {name!r} knows kill, raise and hang=SECONDS, not {action!r}")


def _raise(name: str) -> None:
    raise FailpointRaised(name)


def _hang(seconds: float) -> None:
    threading.Event().wait(seconds)
