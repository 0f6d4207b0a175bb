"""A terminal of 100 columns as a person sits at one: a shell in tmux, typed into and read from its screen."""

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

COLUMNS, LINES, HISTORY = 100, 50, 50_000
LOOK_SECONDS = 0.1
# Number of the command that is typed next, and the exit code of the one before.
PROMPT = re.compile(r"^(\d+):(\d+) \$ ?(.*)$")


class TookTooLong(Exception):
    """What was waited for did not come; the message ends with the screen."""


class Terminal:
    """A tmux server of its own with one shell in it, its socket in `HOME`. A context manager: it ends all of that."""

    def __init__(self, name: str, directory: Path, environ: Mapping[str, str]) -> None:
        self._tmux = ("tmux", "-S", str(Path(environ["HOME"]) / f"{name}.tmux"), "-f", "/dev/null")
        self._directory, self._environ = directory, {"PS1": r"\#:$? $ ", "TERM": "screen", **environ}
        self._typed = 0

    def __enter__(self) -> Self:
        shell = shlex.join(["env", "-i", *(f"{name}={value}" for name, value in self._environ.items()), "bash"])
        begin = ("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), "-c", str(self._directory))
        # The first line belongs to the server, which reads the limit of the history when a pane is made.
        self._ask("start-server", ";", "set", "-g", "history-limit", str(HISTORY), ";", *begin, f"{shell} --norc -i")
        try:
            self.wait(lambda: self._prompt() is not None, 30)
        except TookTooLong:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._prompt() is None:
                self.interrupt()
                self.wait(lambda: self._prompt() is not None, 60)
        finally:
            self._leave()

    def _leave(self) -> None:
        """End the shell, with what still runs in it, and tmux."""
        server, shell = (int(pid) for pid in self._ask("display", "-p", "#{pid} #{pane_pid}").split())
        for pid, ending in ((shell, signal.SIGHUP), (server, signal.SIGTERM)):
            with suppress(ProcessLookupError):
                os.kill(pid, ending)

    def start(self, command: str) -> None:
        """Type it, with Enter; it may go on."""
        self._typed += 1
        self._ask("send-keys", "-l", command)
        self._ask("send-keys", "Enter")

    def run(self, command: str, seconds: float = 120) -> tuple[str, int]:
        """Type it and wait for its end: what it wrote, and its exit code."""
        self.start(command)
        return self.end(seconds)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._ask("send-keys", "C-c")

    def end(self, seconds: float) -> tuple[str, int]:
        """Wait for the end of what runs."""
        self.wait(lambda: self._prompt() is not None, seconds)
        return self.said(), self._prompt() or 0

    def said(self) -> str:
        """What the command that was typed last has written until now."""
        lines = self._lines()
        begins = [number for number, line in enumerate(lines) if self._number(line) == self._typed]
        since = lines[begins[-1] + 1 :] if begins else []
        return "\n".join(line for line in since if not PROMPT.match(line))

    def wait(self, until: Callable[[], object], seconds: float) -> float:
        """Look until it is so; the seconds that took."""
        began = time.monotonic()
        while not until():
            if time.monotonic() - began > seconds:
                raise TookTooLong(f"not within {seconds:g} s:\n" + "\n".join(self._lines()[-40:]))
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def wait_for(self, pattern: str, seconds: float) -> "re.Match[str]":
        """Until the command that was typed last has written this; a regular expression over lines."""
        wanted = re.compile(pattern, re.MULTILINE)
        self.wait(lambda: wanted.search(self.said()), seconds)
        found = wanted.search(self.said())
        assert found is not None
        return found

    def _prompt(self) -> int | None:
        """The exit code beside the prompt that waits for the next command; None while a command runs."""
        lines = self._lines()
        found = PROMPT.match(lines[-1]) if lines else None
        return int(found[2]) if found and not found[3] and int(found[1]) == self._typed + 1 else None

    @staticmethod
    def _number(line: str) -> int | None:
        found = PROMPT.match(line)
        return int(found[1]) if found and found[3] else None

    def _lines(self) -> list[str]:
        """Screen and history, what is wrapped put together, without the empty lines below."""
        return self._ask("capture-pane", "-p", "-J", "-S", "-").rstrip().split("\n")

    def _ask(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True, timeout=30)
        return done.stdout
