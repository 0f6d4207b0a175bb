"""Asking a person, one short question at a time: Enter takes the answer in brackets, a wrong one is asked again."""

import shutil
import sys
import termios
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
# A private key has a handful of lines; whoever pastes more pastes something else.
MOST_LINES = 60


class WrongAnswer(Exception):
    """An answer that cannot be taken, with the reason."""


class Abandoned(Exception):
    """There will be no more answers: the input has ended."""


@dataclass(frozen=True)
class Dialogue:
    """`read` and `read_secret` show a prompt and return a line, or raise `EOFError`; `say` shows a line."""

    read: Callable[[str], str]
    read_secret: Callable[[str], str]
    say: Callable[[str], None]

    def ask(self, question: str, *, default: str = "", check: Callable[[str], T]) -> T:
        """What `check` makes of the answer; it raises `WrongAnswer` for what it cannot take."""
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            answer = self._line(self.read, prompt) or default
            try:
                return check(answer)
            except WrongAnswer as error:
                self.say(f"  {error}")

    def choose(self, question: str, choices: Sequence[str], *, default: str = "") -> str:
        """One of `choices`; its beginning is enough where only one begins so."""
        return self.ask(f"{question} ({', '.join(choices)})", default=default, check=lambda text: one_of(text, choices))

    def agrees(self, question: str, *, default: bool) -> bool:
        answer = self.choose(question, ("yes", "no"), default="yes" if default else "no")
        return answer == "yes"

    def secret(self, question: str) -> str:
        """What is typed is not shown."""
        return self._line(self.read_secret, f"{question}: ")

    @staticmethod
    def _line(read: Callable[[str], str], prompt: str) -> str:
        try:
            return read(prompt).strip()
        except EOFError as error:
            raise Abandoned from error


def one_of(text: str, choices: Sequence[str]) -> str:
    """The choice that is meant. Raises `WrongAnswer`."""
    word = text.strip().lower()
    found = [choice for choice in choices if choice == word] or [
        choice for choice in choices if word and choice.startswith(word)
    ]
    if len(found) != 1:
        raise WrongAnswer(f"please answer {' or '.join(choices)}")
    return found[0]


@contextmanager
def at_the_terminal() -> Iterator[Dialogue]:
    """A dialogue with whoever sits before this process's terminal, which is as before afterwards."""
    terminal = _Terminal(sys.stdin.fileno())
    try:
        yield Dialogue(read=terminal.read, read_secret=terminal.read_secret, say=say_wrapped)
    finally:
        terminal.leave()


class _Terminal:
    """Shows what is typed only while an open question waits: a key that is pasted too early is not shown either."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._before = termios.tcgetattr(handle)
        self._echo(on=False)

    def read(self, prompt: str) -> str:
        self._echo(on=True)
        try:
            return input(prompt)
        finally:
            self._echo(on=False)

    def read_secret(self, prompt: str) -> str:
        """Not shown; a PEM may be pasted with its line breaks.

        `getpass` reads one line and throws away what was pasted behind it: half a private key.
        """
        sys.stdout.write(prompt)
        sys.stdout.flush()
        try:
            return _whole(sys.stdin.readline)
        finally:
            # What was pasted beyond must not become the answer to the next question.
            termios.tcflush(self._handle, termios.TCIFLUSH)
            sys.stdout.write("\n")

    def leave(self) -> None:
        termios.tcsetattr(self._handle, termios.TCSADRAIN, self._before)

    def _echo(self, *, on: bool) -> None:
        local = self._before[3] | termios.ECHO if on else self._before[3] & ~termios.ECHO
        termios.tcsetattr(self._handle, termios.TCSADRAIN, [*self._before[:3], local, *self._before[4:]])


def say_wrapped(line: str) -> None:
    """A line as it fits the window, words kept whole; what follows is set in like its beginning."""
    margin = " " * (len(line) - len(line.lstrip()) + 2)
    width = max(40, shutil.get_terminal_size().columns)
    lines = textwrap.wrap(line, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)
    print("\n".join(lines))


def _whole(read_line: Callable[[], str]) -> str:
    lines = [read_line()]
    if not lines[0]:
        raise EOFError
    ends = _end_of(lines[0])
    while ends and ends not in lines[-1] and len(lines) < MOST_LINES:
        line = read_line()
        if not line:
            break
        lines.append(line)
    return "".join(lines).strip()


def _end_of(first: str) -> str:
    """What ends a secret that begins with this line and does not end in it; empty = the line is all of it."""
    if "-----BEGIN" in first and "-----END" not in first:
        return "-----END"
    return "}" if first.strip() == "{" else ""
