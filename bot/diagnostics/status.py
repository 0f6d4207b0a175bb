"""`python bot.py status`: does it trade, and what is there to know; once, or on a screen that keeps up."""

import argparse
import json
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, seconds
from bot.diagnostics.listing import WIDTH, cannot_read
from bot.diagnostics.status_reading import Status, read_status
from bot.diagnostics.status_shown import screen
from bot.diagnostics.store_reading import NoStore
from bot.diagnostics.terminal import terminal
from bot.settings import Settings

if TYPE_CHECKING:
    from rich.live import Live

WATCH_SECONDS = 2.0


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "status",
        "one word for the whole; accounts with their health and ages; money, positions, debts, alerts",
        _run,
        codes="0 it trades and nothing is to be looked into, 1 not so, 2 wrong use, 3 the bot is not running",
        examples=["status", "status --watch", "status --watch 5", "status --json"],
    )
    made.add_argument(
        "--watch",
        type=seconds,
        nargs="?",
        const=WATCH_SECONDS,
        metavar="SECONDS",
        help=f"keep it on the screen and look again so often (default {WATCH_SECONDS:g}); q or Ctrl-C ends it",
    )
    made.set_defaults(refuse=made.error)


def _run(settings: Settings, words: argparse.Namespace) -> int:
    if words.watch is None:
        return show(settings, as_json=words.json)
    if words.json or not sys.stdout.isatty():
        words.refuse("--watch is for a terminal; without it the status is printed once")
    return watch(settings, words.watch)


def show(settings: Settings, *, as_json: bool) -> int:
    """Print it once. 0 = all well, 1 = something is to be looked into, 3 = the bot is not running."""
    try:
        status = read_status(settings)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("accounts",))
    if as_json:
        print(json.dumps(status.as_json(), indent=2))
    else:
        console = terminal(width_without_terminal=WIDTH)
        console.print(screen(status, console))
    return _code(status)


def watch(settings: Settings, every_seconds: float) -> int:
    """Redraw until q or Ctrl-C. Returns the exit code of what was seen last."""
    from rich.live import Live

    console, code = terminal(), exit_codes.OK
    with _keys() as keyboard, Live(console=console, auto_refresh=False, screen=True) as live:
        try:
            while True:
                code = _draw(settings, live)
                if keyboard.pressed_q(every_seconds):
                    return code
        except KeyboardInterrupt:
            return code


def _draw(settings: Settings, live: "Live") -> int:
    from rich.text import Text

    try:
        status = read_status(settings)
    except NoStore as error:
        live.update(Text(str(error)), refresh=True)
        return exit_codes.NOT_RUNNING
    live.update(screen(status, live.console), refresh=True)
    return _code(status)


def _code(status: Status) -> int:
    if not status.overview.state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if status.wrong else exit_codes.OK


class _Keyboard:
    """The keys of the terminal, without waiting for the Enter key."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def pressed_q(self, wait_seconds: float) -> bool:
        """Wait so long for a key. Any other key than q only ends the waiting."""
        watched = [] if self._descriptor is None else [self._descriptor]
        readable, _, _ = select.select(watched, [], [], wait_seconds)
        if not readable or self._descriptor is None:
            return False
        pressed = os.read(self._descriptor, 64)
        if not pressed:  # the terminal is gone
            return True
        return b"q" in pressed or b"Q" in pressed


@contextmanager
def _keys() -> Iterator[_Keyboard]:
    """The terminal is afterwards as it was before, however it ends."""
    if not sys.stdin.isatty():
        yield _Keyboard(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield _Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
